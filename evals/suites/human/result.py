"""Result of human annotation: a set of answer pairs with the votes on them, each in files of its own.

evals/human/M2~M1.json               the answer pairs of an annotation set
evals/human/M2~M1/ANNOTATOR.jsonl    one annotator's votes

A result is read from these files and never stored itself.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from evals.results import Provenance, file_stem, read_file
from evals.suites.human.votes import SWAPPED, AnnotationSet, Vote, latest_votes, read_votes
from srlm.jsonl import write_json
from srlm.runs import Run


@dataclass(frozen=True)
class HumanResult:
    """The latest votes of all annotators on two models' answers to the same prompts, of `model` against `opponent`."""

    model: str
    opponent: str
    provenance: Provenance
    annotation_set: AnnotationSet
    votes: tuple[Vote, ...]
    suite: str = "human"

    def swapped(self) -> "HumanResult":
        """Return the same result from the opponent's side; the annotation set stays as it was drawn."""
        other: dict[Literal["model", "opponent"], Literal["model", "opponent"]]
        other = {"model": "opponent", "opponent": "model"}
        votes = [replace(one, verdict=SWAPPED[one.verdict], left=other[one.left]) for one in self.votes]
        return replace(self, model=self.opponent, opponent=self.model, votes=tuple(votes))


def load_human_results(run: Run) -> list[HumanResult]:
    """Read the votes on each pair of models that has any.

    Raises:
        DataError: a file is damaged.
    """
    found = []
    for path in sorted((run.folder / "evals" / "human").glob("*.json")):
        annotation_set: AnnotationSet = read_file(path, AnnotationSet)
        pair = (annotation_set.model, annotation_set.opponent)
        drawn = {one.prompt_id for one in annotation_set.pairs}
        votes = [vote for file in sorted(votes_folder(run, pair).glob("*.jsonl")) for vote in read_votes(file)]
        latest = tuple(vote for vote in latest_votes(votes).values() if vote.prompt_id in drawn)
        if latest:
            provenance = Provenance("people", "blind choice of two", annotation_set.prompts, annotation_set.sampling)
            found.append(HumanResult(*pair, provenance, annotation_set, latest))
    return found


def save_annotation_set(run: Run, annotation_set: AnnotationSet) -> None:
    """Write the answer pairs that annotators are shown."""
    write_json(_path(run, (annotation_set.model, annotation_set.opponent)), asdict(annotation_set))


def load_annotation_set(run: Run, pair: tuple[str, str]) -> AnnotationSet | None:
    """Read the answer pairs that were drawn of two models, if any.

    Raises:
        DataError: the file is damaged.
    """
    path = _path(run, pair)
    found: AnnotationSet | None = read_file(path, AnnotationSet) if path.exists() else None
    return found


def votes_folder(run: Run, pair: tuple[str, str]) -> Path:
    """Return the folder of the votes on an annotation set, one file per annotator."""
    return run.folder / "evals" / "human" / file_stem(run, "human", *pair)


def _path(run: Run, pair: tuple[str, str]) -> Path:
    return run.folder / "evals" / "human" / f"{file_stem(run, 'human', *pair)}.json"
