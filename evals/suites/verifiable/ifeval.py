"""IFEval benchmark (arXiv 2311.07911): 541 prompts with 834 instructions, checked by lm-eval's own code.

The prompts come from the Hub, or from a file (in a folder: ifeval.jsonl) with the same fields: key, prompt,
instruction_id_list, kwargs. Two of lm-eval's checks are random, and are seeded here so that the same answer always gets
the same result: langdetect guesses languages with random numbers, and where the letter to count is no letter (in two of
the prompts) the checker draws one.

Two kinds of instructions, in 64 of the prompts, are checked with NLTK's sentence splitter, whose data lm-eval
downloads. Without it those prompts cannot be checked. Leaving them out would be another benchmark, so it is refused.
"""

import io
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Any

from evals.generate import choose_prompts
from evals.suites.verifiable.benchmark import CheckedBenchmark, CheckedPrompt, CheckResult
from srlm.errors import MissingData
from srlm.json_files import SUFFIXES, Row, UniqueKeys, read_or_fetch, read_rows
from srlm.optional_deps import require
from srlm.seeding import derive_seed
from srlm.types import Prompt

HUB = "google/IFEval"
IFEVAL = "ifeval"
"""The name of its file in a folder with the data of several benchmarks."""
MAX_TOKENS = 1280
"""As in lm-eval's task."""
SPLITTER = "punkt_tab"
NEED_SPLITTER = frozenset({"length_constraints:number_sentences", "change_case:capital_word_frequency"})


def ifeval_benchmark(place: str | None, limit: int | None) -> CheckedBenchmark:
    """Load IFEval, of which `limit` prompts are used, from a file, a folder or a name on the Hub, else from `HUB`.

    Raises:
        MissingDependency: lm-eval, or a library that its checks need, is not installed.
        DataError: the prompts cannot be read, or lm-eval cannot check one of them; it is named.
        MissingData: a chosen prompt needs NLTK's sentence splitter, and its data is missing.
    """
    for library in ("lm_eval", "langdetect", "immutabledict", "nltk"):
        require(library, "IFEval", "nlp")
    checker = _checker()
    items = _items(_read(place or HUB), checker)
    chosen = choose_prompts([item.prompt for item in items.values()], limit)
    used = tuple(items[prompt.id] for prompt in chosen)
    _require_splitter(used)

    def check(item: CheckedPrompt, answer: str) -> CheckResult:
        with _seeded(item):
            found = checker.process_results(_document(item), [answer])
        return CheckResult(tuple(found["inst_level_strict_acc"]), tuple(found["inst_level_loose_acc"]))

    return CheckedBenchmark("ifeval", f"lm-eval {version('lm_eval')}", used, MAX_TOKENS, check)


def _checker() -> Any:
    """Import lm-eval's module, which tries to download the splitter and prints that it did, even if it failed."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        from lm_eval.tasks.ifeval import utils
    from langdetect import DetectorFactory

    DetectorFactory.seed = 0
    return utils


def _read(place: str) -> list[Row]:
    def fetch() -> list[Row]:
        require("datasets", "Reading IFEval from the Hub", "nlp")
        import datasets

        rows = datasets.load_dataset(place, split="train")
        return [Row(Path(place), "record", number, dict(row)) for number, row in enumerate(rows, start=1)]

    advice = f"Download {HUB} where there is a network, and give the file with --data FILE."
    return read_or_fetch(place, _read_local, fetch, advice)


def _read_local(path: Path) -> list[Row]:
    """Read the rows of a file, or of IFEval's file in a folder."""
    if not path.is_dir():
        return read_rows(path)
    names = [f"{IFEVAL}{suffix}" for suffix in SUFFIXES]
    return read_rows(next((path / name for name in names if (path / name).is_file()), path / f"{IFEVAL}.jsonl"))


def _items(rows: Sequence[Row], checker: Any) -> dict[str, CheckedPrompt]:
    """Return the items by the id of their prompt, each tested with lm-eval's checker."""
    once = UniqueKeys()
    items: dict[str, CheckedPrompt] = {}
    for row in rows:
        item = _item(row)
        once.add(row, item.prompt.id, f"the key {row.data['key']}")
        try:
            checker.process_results(_document(item), [""])  # of an empty answer only the arguments are looked at
        except Exception as error:  # whatever lm-eval's thirty classes raise on arguments that they do not know
            raise row.error(f"lm-eval cannot check this prompt ({type(error).__name__}: {error}).") from None
        items[item.prompt.id] = item
    return items


def _item(row: Row) -> CheckedPrompt:
    names, arguments = row.data.get("instruction_id_list"), row.data.get("kwargs")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise row.error("the field instruction_id_list must be a list of names.")
    if not isinstance(arguments, list) or not all(isinstance(one, dict) for one in arguments):
        raise row.error("the field kwargs must be a list of objects.")
    if len(arguments) != len(names):
        raise row.error(f"{len(names)} instructions have {len(arguments)} kwargs.")
    if not isinstance(row.data.get("key"), int | str):
        raise row.error("the field key must be a number or a name.")
    given = tuple({name: value for name, value in one.items() if value is not None} for one in arguments)
    prompt = Prompt(f"ifeval-{row.data['key']}", row.text("prompt"), "evaluation")
    return CheckedPrompt(prompt, tuple(names), given)


def _document(item: CheckedPrompt) -> dict[str, Any]:
    """Return an item in lm-eval's form."""
    return {
        "key": item.prompt.id,
        "prompt": item.prompt.instruction,
        "instruction_id_list": list(item.instructions),
        "kwargs": list(item.arguments),
    }


def _require_splitter(items: Sequence[CheckedPrompt]) -> None:
    import nltk

    need = sum(not NEED_SPLITTER.isdisjoint(item.instructions) for item in items)
    if not need:
        return
    try:
        nltk.data.find(f"tokenizers/{SPLITTER}")
    except LookupError:
        raise MissingData(
            f"{need} of the {len(items)} prompts of IFEval are checked with NLTK's sentence splitter, whose data "
            f"{SPLITTER} is not here and could not be downloaded. Where there is a network, run: "
            f"python -m nltk.downloader -d FOLDER {SPLITTER}  and set NLTK_DATA=FOLDER here."
        ) from None


@contextmanager
def _seeded(item: CheckedPrompt) -> Iterator[None]:
    """Seed the global random numbers by the item, and restore their state afterwards."""
    before = random.getstate()
    random.seed(derive_seed("ifeval", item.prompt.id))
    try:
        yield
    finally:
        random.setstate(before)
