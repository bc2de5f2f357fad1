"""The records of srlm. This file is the architecture: each step of a training or an evaluation maps one to the next.

    training:    Prompt -> Answer (N candidates) -> Verdict -> Reward -> PreferencePair -> DPO
    evaluation:  Prompt -> Answer (one per model) -> Verdict -> Outcome -> metrics (evals.metric)

Every record is a frozen dataclass and goes to JSON and back (`srlm.jsonl`). It has an id, the ids of its parents and a
schema version. Ids are readable paths: `M2-p0007` is the eighth new prompt in the training of M2, `M2-p0007-c2` its
third candidate, `M2-p0007-c2-v0` the first verdict on that candidate. `call` is the key of the ledger's entry.

A verdict has one of three forms and never a magic number: `Scored`, `Unparsed` (the judge's reply cannot be read) or
`Failed` (there is no reply). The last two never become a score, a tie, a loss, or half of a pair.
"""

from dataclasses import dataclass, field
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

SCHEMA = 1


# --- calls of models --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


def read_context(value: Any) -> Any:
    """Return the messages before an instruction as they are given; none for null and for an empty text.

    Raises:
        ValueError: it is text, as in data sets where `context` is a passage that belongs to the question.
    """
    if isinstance(value, str) and value.strip():
        raise ValueError(
            "must be a list of messages with role and content. A text that belongs to the instruction goes into the "
            "instruction, or into the field input of demonstrations"
        )
    return value or ()


def check_context(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return the messages before an instruction if they can be: a system message or none, then whole exchanges.

    Raises:
        ValueError: the turns do not alternate between user and assistant, or do not end with the assistant's.
    """
    turns = messages[1:] if messages and messages[0].role == "system" else messages
    for number, message in enumerate(turns):
        expected = "assistant" if number % 2 else "user"
        if message.role != expected:
            position = number + 1 + len(messages) - len(turns)
            raise ValueError(
                f"message {position} is of the role {message.role}, and {expected} is expected: a system message may "
                "come first, then user and assistant alternate"
            )
    if len(turns) % 2:
        raise ValueError("the last message is the user's, and the assistant's answer to it is missing")
    return messages


Context = Annotated[tuple[Message, ...], BeforeValidator(read_context), AfterValidator(check_context)]
"""The messages before an instruction: a system message, and earlier turns that end with the assistant's."""


@dataclass(frozen=True)
class Sampling:
    """Sampling parameters. Temperature 0 is greedy decoding; `top_p` is the probability mass of nucleus sampling."""

    temperature: float
    top_p: float
    max_tokens: int
    stop: tuple[str, ...] = ()


GREEDY = Sampling(temperature=0.0, top_p=1.0, max_tokens=1)


@dataclass(frozen=True)
class Request:
    """One call of a model: everything that determines its reply.

    `prefill` is the beginning of the assistant's turn, which the model continues. With `choices` no text is sampled:
    the reply has the probability of each choice as the next words, renormalised over the choices. A model behind a
    server may reason first, and then name a choice in words, if `sampling` allows more than one token.
    """

    messages: tuple[Message, ...]
    sampling: Sampling = GREEDY
    seed: int = 0
    sample: int = 0
    prefill: str = ""
    choices: tuple[str, ...] = ()


Finish = Literal["stop", "length", "cut"]
"""End of a text: complete, at `max_tokens`, or cut by the server for another reason, such as a content filter."""


@dataclass(frozen=True)
class Completion:
    """A model's reply.

    `text` is the answer without reasoning. `thoughts` is the reasoning before it, with its tags. `written` is all text
    that the model generated, if that is not `thoughts` followed by `text`. `probabilities` are those of the request's
    choices; `mass` is their sum before they were renormalised, None if unknown.
    """

    text: str
    finish: Finish
    prompt_tokens: int
    completion_tokens: int
    probabilities: tuple[float, ...] | None = None
    thoughts: str = ""
    written: str | None = None
    mass: float | None = None


@dataclass(frozen=True)
class Failed:
    """A call without a reply: refused, timed out or broken. It is never cached, and repeated by the next command."""

    reason: str
    kind: Literal["failed"] = "failed"


Reply = Completion | Failed


# --- verdicts ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scored:
    """A parsed verdict: its value on the rubric's scale, and the judge's reply."""

    value: float
    text: str
    probabilities: tuple[float, ...] | None = None
    kind: Literal["scored"] = "scored"


@dataclass(frozen=True)
class Unparsed:
    """A reply of the judge from which no score can be read without guessing."""

    text: str
    reason: str
    kind: Literal["unparsed"] = "unparsed"


@dataclass(frozen=True)
class InjectionFlag:
    """A suspected prompt injection: the characters from start to end of a judged answer.

    `kind` is the kind of pattern, such as "verdict" for the judge's own output format (`srlm.judges.injection`).
    """

    answer_id: str
    kind: str
    start: int
    end: int


ParsedVerdict = Annotated[Scored | Unparsed | Failed, Field(discriminator="kind")]


# --- records of a run -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prompt:
    """An instruction. `parents` are the ids of its few-shot examples.

    `context` is what comes before the instruction in its conversation: a system message, and earlier turns that end
    with the assistant's. The instruction is the last turn, the user's.
    `category`, `complexity` and `expected_length` are the labels of the paper's Figures 9 and 10. `origin` is the
    position of a prompt of the user's own in its file (source "file").
    """

    id: str
    instruction: str
    source: Literal["seed", "generated", "evaluation", "file"]
    parents: tuple[str, ...] = ()
    kind: str | None = None
    category: str | None = None
    complexity: int | None = None
    expected_length: str | None = None
    reference: str | None = None
    call: str | None = None
    schema: int = SCHEMA
    context: Context = ()
    origin: str | None = None


@dataclass(frozen=True)
class Demonstration:
    """An instruction with a good answer: an example of instruction fine-tuning (IFT). `context` as in `Prompt`."""

    id: str
    instruction: str
    response: str
    kind: str | None = None
    schema: int = SCHEMA
    context: Context = ()


@dataclass(frozen=True)
class SFTExample:
    """A supervised fine-tuning example: of IFT, of EFT, or a best answer. The loss is on the completion alone.

    `score` is that of the judgement which an EFT example teaches. `written` is the full generated text, with the
    reasoning before the completion, where that is trained on too. `context` is that of a `Prompt`, before `prompt`.
    """

    id: str
    source: str
    prompt: str
    completion: str
    score: int | None = None
    schema: int = SCHEMA
    written: str | None = None
    context: Context = ()


def read_rank(value: Any) -> Any:
    """Return a rank as it is stored: whole numbers as int, so that 1 and 1.0 are the same rank.

    Raises:
        ValueError: it is not finite.
    """
    if isinstance(value, float) and not isfinite(value):
        raise ValueError("a rank must be a number")
    return int(value) if isinstance(value, str | float) and float(value).is_integer() else value


@dataclass(frozen=True)
class RankedAnswer:
    """One of several answers to an instruction. Rank 0 is the best; `score` and `rationale` are a judge's, if any.

    Only the order of ranks counts. Ties may have their mean rank, such as 1.5.
    """

    text: str
    rank: Annotated[int | float, BeforeValidator(read_rank)]
    score: Annotated[int, Field(ge=0, le=5)] | None = None
    rationale: str | None = None


@dataclass(frozen=True)
class RankedPrompt:
    """An instruction with answers ranked by people: an example of EFT, and test data of a judge.

    `context` as in `Prompt`. `scale` is that of the answers' scores, as a rubric has it.
    """

    id: str
    instruction: str
    answers: tuple[RankedAnswer, ...]
    split: Literal["train", "validation"] = "train"
    kind: str | None = None
    schema: int = SCHEMA
    context: Context = ()
    scale: str = field(default="0-5", repr=False)  # digests of earlier results are of the text of the other fields

    def __post_init__(self) -> None:
        """Refuse answers that all have the same rank.

        Raises:
            ValueError: there are no two answers of different rank.
        """
        if len({answer.rank for answer in self.answers}) < 2:
            raise ValueError("at least two answers of different rank are needed")


@dataclass(frozen=True)
class Answer:
    """A model's answer to a prompt: one of N candidates in training, the only one in an evaluation.

    `thoughts` and `written` are those of its `Completion`: stored and shown, never judged or counted in a length.
    """

    id: str
    prompt_id: str
    model: str
    text: str
    finish: Finish
    sample: int = 0
    call: str | None = None
    schema: int = SCHEMA
    thoughts: str = ""
    written: str | None = None


@dataclass(frozen=True)
class Verdict:
    """One judgement of one answer (pointwise) or of two, in the order shown (pairwise). `reading` is the parsed reply.

    `thoughts` is the judge's reasoning before its reply, which is not parsed. `mass` is that of its `Completion`.
    `vetoed_by` is that of a `Reward`, where a combination of sources is measured as one judge.
    """

    id: str
    judge: str
    rubric: str
    answer_ids: tuple[str, ...]
    reading: ParsedVerdict
    sample: int = 0
    call: str | None = None
    injection_suspected: tuple[InjectionFlag, ...] = ()
    schema: int = SCHEMA
    thoughts: str = ""
    mass: float | None = None
    vetoed_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reward:
    """The mean of the parsed verdicts on one answer; None without one.

    `spread` is their range or, for a single verdict that is an expectation, the standard deviation of its distribution.
    `scored`, `unparsed` and `failed` count the verdicts. Of several sources it is their weighted mean
    (`srlm.rewards.combine`); those in `vetoed_by` forbid to choose the answer.
    """

    answer_id: str
    value: float | None
    spread: float | None
    scored: int
    unparsed: int
    failed: int
    verdict_ids: tuple[str, ...] = field(default=())
    vetoed_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class PreferencePair:
    """A training example of DPO. `context` is that of a `Prompt`, before `prompt`."""

    id: str
    prompt_id: str
    prompt: str
    chosen_id: str
    chosen: str
    chosen_reward: float
    rejected_id: str
    rejected: str
    rejected_reward: float
    reason: str
    schema: int = SCHEMA
    context: Context = ()


@dataclass(frozen=True)
class Dropped:
    """A prompt without a training pair, or a new instruction refused by a filter, with the reason."""

    id: str
    reason: str
    detail: str = ""
    schema: int = SCHEMA


@dataclass(frozen=True)
class Outcome:
    """A model's answer compared with its opponent's on one prompt.

    `preference` is the judge's probability that the model's answer is better, the mean of both orders of presentation;
    None if either order has no parsed verdict. `orders` are the two single values. Lengths are in characters.
    """

    prompt_id: str
    model: str
    opponent: str
    preference: float | None
    orders: tuple[float | None, float | None]
    length: int
    opponent_length: int
    verdict_ids: tuple[str, ...]
    schema: int = SCHEMA
