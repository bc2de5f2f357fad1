"""Prompts of one turn, which the suites alpaca and head-to-head share: files, options, choice and sampling.

The file is alpaca_eval's model_outputs.json, plain or gzip, a JSON array or JSON Lines: a baseline's outputs become
the references. Without one the prompts are the packaged ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evals.generate import choose_prompts
from evals.options import LIMIT, Option, Preparation, max_tokens
from srlm.json_files import Row, UniqueKeys, read_or_fetch, read_rows
from srlm.optional_deps import require
from srlm.seed_data import evaluation_set
from srlm.types import Prompt, Sampling

HUB_FILE = "alpaca_eval_gpt4_baseline.json"
"""The 805 instructions with the outputs of AlpacaEval 2.0's baseline, in its data set."""

PROMPTS = Option(
    "prompts",
    str,
    "A baseline's model_outputs.json, or tatsu-lab/alpaca_eval for the 805 from the Hub; the packaged prompts, if not "
    "given.",
    metavar="FILE",
    content="model_outputs.json",
)
MAX_TOKENS = max_tokens("the run's")
ID_PREFIX = "alpaca-"


@dataclass(frozen=True)
class Output:
    """One record of model_outputs.json."""

    instruction: str
    output: str
    generator: str
    dataset: str = ""


def load_prompts(preparation: Preparation) -> list[Prompt]:
    """Load the prompts that the options name, and choose as many as they allow.

    Raises:
        DataError: the file or the data set cannot be read.
    """
    place = preparation.get(PROMPTS)
    return choose_prompts(prompts_of(outputs_at(place)) if place else evaluation_set(), preparation.get(LIMIT))


def sampling_of(preparation: Preparation) -> Sampling:
    """Return the run's sampling of answers, with the option's number of tokens."""
    config = preparation.run.config.candidate_sampling
    return Sampling(config.temperature, config.top_p, preparation.get(MAX_TOKENS) or config.max_tokens)


def prompts_of(outputs: Sequence[Output]) -> list[Prompt]:
    """Turn the baseline's outputs into prompts with references; sorting their ids gives the order of the file."""
    return [
        Prompt(numbered_id(place), one.instruction, "evaluation", category=one.dataset or None, reference=one.output)
        for place, one in enumerate(outputs, start=1)
    ]


def numbered_id(number: int) -> str:
    """Return the id of the prompt with a number, from 1, in the baseline's outputs."""
    return f"{ID_PREFIX}{number:04d}"


def number_of_id(prompt_id: str) -> int | None:
    """Return the number of a prompt in the baseline's outputs; None for ids of other prompts."""
    number = prompt_id.removeprefix(ID_PREFIX)
    return int(number) if number != prompt_id and number.isdecimal() else None


def outputs_at(place: str) -> list[Output]:
    """Read the outputs of a file, or of AlpacaEval's baseline in a data set of the Hub.

    Raises:
        DataError: there is neither, or a record is wrong.
    """

    def fetch() -> list[Output]:
        require("huggingface_hub", "Reading AlpacaEval from the Hub", "local")
        from huggingface_hub import hf_hub_download

        return read_outputs(Path(hf_hub_download(place, HUB_FILE, repo_type="dataset")))

    advice = (
        f"Download {HUB_FILE} of tatsu-lab/alpaca_eval where there is a network, and give the file with --prompts FILE."
    )
    return read_or_fetch(place, read_outputs, fetch, advice)


def read_outputs(path: Path) -> list[Output]:
    """Read one model's outputs, in the order of the file.

    Raises:
        DataError: a record lacks a field, or repeats an instruction.
    """
    once = UniqueKeys()
    found: list[Output] = []
    for record in read_rows(path):
        one = Output(
            record.text("instruction"),
            record.text("output"),
            optional_text(record, "generator"),
            optional_text(record, "dataset"),
        )
        once.add(record, one.instruction, "the instruction")
        found.append(one)
    return found


def optional_text(record: Row, name: str) -> str:
    """Return a field that a record may lack, empty where it does."""
    return record.text(name) if record.data.get(name) is not None else ""
