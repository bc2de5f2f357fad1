"""Judges whose card is known beforehand, with the labelled pairs that they judge."""

from srlm.config.preferences import JudgeConfig
from srlm.console import Progress
from srlm.engines.engine import BatchResult
from srlm.inference import Caller
from srlm.judges.measure_judge_card import measure_judge_card
from srlm.judges.pointwise import configured_judge
from srlm.judges.preference_data import LabelledSet
from srlm.prices import FREE
from srlm.types import Completion, Failed, RankedAnswer, RankedPrompt

QUIET = Progress(quiet=True)
EXPECTED = configured_judge(JudgeConfig(scoring="expected"))
SAMPLED = configured_judge(JudgeConfig(scoring="sampled", samples=2))


class Judge:
    """P(the answer shown first is better) and a score, each by a function of the answers' texts.

    None fails. A string is what it says, word for word.
    """

    def __init__(self, prefer=None, grade=None, name="scripted", seconds=2.0, price=FREE):
        self.prefer, self.grade, self.name, self.seconds, self.price = prefer, grade, name, seconds, price
        self.identity, self.asked = f"identity of {name}", 0

    def plan(self, requests):
        return [[number] for number in range(len(requests))]

    def run(self, batches, on_progress=None):
        for number, batch in enumerate(batches):
            self.asked += len(batch)
            yield BatchResult(number, [self.reply(request) for request in batch], self.seconds)

    def reply(self, request):
        content = request.messages[0].content
        if "<answer_a>" not in content:
            return self.scored(request, self.grade(between(content, "response")))
        p = self.prefer(between(content, "answer_a"), between(content, "answer_b"))
        if p is None or isinstance(p, str):
            return said(p)
        return Completion("A" if p >= 0.5 else "B", "stop", 1, 1, (p, 1 - p))

    def scored(self, request, value):
        if value is None or isinstance(value, str):
            return said(value)
        if request.choices:
            return Completion(
                str(value), "stop", 1, 1, tuple(float(choice == str(value)) for choice in request.choices)
            )
        return Completion(f"It is so.\nScore: {value}", "stop", 1, 1)

    def close(self):
        pass


def said(words):
    return Failed("timeout") if words is None else Completion(words, "stop", 1, 1)


def between(content, tag):
    return content.split(f"<{tag}>\n")[1].split(f"\n</{tag}>")[0]


def ranked(count=12, answers=3, prefix="q"):
    """Instructions whose answers carry their rank in their words; the better, the shorter."""
    return tuple(
        RankedPrompt(
            f"{prefix}{i}",
            f"Question {prefix}{i}?",
            tuple(RankedAnswer(f"{prefix}{i} rank {r} " + "x" * r, r) for r in range(answers)),
        )
        for i in range(count)
    )


def rank_of(text):
    return int(text.split()[2])


def right(first, second):
    return float(rank_of(first) < rank_of(second))


def longer(first, second):
    return float(len(first) > len(second))


def always_first(first, second):
    return 1.0


def card(prefer, ledger, prompts=None, limit=100, **more):
    judge = prefer if isinstance(prefer, Judge) else Judge(prefer)
    labelled = LabelledSet("made", {"made": prompts or ranked()})
    return measure_judge_card(Caller(judge, ledger, "card", QUIET), labelled, limit=limit, **more)
