"""Labelled preference pairs: the test data of a judge.

    (none given)    the held-out part of srlm's packaged seed data
    FILE            JSON or JSON Lines, plain or gzip, with one of these kinds of records:
                      input, output_1, output_2, label (1 or 2)      LLMBar (arXiv 2310.07641)
                      prompt, chosen, rejected                       RewardBench, TRL; as text or messages
                      instruction, answers (text, rank)              srlm's own eft.jsonl
    FOLDER          such files; each is a subset with its own agreement in the judge card

Of a file of srlm's own with a validation split, only that split is used: a judge may have been trained on the rest. In
a folder, hidden files and files whose first record is no pair (README.json) are skipped, with a message.
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
    """Instructions with ranked answers, in one subset per file.

    `skipped` are the names of the folder's files without pairs.
    """

    name: str
    subsets: dict[str, tuple[RankedPrompt, ...]]
    skipped: tuple[str, ...] = ()

    @property
    def skipped_message(self) -> str | None:
        """A sentence about the skipped files; None without any."""
        if not self.skipped:
            return None
        more = f" and {len(self.skipped) - 4} more" if len(self.skipped) > 4 else ""
        return f"Skipped files without labelled pairs: {', '.join(self.skipped[:4])}{more}."

    @property
    def digest(self) -> str:
        """The first 12 hexadecimal digits of the SHA-256 of all texts and ranks."""
        texts = [
            (prompt.instruction, [(answer.rank, answer.text) for answer in prompt.answers], *prompt.context)
            for prompts in self.subsets.values()
            for prompt in prompts
        ]
        return digest_of(repr(texts))

    def matches(self, limit: int | None) -> list[tuple[str, Match]]:
        """Return (subset, pair), the better answer first; at most `limit`, spread over subsets and instructions."""
        by_subset = [[(name, match) for match in labelled_matches(one)] for name, one in self.subsets.items()]
        spread = [pair for turn in zip_longest(*by_subset) for pair in turn if pair is not None]
        return spread[:limit]


def labelled_matches(ranked: Sequence[RankedPrompt], limit: int | None = None) -> list[Match]:
    """Return pairs of answers of different rank, the better first; at most `limit`, spread over instructions."""
    of_prompt = [_pairs(prompt) for prompt in ranked]
    return [pair for turn in zip_longest(*of_prompt) for pair in turn if pair is not None][:limit]


def _pairs(prompt: RankedPrompt) -> list[Match]:
    """Return the pairs of one instruction in an order that is independent of rank."""
    places = sorted(range(len(prompt.answers)), key=lambda place: prompt.answers[place].rank)
    pairs = [(a, b) for a, b in combinations(places, 2) if prompt.answers[a].rank != prompt.answers[b].rank]
    pairs.sort(key=lambda pair: derive_seed("card", prompt.id, *(prompt.answers[place].text for place in pair)))
    answers = [
        Answer(f"{prompt.id}-a{place}", prompt.id, "label", answer.text, "stop")
        for place, answer in enumerate(prompt.answers)
    ]
    return [
        Match(f"card-{prompt.id}-{number}", prompt.instruction, answers[better], answers[worse], prompt.context)
        for number, (better, worse) in enumerate(pairs)
    ]


def load_labelled(path: Path | None = None) -> LabelledSet:
    """Load labelled pairs from a file or a folder; by default the packaged ones.

    Raises:
        DataError: there is no such file, or a record is none of the kinds above; the message has its line.
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
        has = f"; it has {', '.join(one.name for one in sorted(path.iterdir())[:4])}" if any(path.iterdir()) else ""
        raise DataError(path, f"has no file of labelled pairs ({', '.join(SUFFIXES)}){has}.")
    return LabelledSet(path.resolve().name, subsets, tuple(passed))


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".jsonl").removesuffix(".json")


def _read(path: Path, rows: Sequence[Row]) -> tuple[RankedPrompt, ...]:
    prompts = tuple(_ranked(row, f"{_stem(path)}-{row.number:04d}") for row in rows)
    held_out = tuple(prompt for prompt in prompts if prompt.split == "validation")
    return held_out or prompts


def _has_pairs(row: Row) -> bool:
    """Return True if a record has a field of one of the kinds, even if it is malformed."""
    return bool({"answers", "output_1", "chosen", "rejected"} & row.data.keys())


def _ranked(row: Row, identifier: str) -> RankedPrompt:
    """Convert a record of any of the three kinds."""
    if "answers" in row.data:
        try:
            return _RANKED.validate_python({**row.data, "id": identifier})
        except (ValidationError, OverflowError) as error:
            raise row.error_with_hint(f"{explain(error)}.") from None
    if "output_1" in row.data:
        label = row.data.get("label")
        if label not in (1, 2) or isinstance(label, bool):
            raise row.error("the field label must be 1 or 2, the number of the better output.")
        outputs = row.text("output_1"), row.text("output_2")
        better, worse = outputs if label == 1 else outputs[::-1]
        return _pair(row, identifier, row.text("input"), better, worse)
    if "chosen" in row.data:
        (asked, chosen), (asked_too, rejected) = answer_in(row, "chosen"), answer_in(row, "rejected")
        known = asked is not None and asked == asked_too
        instruction = asked if known and asked and "prompt" not in row.data else question_in(row, "prompt")
        return _pair(row, identifier, instruction, chosen, rejected)
    raise row.error_with_hint(
        "is not a labelled pair. Expected are input, output_1, output_2 and label, or prompt, chosen and rejected, or "
        "instruction and answers."
    )


def _pair(row: Row, identifier: str, instruction: str, better: str, worse: str) -> RankedPrompt:
    if better == worse:
        raise row.error("both answers have the same text, so neither is better.")
    return RankedPrompt(identifier, instruction, (RankedAnswer(better, 0), RankedAnswer(worse, 1)), "train")
