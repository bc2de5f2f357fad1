"""Pairs of answers whose order people have labelled: what a judge is measured on.

    (nothing)       the held-out part of the seeds that ship with srlm
    FILE            JSON or JSON Lines, plain or gzip, of one of these kinds of record:
                      input, output_1, output_2, label (1 or 2)      LLMBar (arXiv 2310.07641)
                      prompt, chosen, rejected                       RewardBench, TRL and others
                      instruction, answers (text, rank)              srlm's own eft.jsonl
    FOLDER          such files; each is a subset, for which the card shows its own agreement

Where a file of srlm's own has a validation split, only that is taken: a judge may have been trained on the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, zip_longest
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from srlm.digest import digest_of
from srlm.errors import DataError
from srlm.judges.pairwise import Match
from srlm.randomness import derive
from srlm.records import explain
from srlm.rows import SUFFIXES, Row, read_rows
from srlm.seeds import EMBEDDED, load_seeds
from srlm.types import Answer, RankedAnswer, RankedPrompt

_RANKED = TypeAdapter(RankedPrompt)


@dataclass(frozen=True)
class LabelledSet:
    """Instructions with answers of known order. `subsets` has them by the file that they came from."""

    name: str
    subsets: dict[str, tuple[RankedPrompt, ...]]

    @property
    def digest(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of all texts and ranks: tells sets of one name apart."""
        texts = [
            (prompt.instruction, [(answer.rank, answer.text) for answer in prompt.answers])
            for prompts in self.subsets.values()
            for prompt in prompts
        ]
        return digest_of(repr(texts))

    def matches(self, limit: int | None) -> list[tuple[str, Match]]:
        """Pairs with their subset, the better answer first; `limit` of them, spread over subsets and instructions."""
        by_subset = [[(name, match) for match in labelled_matches(one)] for name, one in self.subsets.items()]
        spread = [pair for turn in zip_longest(*by_subset) for pair in turn if pair is not None]
        return spread[:limit]


def labelled_matches(ranked: Sequence[RankedPrompt], limit: int | None = None) -> list[Match]:
    """Pairs of answers with different rank, the better one first; at most `limit`, spread evenly over instructions."""
    of_prompt = [_pairs(prompt) for prompt in ranked]
    return [pair for turn in zip_longest(*of_prompt) for pair in turn if pair is not None][:limit]


def _pairs(prompt: RankedPrompt) -> list[Match]:
    """The pairs of one instruction, in an order that has nothing to do with rank."""
    places = sorted(range(len(prompt.answers)), key=lambda place: prompt.answers[place].rank)
    pairs = [(a, b) for a, b in combinations(places, 2) if prompt.answers[a].rank != prompt.answers[b].rank]
    pairs.sort(key=lambda pair: derive("card", prompt.id, *(prompt.answers[place].text for place in pair)))
    answers = [
        Answer(f"{prompt.id}-a{place}", prompt.id, "label", answer.text, "stop")
        for place, answer in enumerate(prompt.answers)
    ]
    return [
        Match(f"card-{prompt.id}-{number}", prompt.instruction, answers[better], answers[worse])
        for number, (better, worse) in enumerate(pairs)
    ]


def load_labelled(path: Path | None = None) -> LabelledSet:
    """Labelled pairs out of a file or a folder; those that ship with srlm, if none is given.

    Raises:
        DataError: there is no such file, or a record is none of the kinds above; its line is named.
    """
    if path is None:
        return LabelledSet(EMBEDDED, {EMBEDDED: load_seeds(EMBEDDED).validation})
    if not path.is_dir():
        return LabelledSet(_stem(path), {_stem(path): _read(path)})
    found = sorted(one for one in path.iterdir() if one.is_file() and one.name.endswith(SUFFIXES))
    if not found:
        raise DataError(path, f"holds no file of labelled pairs ({', '.join(SUFFIXES)}).")
    return LabelledSet(path.resolve().name, {_stem(one): _read(one) for one in found})


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".jsonl").removesuffix(".json")


def _read(path: Path) -> tuple[RankedPrompt, ...]:
    prompts = tuple(_ranked(row, f"{_stem(path)}-{row.number:04d}") for row in read_rows(path))
    held_out = tuple(prompt for prompt in prompts if prompt.split == "validation")
    return held_out or prompts


def _ranked(row: Row, identifier: str) -> RankedPrompt:
    """A record of any of the three kinds."""
    if "answers" in row.data:
        try:
            return _RANKED.validate_python({**row.data, "id": identifier})
        except ValidationError as error:
            raise row.wrong(f"{explain(error)}.") from None
    if "output_1" in row.data:
        label = row.data.get("label")
        if label not in (1, 2) or isinstance(label, bool):
            raise row.wrong("the field label must be 1 or 2, the number of the better output.")
        outputs = row.text("output_1"), row.text("output_2")
        better, worse = outputs if label == 1 else outputs[::-1]
        return _pair(row, identifier, row.text("input"), better, worse)
    if "chosen" in row.data:
        return _pair(row, identifier, row.text("prompt"), row.text("chosen"), row.text("rejected"))
    raise row.wrong(
        "is no labelled pair: input, output_1, output_2 and label, or prompt, chosen and rejected, or instruction "
        "and answers are expected."
    )


def _pair(row: Row, identifier: str, instruction: str, better: str, worse: str) -> RankedPrompt:
    if better == worse:
        raise row.wrong("both answers are the same text, so neither can be the better one.")
    return RankedPrompt(identifier, instruction, (RankedAnswer(better, 0), RankedAnswer(worse, 1)), "train")
