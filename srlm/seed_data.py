"""Seed data and evaluation instructions by name: embedded in the package, a user's files, or Open Assistant.

    embedded              those written for srlm (docs/reference/data.md)
    FOLDER                ift.jsonl (demonstrations) and eft.jsonl (ranked answers), in any of the usual forms
    FILE                  such records of one kind or both, recognised by their fields (srlm/seed_files.py)
    hf:OWNER/NAME[:SPLIT] a data set on the Hub with such records
    oasst:FILE_OR_FOLDER  Open Assistant messages or trees as published, or a folder with instructions, ranked_train and
                          ranked_validation as .jsonl or .jsonl.gz (srlm/open_assistant.py)
    oasst:OWNER/NAME      a data set of the same format on the Hub
    puzzle:SEED           made by the checker of the puzzle task (docs/explain/puzzle.md); "puzzle" alone: seed 0
    sentences:SEED        made by the checker of the sentence task (docs/explain/sentences.md), in the same way
    countdown:SEED        made by the checker of Countdown, by the rule "exactly once" (docs/reference/data.md)
    integration:SEED      made of terms with known antiderivatives (docs/reference/data.md)

IFT uses first user turns with the reply that people ranked best (arXiv 2401.10020, section 3.1.1); EFT uses other first
turns with several ranked replies.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from srlm.countdown import seed_data as countdown
from srlm.countdown.task import COUNTDOWN
from srlm.data_tables import HUB
from srlm.errors import UnknownName
from srlm.integration import seed_data as integration
from srlm.integration.task import INTEGRATION
from srlm.jsonl import read_records
from srlm.open_assistant import read_open_assistant
from srlm.puzzle.seed_data import demonstrations, ranked
from srlm.puzzle.task import puzzle_seed
from srlm.seed_files import SeedRecords, read_seed_folder, read_seed_records
from srlm.seeding import seed_in_name
from srlm.sentences import seed_data as sentences
from srlm.sentences.task import SENTENCES
from srlm.types import Demonstration, Prompt, RankedPrompt

EMBEDDED = "embedded"


@dataclass(frozen=True)
class Seeds:
    """Human data: demonstrations for IFT, ranked answers for EFT, and ranked answers held out from training.

    `equal_pairs` counts pairs that were left out because their two answers are the same text.
    """

    ift: tuple[Demonstration, ...]
    eft: tuple[RankedPrompt, ...]
    validation: tuple[RankedPrompt, ...]
    equal_pairs: int = 0


def evaluation_set() -> list[Prompt]:
    """Return the embedded evaluation instructions, with labels and references; disjoint from the embedded seeds."""
    with as_file(files("srlm.data") / "eval.jsonl") as path:
        return read_records(path, Prompt)


def load_seeds(source: str) -> Seeds:
    """Load seed data by name.

    Raises:
        UnknownName: no such source.
        DataError: a file is missing, empty or malformed; the message has the line.
    """
    if source == EMBEDDED:
        with as_file(files("srlm.data")) as folder:
            return _of_user(read_seed_folder(folder))
    if source.startswith("oasst:"):
        return _divide(*read_open_assistant(source.removeprefix("oasst:")))
    if (seed := puzzle_seed(source)) is not None:
        return _divide(demonstrations(seed), ranked(seed))
    if (seed := seed_in_name(SENTENCES, source)) is not None:
        return _divide(sentences.demonstrations(seed), sentences.ranked(seed))
    if (seed := seed_in_name(COUNTDOWN, source)) is not None:
        return _divide(countdown.demonstrations(seed), countdown.ranked(seed))
    if (seed := seed_in_name(INTEGRATION, source)) is not None:
        return _divide(integration.demonstrations(seed), integration.ranked(seed))
    path = Path(source).expanduser()
    if source.startswith(HUB) or path.is_file():
        return _of_user(read_seed_records(source))
    if not path.is_dir():
        known = [
            EMBEDDED,
            "a folder with ift.jsonl and eft.jsonl",
            "a file of demonstrations or ranked answers",
            "hf:OWNER/NAME",
            "oasst:FILE",
            "oasst:OWNER/NAME",
            "puzzle:SEED",
            "sentences:SEED",
            "countdown:SEED",
            "integration:SEED",
        ]
        raise UnknownName("The seeds", source, known)
    return _of_user(read_seed_folder(path))


def _of_user(records: SeedRecords) -> Seeds:
    return _divide(records.demonstrations, records.ranked, records.equal_pairs)


def _divide(ift: Iterable[Demonstration], ranked: Iterable[RankedPrompt], equal_pairs: int = 0) -> Seeds:
    known = list(ranked)
    return Seeds(
        tuple(ift),
        tuple(prompt for prompt in known if prompt.split == "train"),
        tuple(prompt for prompt in known if prompt.split == "validation"),
        equal_pairs,
    )
