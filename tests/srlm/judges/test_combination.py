"""A combination as one judge: the arithmetic of a training, vetoes in the order of answers, and nothing asked twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.card_judges import QUIET, Judge, rank_of, ranked
from srlm.config import TrainConfig
from srlm.config.preferences import JudgeConfig
from srlm.config.rewards import RewardPart
from srlm.engines.engine import BatchResult
from srlm.errors import EngineError, UsageError
from srlm.inference import Caller
from srlm.judges.combination import Combination, load_combination, open_combination
from srlm.judges.measure_judge_card import measure_judge_card
from srlm.judges.pointwise import configured_judge, rewards, score
from srlm.judges.preference_data import LabelledSet
from srlm.prices import FREE
from srlm.rewards.combine import values_for_order
from srlm.rewards.source import reply_of
from srlm.types import Answer, Prompt, Reward, Scored, Unparsed

JUDGE = JudgeConfig(scoring="expected")
HERE = configured_judge(JudgeConfig())


class Source:
    """A source whose values are a function's of the answer's text."""

    price = FREE

    def __init__(self, name, value):
        self.name, self.value, self.asked = name, value, 0
        self.identity, self.label = f"identity of {name}", f"program:{name}"

    def plan(self, requests):
        return [[number] for number in range(len(requests))]

    def run(self, batches, on_progress=None):
        for number, batch in enumerate(batches):
            self.asked += len(batch)
            yield BatchResult(number, [reply_of(self.value(one.messages[-1].content)) for one in batch], 0.0)

    def close(self):
        pass


def combination(*named, weights=None):
    parts = [RewardPart(source=name, **(weights or {}).get(name, {})) for name, _ in named]
    return Combination("mine.yaml", parts, [source for _, source in named], JUDGE)


def ask(engine, ledger, texts):
    items = [(Prompt(f"p{n}", "Say it.", "evaluation"), Answer(f"a{n}", "p", "m", text, "stop")) for n, text in texts]
    return score(HERE, Caller(engine, ledger, "judge", QUIET), items, seed=0, label="l"), [one for _, one in items]


def test_the_judge_and_a_program_are_combined_as_in_a_training(ledger):
    judge, program = Judge(grade=lambda text: 4), Source("check.py:score", lambda text: float(len(text)))
    both = combination(("judge", judge), ("check.py:score", program), weights={"check.py:score": {"weight": 3}})
    verdicts, answers = ask(both, ledger, [(1, "x"), (2, "xx")])
    assert [one.reading.value for one in verdicts] == [(4 + 3) / 4, (4 + 6) / 4]
    assert verdicts[0].reading.text == "judge 4, check.py:score 1"
    assert [one.value for one in rewards(answers, verdicts)] == [1.75, 2.5]
    other = combination(("judge", judge), ("check.py:score", program))
    assert other.identity != both.identity
    ask(other, ledger, [(1, "x"), (2, "xx")])
    assert (judge.asked, program.asked) == (2, 2)


def test_an_answer_that_a_source_cannot_value_has_none(ledger):
    some = Source("a.py:f", lambda text: None if text == "x" else 1.0)
    verdicts, _ = ask(combination(("a.py:f", some)), ledger, [(1, "x"), (2, "xx")])
    assert verdicts[0].reading == Unparsed("a.py:f -", "no value of a.py:f")
    assert verdicts[1].reading == Scored(1.0, "a.py:f 1")


def test_in_a_card_a_vetoed_answer_loses_and_two_are_equal(ledger):
    """The better of the three answers to an instruction are the shorter ones; the program finds the longer better."""
    longer = Source("a.py:longer", lambda text: float(len(text)))
    short = Source("a.py:short", lambda text: rank_of(text) == 0)
    both = combination(("a.py:longer", longer), ("a.py:short", short), weights={"a.py:short": {"veto_below": 1}})
    labelled = LabelledSet("made", {"made": ranked(6)})
    card = measure_judge_card(Caller(both, ledger, "s", QUIET), labelled, limit=100)
    assert card.scores.vetoed.value == pytest.approx(2 / 3)
    assert card.scores.ties.value == pytest.approx(1 / 3)
    assert card.scores.agreement.value == pytest.approx((2 + 0.5) / 3)


@given(st.lists(st.tuples(st.none() | st.floats(-1e300, 1e300), st.booleans()), min_size=1))
def test_no_vetoed_answer_is_before_another(values):
    given = [Reward(str(n), value, None, 1, 0, 0, (), ("x",) * veto) for n, (value, veto) in enumerate(values)]
    order = values_for_order(given)
    assert [order[one.answer_id] is None for one in given] == [one.value is None for one in given]
    free = [one.value for one in given if one.value is not None and not one.vetoed_by]
    assert [order[one.answer_id] for one in given if one.value is not None and not one.vetoed_by] == free
    banned = {order[one.answer_id] for one in given if one.value is not None and one.vetoed_by}
    assert len(banned) <= 1
    assert all(below < value for below in banned for value in free)


def test_it_is_no_model(ledger):
    with pytest.raises(EngineError, match="writes no text"):
        Caller(combination(("a.py:f", Source("a.py:f", len))), ledger, "s", QUIET).ask([], "l")


def test_the_judge_of_a_run_file_is_its_frozen_one(tmp_path):
    file = tmp_path / "mine.yaml"
    for frozen, said in (("null", "judge.frozen is not set"), ("M1", "judge.frozen is M1, a model of the run")):
        file.write_text(f"model: smollm2\njudge: {{frozen: {frozen}}}\n", encoding="utf-8")
        with pytest.raises(UsageError, match=said):
            load_combination(str(file))
    file.write_text("model: smollm2\njudge: {frozen: 'openai:m@http://127.0.0.1:9/v1'}\n", encoding="utf-8")
    config = load_combination(str(file))
    assert isinstance(config, TrainConfig)
    assert open_combination(config, name="mine.yaml").sources[0].name.startswith("openai:m")
