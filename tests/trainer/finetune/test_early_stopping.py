"""Early stopping: the models on the way are those of that step, and the judge's choice follows the paper's rule."""

import json
import re
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig

from srlm.config import TrainConfig
from srlm.config.finetune import DPOConfig
from srlm.console import Progress
from srlm.engines.engine import BatchResult
from srlm.errors import EngineError
from srlm.inference import Caller
from srlm.prices import FREE
from srlm.runs import Run
from srlm.types import Completion, Failed, RankedAnswer, RankedPrompt
from trainer.finetune.dpo import prefer
from trainer.finetune.early_stopping import Comparison, stopped_at, take_best
from trainer.finetune.job import Preference

# --- the models on the way --------------------------------------------------------------------------------------------

SETTINGS = {"batch_size": 4, "per_device_train_batch_size": 4, "epochs": 2, "learning_rate": 1e-3, "dropout": 0.2}


def tuned(moved_model, pairs, folder, **changes):
    folder.mkdir(parents=True)
    config = DPOConfig(**{**SETTINGS, **changes})
    job = Preference(moved_model, folder, tuple(pairs), (), config, "cpu", "float32", 3, "M2")
    prefer(job, Progress(quiet=True))
    return folder


def test_a_kept_model_is_that_of_its_step_and_the_last_is_as_without(moved_model, pairs, tmp_path):
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        plain = tuned(moved_model, pairs, tmp_path / "plain" / "checkpoint", save_steps=6)
        # transformers' own checkpoint of step 6 is what the kept model is held against.
        stopping = {"judge": "smollm2", "every": 3}
        folder = tuned(moved_model, pairs, tmp_path / "kept" / "checkpoint", save_steps=0, stopping=stopping)
    finally:
        torch.set_num_threads(before)
    places = sorted((folder.parent / "kept").iterdir())
    assert [path.name for path in places] == ["step-3", "step-6"]
    assert (folder / "model.safetensors").read_bytes() == (plain / "model.safetensors").read_bytes()
    own = load_file(plain.parent / "training" / "step-6" / "model.safetensors")
    found = load_file(places[1] / "model.safetensors")
    assert own.keys() == found.keys()
    assert all(torch.equal(own[name], found[name]) for name in own)
    assert any(not torch.equal(found[name], one) for name, one in load_file(places[0] / "model.safetensors").items())
    assert AutoConfig.from_pretrained(places[0]).attention_dropout == 0
    assert (places[0] / "chat_template.jinja").exists()
    assert not list(tmp_path.rglob("training_args.bin"))


# --- the choice -------------------------------------------------------------------------------------------------------


def comparison(step, rate):
    return Comparison(step, step - 1, "judge", rate, None, None, 10, 0, 0.0)


@pytest.mark.parametrize(
    ("rates", "chosen"), [([], 1), ([0.6, 0.7], 3), ([0.6, 0.5], 2), ([0.5], 1), ([0.4], 1), ([0.6, 0.4, 0.9], 2)]
)
def test_it_stops_at_the_first_that_is_no_better(rates, chosen):
    found = [comparison(step, rate) for step, rate in enumerate(rates, start=2)]
    assert stopped_at([1, 2, 3], found) == chosen


QUALITY = {"M2@2": 1, "M2@4": 3, "M2@6": 2, "M2@8": 5}


class Stub:
    """A checkpoint answers with its quality; the judge prefers the higher one, and a little what is shown first."""

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
    """Chooses among checkpoints after every two steps."""
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
        take_best(session, "M2", folder, last)
        return (folder / "weights").read_text()

    yield SimpleNamespace(choose=choose, said=said, asked=asked, run=run)
    run.close()


def test_the_one_before_the_first_that_is_no_better_is_the_model(stopped):
    assert stopped.choose(8) == "4"
    lines = stopped.run.path("M2/stopping").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    # The mean of both orders: 0.85 and 1 - 0.25 where the later one is better, 0.25 and 1 - 0.85 where it is worse.
    assert [(one["step"], one["before"], one["win_rate"]) for one in found] == [(4, 2, 0.8), (6, 4, 0.2)]
    assert [one["prompts"] for one in found] == [4, 4]
    assert [one for one, _ in stopped.asked] == ["M2@2", "M2@4", "outside", "M2@6", "outside"]
    (line,) = stopped.said
    assert "M2: the checkpoint of step 4 of 8 is the model. By outside, step 6 wins 20.0%" in line
    assert "of 4 comparisons with step 4" in line


def test_a_choice_that_was_made_is_not_made_again(stopped):
    assert stopped.choose(8) == "4"
    asked = list(stopped.asked)
    assert stopped.choose(8) == "4"
    assert stopped.asked == asked


def test_the_last_one_is_the_model_where_it_is_the_better_one(stopped):
    assert stopped.choose(4) == "4"


def test_one_checkpoint_alone_is_asked_for_nothing(stopped):
    assert stopped.choose(2) == "2"
    assert stopped.asked == []
    assert stopped.said == ["M2: step 2 is its only checkpoint; there is none to compare it with."]


def test_a_judge_that_cannot_be_read_chooses_nothing(stopped):
    with pytest.raises(EngineError, match=r"outside (gave no readable preference|answered none)"):
        stopped.choose(6, readable=False)
    assert not stopped.run.path("M2/stopping").exists()
