"""Pairs of answers whose order people have labelled: what a judge is measured on.

    (nothing)       the held-out part of the seeds that ship with srlm
    FILE            JSON or JSON Lines, plain or gzip, of one of these kinds of record:
                      input, output_1, output_2, label (1 or 2)      LLMBar (arXiv 2310.07641)
                      prompt, chosen, rejected                       RewardBench, TRL; as text or messages
                      instruction, answers (text, rank)              srlm's own eft.jsonl
    FOLDER          such files; each is a subset, for which the card shows its own agreement

Where a file of srlm's own has a validation split, only that is taken: a judge may have been trained on the rest. In a
folder, hidden files and files whose first record is no pair (README.json) are passed over, and said to be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, zip_longest
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from srlm.conversations import answer_in, question_in
from srlm.digest import digest_of
from srlm.errors import DataError
from srlm.json_files import SUFFIXES, Row, read_rows
from srlm.jsonl import explain
from srlm.judges.pairwise import Match
from srlm.seed_data import EMBEDDED, load_seeds
from srlm.seeding import derive_seed
from srlm.types import Answer, RankedAnswer, RankedPrompt

_RANKED = TypeAdapter(RankedPrompt)


@dataclass(frozen=True)
class LabelledSet:
    """Instructions with answers of known order. `subsets` has them by the file that they came from.

    `passed_over` names the files of the folder that hold no pairs.
    """

    name: str
    subsets: dict[str, tuple[RankedPrompt, ...]]
    passed_over: tuple[str, ...] = ()

    @property
    def words(self) -> str | None:
        """What is to be said of the files that were passed over."""
        if not self.passed_over:
            return None
        some = f" and {len(self.passed_over) - 4} more" if len(self.passed_over) > 4 else ""
        return f"Passed over, as they hold no pairs: {', '.join(self.passed_over[:4])}{some}."

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
    pairs.sort(key=lambda pair: derive_seed("card", prompt.id, *(prompt.answers[place].text for place in pair)))
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
        return LabelledSet(_stem(path), {_stem(path): _read(path, read_rows(path))})
    files = sorted(one for one in path.iterdir() if one.is_file() and one.name.endswith(SUFFIXES))
    subsets: dict[str, tuple[RankedPrompt, ...]] = {}
    passed: list[str] = []
    for one in files:
        rows = [] if one.name.startswith(".") else read_rows(one)
        if rows and _has_pairs(rows[0]):
            subsets[_stem(one)] = _read(one, rows)
        else:
            passed.append(one.name)
    if not subsets:
        there = f"; it has {', '.join(one.name for one in sorted(path.iterdir())[:4])}" if any(path.iterdir()) else ""
        raise DataError(path, f"holds no file of labelled pairs ({', '.join(SUFFIXES)}){there}.")
    return LabelledSet(path.resolve().name, subsets, tuple(passed))


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".jsonl").removesuffix(".json")


def _read(path: Path, rows: Sequence[Row]) -> tuple[RankedPrompt, ...]:
    prompts = tuple(_ranked(row, f"{_stem(path)}-{row.number:04d}") for row in rows)
    held_out = tuple(prompt for prompt in prompts if prompt.split == "validation")
    return held_out or prompts


def _has_pairs(row: Row) -> bool:
    """Whether a record is meant as one of the kinds, right or wrong."""
    return bool({"answers", "output_1", "chosen", "rejected"} & row.data.keys())


def _ranked(row: Row, identifier: str) -> RankedPrompt:
    """A record of any of the three kinds."""
    if "answers" in row.data:
        try:
            return _RANKED.validate_python({**row.data, "id": identifier})
        except (ValidationError, OverflowError) as error:
            raise row.unlike(f"{explain(error)}.") from None
    if "output_1" in row.data:
        label = row.data.get("label")
        if label not in (1, 2) or isinstance(label, bool):
            raise row.wrong("the field label must be 1 or 2, the number of the better output.")
        outputs = row.text("output_1"), row.text("output_2")
        better, worse = outputs if label == 1 else outputs[::-1]
        return _pair(row, identifier, row.text("input"), better, worse)
    if "chosen" in row.data:
        (asked, chosen), (asked_too, rejected) = answer_in(row, "chosen"), answer_in(row, "rejected")
        known = asked is not None and asked == asked_too
        instruction = asked if known and asked and "prompt" not in row.data else question_in(row, "prompt")
        return _pair(row, identifier, instruction, chosen, rejected)
    raise row.unlike(
        "is no labelled pair: input, output_1, output_2 and label, or prompt, chosen and rejected, or instruction "
        "and answers are expected."
    )


def _pair(row: Row, identifier: str, instruction: str, better: str, worse: str) -> RankedPrompt:
    if better == worse:
        raise row.wrong("both answers are the same text, so neither can be the better one.")
    return RankedPrompt(identifier, instruction, (RankedAnswer(better, 0), RankedAnswer(worse, 1)), "train")
