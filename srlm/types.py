"""What flows through srlm. This file is the architecture: everything else turns one of these into the next.

    trainer:  Prompt -> Answer (N candidates) -> Verdict -> Reward -> PreferencePair
    evals:    Prompt -> Answer -> Verdict -> Outcome -> (evals.compare.comparison)

Every record is frozen, goes to JSON and back (`srlm.jsonl`), and carries its own id, its parents' ids and a schema
version. Ids are readable paths, so that a person can follow them: `M2-p0007` is the eighth new prompt on the way to
M2, `M2-p0007-c2` its third candidate, `M2-p0007-c2-v0` the first verdict on that.

A verdict is one of three things and never a magic number: `Scored`, `Unparsed` (the judge answered, we could not read
it) or `Failed` (no answer came). The last two never become a score, a tie, a loss, or half of a pair.
"""

from dataclasses import dataclass, field
from math import isfinite
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

SCHEMA = 1


# --- what goes to a model and comes back ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Sampling:
    """How text is drawn. Temperature 0 is greedy; `top_p` keeps the smallest set of tokens with that mass."""

    temperature: float
    top_p: float
    max_tokens: int
    stop: tuple[str, ...] = ()


GREEDY = Sampling(temperature=0.0, top_p=1.0, max_tokens=1)


@dataclass(frozen=True)
class Request:
    """One call of one model: the whole of what determines its answer.

    `prefill` begins the assistant's turn, the model goes on from there. With `choices` no text is drawn: the reply
    holds the probability of each choice as the next words, renormalised over the choices. A `sampling` of more than
    one token leaves a model behind a server room to think before it names a choice in words.
    """

    messages: tuple[Message, ...]
    sampling: Sampling = GREEDY
    seed: int = 0
    sample: int = 0
    prefill: str = ""
    choices: tuple[str, ...] = ()


Finish = Literal["stop", "length", "cut"]
"""How a text ended: by itself, at `max_tokens`, or cut by the server for another reason, such as a content filter."""


@dataclass(frozen=True)
class Completion:
    """What a model answered.

    `text` is the answer alone. `thoughts` are what a reasoning model wrote before it, with the marks that it put around
    them; `written` is the whole where that is not `thoughts` and `text` one after the other. `mass` is the probability
    of all choices together, before `probabilities` were renormalised over them; None where nobody knows it.
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
    """No answer came: the call was refused, timed out or broke. Retried by the next run, never stored as an answer."""

    reason: str
    kind: Literal["failed"] = "failed"


Reply = Completion | Failed


# --- what a judge says ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scored:
    """A verdict that could be read: its value on the rubric's scale and the judge's own words."""

    value: float
    text: str
    probabilities: tuple[float, ...] | None = None
    kind: Literal["scored"] = "scored"


@dataclass(frozen=True)
class Unparsed:
    """The judge answered, but no score can be read from it without guessing."""

    text: str
    reason: str
    kind: Literal["unparsed"] = "unparsed"


@dataclass(frozen=True)
class InjectionFlag:
    """A piece of a judged text that speaks to the judge, not to the reader: the characters start to end of the answer.

    `kind` names what it looks like, such as "verdict" for the judge's own output format.
    """

    answer_id: str
    kind: str
    start: int
    end: int


ParsedVerdict = Annotated[Scored | Unparsed | Failed, Field(discriminator="kind")]


# --- what a run is made of --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prompt:
    """An instruction. `parents` are the ids of its few shots; the labels are those of the paper's Figures 9 and 10."""

    id: str
    instruction: str
    source: Literal["seed", "generated", "evaluation"]
    parents: tuple[str, ...] = ()
    kind: str | None = None
    category: str | None = None
    complexity: int | None = None
    expected_length: str | None = None
    reference: str | None = None
    call: str | None = None
    schema: int = SCHEMA


@dataclass(frozen=True)
class Demonstration:
    """An instruction with a good answer: one example of IFT, instruction fine-tuning."""

    id: str
    instruction: str
    response: str
    kind: str | None = None
    schema: int = SCHEMA


@dataclass(frozen=True)
class SFTExample:
    """A supervised fine-tuning example: of IFT, of EFT, or a best answer. The loss is on the completion alone.

    `score` is that of the judgement which an EFT example teaches. `written` is the full generated text, with the
    reasoning before the completion, where that is trained on too.
    """

    id: str
    source: str
    prompt: str
    completion: str
    score: int | None = None
    schema: int = SCHEMA
    written: str | None = None


def read_rank(value: Any) -> Any:
    """A rank as it is kept: whole numbers stay whole, so that 1 and 1.0 are one rank."""
    if isinstance(value, float) and not isfinite(value):
        raise ValueError("a rank must be a number")
    return int(value) if isinstance(value, str | float) and float(value).is_integer() else value


@dataclass(frozen=True)
class RankedAnswer:
    """One of several answers to an instruction: rank 0 is the best; score and rationale, where a judge wrote them.

    Only the order of ranks counts. Those of ties may be their mean, such as 1.5.
    """

    text: str
    rank: Annotated[int | float, BeforeValidator(read_rank)]
    score: Annotated[int, Field(ge=0, le=5)] | None = None
    rationale: str | None = None


@dataclass(frozen=True)
class RankedPrompt:
    """An instruction with answers of known order: what EFT is made of, and what a judge is measured against."""

    id: str
    instruction: str
    answers: tuple[RankedAnswer, ...]
    split: Literal["train", "validation"] = "train"
    kind: str | None = None
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        """Refuse a prompt that ranks nothing."""
        if len({answer.rank for answer in self.answers}) < 2:
            raise ValueError("at least two answers of different rank are needed")


@dataclass(frozen=True)
class Answer:
    """What a model wrote for a prompt. In the trainer N of them are the candidates; in a suite there is one.

    `thoughts` and `written` are those of its `Completion`: kept and shown, never judged and never counted in a length.
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
    """What a judge said once, of one answer (pointwise) or of two in the order shown (pairwise).

    `thoughts` came before what it said, and are no part of the reading. `mass` is that of the choices it had.
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


@dataclass(frozen=True)
class Reward:
    """The mean of the verdicts on one answer that could be read; None when none could.

    `spread` is their range or, for the one verdict that is an expectation, the standard deviation of its distribution.
    """

    answer_id: str
    value: float | None
    spread: float | None
    scored: int
    unparsed: int
    failed: int
    verdict_ids: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class PreferencePair:
    """What DPO learns from. `prompt`, `chosen` and `rejected` are the columns that TRL reads."""

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


@dataclass(frozen=True)
class Dropped:
    """A prompt that gave no training pair, or a new instruction that a filter refused, and why."""

    id: str
    reason: str
    detail: str = ""
    schema: int = SCHEMA


@dataclass(frozen=True)
class Outcome:
    """One model's answer against the reference on one prompt.

    `preference` is the judge's probability that the model's answer is the better one, the mean of both orders of
    presentation; None when either order has no readable verdict. `orders` are the two single values.
    Lengths are in characters.
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
