"""Single-answer grading, 1-10, of conversations of one or two turns, with or without reference answers.

The method is that of MT-Bench (arXiv 2306.05685, section 3.1 and appendix A), with prompts of our own. For a second
turn the judge sees the whole conversation and grades the second answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from srlm.inference import Caller
from srlm.judges.injection import find_all_injections
from srlm.judges.parse import read_rating
from srlm.judges.rubric import Rubric, load_scaled
from srlm.strip_reasoning import thoughts_of
from srlm.types import Answer, Failed, Message, Request, Sampling, Verdict

TURNS = ("one", "two")
PROMPTS = ("grade-first", "grade-second")
MT_BENCH = Sampling(temperature=0.0, top_p=1.0, max_tokens=2048)
"""Sampling of MT-Bench's judge: greedy decoding, with enough tokens for a long explanation."""


@dataclass(frozen=True)
class Conversation:
    """Questions and a model's answers, turn by turn. The last answer is graded."""

    questions: tuple[str, ...]
    answers: tuple[Answer, ...]
    references: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse a conversation that does not have one or two complete turns.

        Raises:
            ValueError: questions, answers and references differ in number, or there are more than two turns.
        """
        if not 1 <= self.turn <= len(TURNS) or len(self.answers) != self.turn:
            raise ValueError("a conversation has one or two turns, each a question with an answer")
        if self.references is not None and len(self.references) != self.turn:
            raise ValueError("a conversation has a reference for every turn, or none at all")

    @property
    def turn(self) -> int:
        """The number of the graded turn, from 1."""
        return len(self.questions)

    @property
    def slots(self) -> dict[str, str]:
        """The texts by the names of the prompt's slots."""
        texts: dict[str, str] = {}
        for name, question, answer in zip(TURNS, self.questions, self.answers, strict=False):
            texts |= {f"question_{name}": question, f"answer_{name}": answer.text}
        for name, reference in zip(TURNS, self.references or (), strict=False):
            texts[f"reference_{name}"] = reference
        return texts


@dataclass(frozen=True)
class GradingJudge:
    """A judge that grades conversations."""

    sampling: Sampling = MT_BENCH

    def rubric(self, item: Conversation) -> Rubric:
        """Return the prompt for a conversation of this form."""
        reference = "-reference" if item.references is not None else ""
        return load_scaled(f"{PROMPTS[item.turn - 1]}{reference}", item.slots)


def grade(judge: GradingJudge, caller: Caller, items: Sequence[Conversation], *, label: str) -> list[Verdict]:
    """Grade the last answer of each conversation; return one verdict each, in order."""
    rubrics = [judge.rubric(item) for item in items]
    requests = [
        Request((Message("user", rubric.fill(**item.slots)),), judge.sampling)
        for rubric, item in zip(rubrics, items, strict=True)
    ]
    replies = caller.ask(requests, label)
    return [
        Verdict(
            id=f"{item.answers[-1].id}-v0",
            judge=caller.engine.name,
            rubric=rubric.label,
            answer_ids=(item.answers[-1].id,),
            reading=reply if isinstance(reply, Failed) else read_rating(reply, rubric.scale),
            call=key[:16],
            injection_suspected=find_all_injections(item.answers, rubric),
            thoughts=thoughts_of(reply),
        )
        for item, rubric, (key, reply) in zip(items, rubrics, replies, strict=True)
    ]
