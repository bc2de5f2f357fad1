"""A comparison that displays itself: as HTML in a notebook, as data, Markdown and a pandas data frame."""

import json
from dataclasses import dataclass, fields
from typing import Any

from evals.compare.comparison import Comparison
from evals.compare.export.data_frame import as_data_frame
from evals.compare.export.html import as_html
from evals.compare.export.json import as_json
from evals.compare.export.markdown import as_markdown


@dataclass(frozen=True)
class ComparisonView(Comparison):
    """A comparison with its displays."""

    def _repr_html_(self) -> str:
        return as_html(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the stable form of docs/reference/formats.md: what `srlm compare --format json` prints."""
        data: dict[str, Any] = json.loads(as_json(self))
        return data

    def to_markdown(self) -> str:
        """Return the tables, captions and conclusions as Markdown."""
        return as_markdown(self)

    def to_pandas(self) -> Any:
        """Return a data frame with a row for each metric and model.

        Raises:
            UsageError: pandas is not installed.
        """
        return as_data_frame([self])


def view(comparison: Comparison) -> ComparisonView:
    """Return a comparison with its displays."""
    return ComparisonView(**{one.name: getattr(comparison, one.name) for one in fields(comparison)})
