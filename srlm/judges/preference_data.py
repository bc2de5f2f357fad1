"""Labelled preference pairs: the test data of a judge.

    (none given)    the held-out part of srlm's packaged seed data
    FILE            JSON or JSON Lines, plain or gzip, with the kinds of records of srlm/ranked_records.py: LLMBar's,
                    RewardBench's and TRL's pairs, and srlm's own eft.jsonl
    FOLDER          such files; each is a subset with its own agreement in the judge card

Of a file of srlm's own with a validation split, only that split is used: a judge may have been trained on the rest. In
a folder, hidden files and files whose first record is no pair (README.json) are skipped, with a message.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, zip_longest
from pathlib import Path

from srlm.digest import digest_of
from srlm.errors import DataError
from srlm.json_files import SUFFIXES, Row, read_rows
from srlm.judges.pairwise import Match
from srlm.ranked_records import has_ranking, ranked_prompt
from srlm.seed_data import EMBEDDED, load_seeds
from srlm.seeding import derive_seed
from srlm.types import Answer, RankedPrompt


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
        if rows and has_ranking(rows[0]):
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
    prompts = tuple(_pair(row, f"{_stem(path)}-{row.number:04d}") for row in rows)
    held_out = tuple(prompt for prompt in prompts if prompt.split == "validation")
    return held_out or prompts


def _pair(row: Row, identifier: str) -> RankedPrompt:
    """Convert a record.

    Raises:
        DataError: it is none of the kinds, or both answers are the same text.
    """
    prompt = ranked_prompt(row, identifier)
    if len({answer.text for answer in prompt.answers}) == 1:
        raise row.error("both answers have the same text, so neither is better.")
    return prompt
