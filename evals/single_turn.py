"""Prompts that get one answer, which the suites alpaca and head-to-head share: files, options, choice and sampling.

The file is alpaca_eval's model_outputs.json, plain or gzip, a JSON array or JSON Lines: a baseline's outputs become
the references. A record may also have `prompt`, or a conversation as `messages`: its last turn of the user is answered,
and an assistant's turn after that is the reference. Without a file the prompts are the packaged ones.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evals.generate import choose_prompts
from evals.options import LIMIT, Option, Preparation, max_tokens
from srlm.conversations import Question, asked_in
from srlm.json_files import Row, UniqueKeys, read_or_fetch, read_rows
from srlm.optional_deps import require
from srlm.seed_data import evaluation_set
from srlm.types import Message, Prompt, Sampling

HUB_FILE = "alpaca_eval_gpt4_baseline.json"
"""The 805 instructions with the outputs of AlpacaEval 2.0's baseline, in its data set."""

PROMPTS = Option(
    "prompts",
    str,
    "A baseline's model_outputs.json, also with messages, or tatsu-lab/alpaca_eval for the 805 from the Hub; the "
    "packaged prompts, if not given.",
    metavar="FILE",
    content="model_outputs.json",
)
MAX_TOKENS = max_tokens("the run's")
ID_PREFIX = "alpaca-"
MESSAGES = "messages_json"
"""The field of our model_outputs.json and annotations.json with the messages of a conversation, as JSON text.

It is text because alpaca_eval removes duplicate rows of a table, which pandas cannot do if a column has lists.
"""


@dataclass(frozen=True)
class Output:
    """One record of model_outputs.json. `output` is None in a file of prompts alone; `context` is that of `Prompt`."""

    instruction: str
    output: str | None
    generator: str
    dataset: str = ""
    context: tuple[Message, ...] = ()


def load_prompts(preparation: Preparation, *, answered: bool) -> list[Prompt]:
    """Load the prompts that the options name, and choose as many as they allow.

    Args:
        preparation: has the options.
        answered: refuse prompts without a reference.

    Raises:
        DataError: the file or the data set cannot be read, or a prompt lacks its reference.
    """
    place = preparation.get(PROMPTS)
    found = prompts_of(outputs_at(place, answered=answered)) if place else evaluation_set()
    return choose_prompts(found, preparation.get(LIMIT))


def sampling_of(preparation: Preparation) -> Sampling:
    """Return the run's sampling of answers, with the option's number of tokens."""
    config = preparation.run.config.candidate_sampling
    return Sampling(config.temperature, config.top_p, preparation.get(MAX_TOKENS) or config.max_tokens)


def prompts_of(outputs: Sequence[Output]) -> list[Prompt]:
    """Turn the baseline's outputs into prompts with references; sorting their ids gives the order of the file."""
    return [
        Prompt(
            numbered_id(place),
            one.instruction,
            "evaluation",
            category=one.dataset or None,
            reference=one.output,
            context=one.context,
        )
        for place, one in enumerate(outputs, start=1)
    ]


def numbered_id(number: int) -> str:
    """Return the id of the prompt with a number, from 1, in the baseline's outputs."""
    return f"{ID_PREFIX}{number:04d}"


def number_of_id(prompt_id: str) -> int | None:
    """Return the number of a prompt in the baseline's outputs; None for ids of other prompts."""
    number = prompt_id.removeprefix(ID_PREFIX)
    return int(number) if number != prompt_id and number.isdecimal() else None


def outputs_at(place: str, *, answered: bool = True) -> list[Output]:
    """Read the outputs of a file, or of AlpacaEval's baseline in a data set of the Hub.

    Raises:
        DataError: there is neither, or a record is wrong, or lacks its output where `answered` are expected.
    """

    def fetch() -> list[Output]:
        require("huggingface_hub", "Reading AlpacaEval from the Hub", "local")
        from huggingface_hub import hf_hub_download

        return read_outputs(Path(hf_hub_download(place, HUB_FILE, repo_type="dataset")))

    advice = (
        f"Download {HUB_FILE} of tatsu-lab/alpaca_eval where there is a network, and give the file with --prompts FILE."
    )
    return read_or_fetch(place, lambda path: read_outputs(path, answered=answered), fetch, advice)


def read_outputs(path: Path, *, answered: bool = True) -> list[Output]:
    """Read one model's outputs, in the order of the file.

    Raises:
        DataError: a record lacks a field, or repeats an instruction.
    """
    once = UniqueKeys()
    found: list[Output] = []
    for record in read_rows(path):
        question, answer = question_of_record(record)
        if "output" in record.data or (answered and answer is None):
            answer = _output(record)
        one = Output(
            question.instruction,
            answer,
            optional_text(record, "generator"),
            optional_text(record, "dataset"),
            question.context,
        )
        once.add(record, (one.context, one.instruction), "the instruction")
        found.append(one)
    return found


def _output(record: Row) -> str:
    if "output" not in record.data and "instruction" not in record.data:
        raise record.error(
            "the field output is missing, the reference answer that others are compared with. Give it, or end messages "
            "with the assistant's turn. The suite head-to-head needs none."
        )
    return record.text("output")


def question_of_record(record: Row) -> tuple[Question, str | None]:
    """Return the question of a record and, if its conversation has one, the answer. See `MESSAGES`.

    Raises:
        DataError: there is no question, or a wrong one.
    """
    if record.data.get(MESSAGES) is None:  # pandas writes null for a row that lacks the column
        return asked_in(record)
    try:
        messages = json.loads(record.text(MESSAGES))
    except (ValueError, RecursionError):
        raise record.error(f"the field {MESSAGES} must be a list of messages as JSON text.") from None
    return asked_in(replace(record, data={**record.data, "messages": messages}))


def messages_field(context: Sequence[Message], instruction: str) -> dict[str, str]:
    """Return the field with the messages of a conversation; no field for an instruction alone."""
    messages = [vars(one) for one in (*context, Message("user", instruction))]
    return {MESSAGES: json.dumps(messages, ensure_ascii=False)} if context else {}


def optional_text(record: Row, name: str) -> str:
    """Return a field that a record may lack, empty where it does."""
    return record.text(name) if record.data.get(name) is not None else ""
