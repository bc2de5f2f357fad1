"""Few-shot examples of new prompts, and their generation with a scripted model."""

from types import SimpleNamespace

import pytest

from srlm.config import TrainConfig
from srlm.console import Progress
from srlm.engines.engine import BatchResult
from srlm.inference import Caller
from srlm.ledger import Ledger
from srlm.prices import FREE
from srlm.types import Completion, Demonstration, Failed, Prompt
from trainer.generation.self_instruct import _draw_shots, generate_prompts

SEEDS = [Demonstration(f"ift-{i}", f"Seed instruction number {i}", "yes") for i in range(20)]
WRITTEN = [Prompt(f"M2-p{i:04d}", f"Written {i}", "generated") for i in range(10)]


def kinds(shots):
    return sum(isinstance(one, Demonstration) for one in shots), sum(isinstance(one, Prompt) for one in shots)


@pytest.mark.parametrize(("written", "expected"), [(0, (8, 0)), (1, (7, 1)), (2, (6, 2)), (10, (6, 2))])
def test_six_seeds_and_two_generated_prompts_once_there_are_some(written, expected):
    for seed in range(20):
        shots = _draw_shots(SEEDS, WRITTEN[:written], 6, 2, seed)
        assert kinds(shots) == expected
        assert len({one.id for one in shots}) == 8


def test_shots_depend_on_their_seed():
    assert _draw_shots(SEEDS, WRITTEN, 6, 2, 1) == _draw_shots(SEEDS, WRITTEN, 6, 2, 1)
    assert len({tuple(one.id for one in _draw_shots(SEEDS, WRITTEN, 6, 2, seed)) for seed in range(10)}) == 10


def test_generated_shots_can_be_at_any_position():
    places = {
        i
        for seed in range(60)
        for i, one in enumerate(_draw_shots(SEEDS, WRITTEN, 6, 2, seed))
        if isinstance(one, Prompt)
    }
    assert places == set(range(8))


def test_few_seeds_give_fewer_shots():
    assert kinds(_draw_shots(SEEDS[:3], [], 6, 2, 0)) == (3, 0)
    assert kinds(_draw_shots(SEEDS, WRITTEN, 6, 0, 0)) == (6, 0)


# --- generation -------------------------------------------------------------------------------------------------------


class Writer:
    """A model that returns the given replies, call by call."""

    name = identity = "writer"

    def __init__(self, replies):
        self.replies, self.asked = iter(replies), []

    price = FREE

    def plan(self, requests):
        return [[index] for index in range(len(requests))]

    def run(self, batches, on_progress=None):
        for number, batch in enumerate(batches):
            self.asked += batch
            text = next(self.replies, "Never the same words: " + str(number))
            yield BatchResult(number, [Completion(text, "stop", 1, 1) if isinstance(text, str) else text], 1.0)

    def close(self):
        pass


@pytest.fixture
def write(tmp_path):
    ledger = Ledger(tmp_path / "ledger.sqlite")

    def go(replies, seeds=SEEDS, earlier=(), **settings):
        config = TrainConfig(model="m", instructions={"count": 2, "max_rounds": 3} | settings)
        engine = Writer(replies)
        session = SimpleNamespace(
            config=config,
            caller=lambda model, stage: Caller(engine, ledger, stage, Progress(quiet=True)),
            run=SimpleNamespace(ledger=ledger),
            progress=Progress(quiet=True),
        )
        return engine, *generate_prompts(session, "M2", "M0", seeds, earlier)

    yield go
    ledger.close()


def test_prompts_are_accepted_or_rejected_and_have_their_shots(write):
    replies = ["1. How do bees find home\n", "Too short", Failed("down")]
    engine, accepted, refused = write([*replies, "Which tea is best cold", "Why are lemons so sour"], count=3)
    assert [(one.id, one.instruction) for one in accepted] == [
        ("M2-p0000", "How do bees find home"),
        ("M2-p0001", "Which tea is best cold"),
        ("M2-p0002", "Why are lemons so sour"),
    ]
    assert [(one.reason, one.detail) for one in refused] == [
        ("too short", "Too short"),
        ("the call failed", "down"),
    ]
    assert all(len(one.parents) == 8 and one.call for one in accepted)
    assert engine.asked[0].prefill.endswith("\n9.")
    assert engine.asked[0].sampling.stop == ("\n",)


def test_earlier_prompts_are_shots_and_are_not_accepted_again(write):
    earlier = [Prompt("M2-p0000", "How do bees find home", "generated")]
    engine, accepted, refused = write(["How do bees find home?"], earlier=earlier, max_rounds=1)
    assert [one.reason for one in refused] == ["too similar to a known instruction"]
    assert accepted == []
    assert "How do bees find home\n" in engine.asked[0].prefill


def test_the_number_of_rounds_is_limited(write):
    engine, accepted, refused = write(["no"] * 50, max_rounds=4)
    assert accepted == []
    assert len(engine.asked) == len(refused) == 4


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("9. Name four long rivers", "Name four long rivers"),
        ("2) Name four long rivers", "Name four long rivers"),
        ("- Name four long rivers", "Name four long rivers"),
        ("5 ways to boil rice", "5 ways to boil rice"),
    ],
)
def test_a_list_marker_is_removed(write, text, kept):
    _, accepted, _ = write([text], count=1)
    assert accepted[0].instruction == kept


def test_a_decimal_number_is_no_list_marker(write):
    _, accepted, _ = write(["2.5 litres in gallons is what"], count=1)
    assert accepted[0].instruction == "2.5 litres in gallons is what"
