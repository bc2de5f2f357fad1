"""Results of an evaluation, by suite and model, with displays for notebooks, programs and pages."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.compare.ablation import ablations
from evals.compare.comparison import MUST_MATCH, compare_models
from evals.compare.export.data_frame import as_data_frame
from evals.compare.view import ComparisonView, view
from evals.results import collect, models_of


@dataclass(frozen=True)
class EvaluationResults(Mapping[str, Mapping[Any, Any]]):
    """The stored results of one evaluation: `results["alpaca"]["M1"]`, of pairs `results["head-to-head"]["M2", "M1"]`.

    `folder` is that of the run.
    """

    folder: Path
    results: tuple[Any, ...]

    def __getitem__(self, suite: str) -> Mapping[Any, Any]:
        found = {models_of(one): one for one in self.results if one.suite == suite}
        if not found:
            raise KeyError(suite)
        return {models if len(models) > 1 else models[0]: one for models, one in found.items()}

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(one.suite for one in self.results))

    def __len__(self) -> int:
        return len({one.suite for one in self.results})

    @property
    def models(self) -> list[str]:
        """Return each model that has a result, once."""
        return model_names(self.results)

    def comparisons(self) -> list[ComparisonView]:
        """Compare the models that have results of the same suites; then the ways in which one model judged."""
        ways = ablations(self.results)
        further = {name for one in ways for name in one.models[1:]}
        groups: dict[frozenset[str], list[str]] = {}
        for name in self.models:
            if name not in further:
                groups.setdefault(frozenset(one.suite for one in self.results if name in models_of(one)), []).append(
                    name
                )
        results = collect(self.results)
        found = [compare_models(results, names, names[0], MUST_MATCH) for names in groups.values()]
        return [view(one) for one in (*found, *ways)]

    def _repr_html_(self) -> str:
        return "\n".join(one._repr_html_() for one in self.comparisons())

    def to_dict(self) -> dict[str, Any]:
        """Return the comparisons in the stable form of `srlm compare --format json`."""
        return {"schema": 1, "comparisons": [one.to_dict() for one in self.comparisons()]}

    def to_markdown(self) -> str:
        """Return the tables, captions and conclusions as Markdown."""
        return "\n\n".join(one.to_markdown() for one in self.comparisons())

    def to_pandas(self) -> Any:
        """Return a data frame with a row for each metric and model.

        Raises:
            UsageError: pandas is not installed.
        """
        return as_data_frame(self.comparisons())


def model_names(results: Sequence[Any]) -> list[str]:
    """Return each model that has a result, once; of a pair the opponent first."""
    return list(dict.fromkeys(name for one in results for name in reversed(models_of(one))))
