"""Early stopping: the snapshot is selected by the paper's rule."""

import json
import re
from types import SimpleNamespace

import pytest

from srlm.config import TrainConfig
from srlm.console import Progress
from srlm.engines.engine import BatchResult
from srlm.errors import EngineError
from srlm.inference import Caller
from srlm.prices import FREE
from srlm.runs import Run
from srlm.types import Completion, Failed, RankedAnswer, RankedPrompt
from trainer.finetune.early_stopping import SnapshotComparison, select_snapshot, stopping_step


def comparison(step, rate):
    return SnapshotComparison(step, step - 1, "judge", rate, None, None, 10, 0, 0.0)


@pytest.mark.parametrize(
    ("rates", "chosen"), [([], 1), ([0.6, 0.7], 3), ([0.6, 0.5], 2), ([0.5], 1), ([0.4], 1), ([0.6, 0.4, 0.9], 2)]
)
def test_it_stops_at_the_first_snapshot_that_is_no_better(rates, chosen):
    found = [comparison(step, rate) for step, rate in enumerate(rates, start=2)]
    assert stopping_step([1, 2, 3], found) == chosen


QUALITY = {"M2@2": 1, "M2@4": 3, "M2@6": 2, "M2@8": 5}


class Stub:
    """A checkpoint that answers with its quality, and a judge that prefers the higher one, with a position bias."""

    price = FREE

    def __init__(self, name, readable, asked):
        self.name = self.identity = name
        self.readable, self.asked = readable, asked

    def plan(self, requests):
        return [list(range(len(requests)))]

    def run(self, batches, on_progress):
        for number, batch in enumerate(batches):
            self.asked.append((self.name, len(batch)))
            yield BatchResult(number, [self.reply(one) for one in batch], 0.1)

    def reply(self, request):
        text = request.messages[0].content
        if not request.choices:
            return Completion(f"worth {QUALITY[self.name]}", "stop", 1, 1)
        if not self.readable:
            return Failed("no")
        one, two = map(int, re.findall(r"worth (\d)", text))
        first = 0.6 if one == two else 0.85 if one > two else 0.25
        return Completion("A", "stop", 1, 1, (first, 1 - first))


def held(count):
    answers = (RankedAnswer("a", 0), RankedAnswer("b", 1))
    return [RankedPrompt(f"h{n}", f"Say {n}.", answers, "validation") for n in range(count)]


@pytest.fixture
def stopped(tmp_path):
    """A function: select among snapshots after every two steps."""
    said, asked = [], []
    run = Run(tmp_path / "run")
    run.folder.mkdir()
    run.write("seeds/validation", held(5))

    def choose(last, readable=True):
        folder = run.folder / "M2" / "checkpoint.unfinished"
        for step in range(2, last, 2):
            place = run.folder / "M2" / "kept" / f"step-{step}"
            place.mkdir(parents=True, exist_ok=True)
            (place / "weights").write_text(str(step))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "weights").write_text(str(last))
        session = SimpleNamespace(
            config=TrainConfig(model="x", dpo={"stopping": {"judge": "outside", "prompts": 4}}),
            run=run,
            progress=SimpleNamespace(say=said.append, step=Progress(quiet=True).step),
            caller=lambda name, stage, folder=None: Caller(
                Stub(name, readable, asked), run.ledger, stage, Progress(quiet=True)
            ),
            release=lambda: None,
        )
        select_snapshot(session, "M2", folder, last)
        return (folder / "weights").read_text()

    yield SimpleNamespace(choose=choose, said=said, asked=asked, run=run)
    run.close()


def test_the_snapshot_before_the_first_that_is_no_better_is_the_model(stopped):
    assert stopped.choose(8) == "4"
    lines = stopped.run.path("M2/stopping").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    # The mean of both orders: 0.85 and 1 - 0.25 if the later one is better, 0.25 and 1 - 0.85 if it is worse.
    assert [(one["step"], one["before"], one["win_rate"]) for one in found] == [(4, 2, 0.8), (6, 4, 0.2)]
    assert [one["prompts"] for one in found] == [4, 4]
    assert [one for one, _ in stopped.asked] == ["M2@2", "M2@4", "outside", "M2@6", "outside"]
    (line,) = stopped.said
    assert "M2: the checkpoint of step 4 of 8 is the model. By outside, step 6 wins 20.0%" in line
    assert "of 4 comparisons with step 4" in line


def test_a_finished_selection_is_not_repeated(stopped):
    assert stopped.choose(8) == "4"
    asked = list(stopped.asked)
    assert stopped.choose(8) == "4"
    assert stopped.asked == asked


def test_the_last_snapshot_is_the_model_if_it_is_better(stopped):
    assert stopped.choose(4) == "4"


def test_a_single_checkpoint_is_not_compared(stopped):
    assert stopped.choose(2) == "2"
    assert stopped.asked == []
    assert stopped.said == ["M2: step 2 is its only checkpoint; there is none to compare it with."]


def test_without_a_parsed_verdict_nothing_is_selected(stopped):
    with pytest.raises(EngineError, match=r"outside (gave no verdict that can be parsed|answered none)"):
        stopped.choose(6, readable=False)
    assert not stopped.run.path("M2/stopping").exists()
