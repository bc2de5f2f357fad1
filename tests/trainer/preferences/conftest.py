"""A run in which the log-probabilities of every model are given."""

import pytest

import trainer.preferences.consistency
import trainer.preferences.implicit_reward
from srlm.config import TrainConfig
from srlm.console import Progress
from srlm.runs import start_run
from srlm.types import Answer
from trainer.preferences.log_probs import LogProb
from trainer.session import Session

GIVEN = {"M0": [-10, -20, -30, -40], "M1": [-9, -18, -27, -36], "M2": [-5, -17, -26, -32]}
"""Log-probabilities of four candidates of one prompt."""


@pytest.fixture
def session(tmp_path, monkeypatch):
    """A session; its list `read` has the (stage, model) of each reading."""
    config = TrainConfig(model="x")
    made = Session(config, start_run(tmp_path, "r", config), Progress(quiet=True))
    made.read = []

    def answer_log_probs(session, stage, model, prompts, answers):
        made.read.append((stage, model))
        return {answer.id: LogProb(answer.id, model, one, 9) for answer, one in zip(answers, GIVEN[model], strict=True)}

    for module in (trainer.preferences.consistency, trainer.preferences.implicit_reward):
        monkeypatch.setattr(module, "answer_log_probs", answer_log_probs)
    return made


@pytest.fixture
def candidates():
    """A function: so many candidates of each prompt."""

    def make(*numbers):
        return [
            Answer(f"p{prompt}-c{one}", f"p{prompt}", "M1", f"{prompt} {one}", "stop", one)
            for prompt, number in enumerate(numbers)
            for one in range(number)
        ]

    return make
