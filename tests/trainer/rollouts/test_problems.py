"""Difficulty control: the problems that M_t solves sometimes, by its own rewards, are kept."""

import pytest

from srlm.config import TrainConfig
from srlm.console import Progress
from srlm.errors import NothingToTrain
from srlm.runs import start_run
from trainer.rollouts.problems import draw_problems
from trainer.rollouts.reward_settings import reward_settings
from trainer.session import Session

PROGRAM = '''\
def score(prompt, answer):
    """Problems that begin with ">" get 0 always, with "=" 1 always, others 0 or 1 by the answer."""
    return {">": 0, "=": 1}.get(prompt[0], len(answer) % 2)
'''


@pytest.fixture
def session(tiny_model, tmp_path):
    """A function: the session of a run with bounds."""
    (tmp_path / "check.py").write_text(PROGRAM, encoding="utf-8")

    def make(*bounds):
        settings = {
            "model": str(tiny_model),
            "start": "instruct",
            "iterations": 1,
            "device": "cpu",
            "dtype": "float32",
            "engine": "hf",
            "learn_from": "rollouts",
            "reward": f"{tmp_path / 'check.py'}:score",
            "rollouts": {"problems": 12, "difficulty": bounds or None},
            "grpo": {"batch_size": 8, "num_generations": 8, "max_completion_length": 8},
        }
        run = start_run(tmp_path / "runs", f"r{len(bounds)}", TrainConfig(**settings))
        run.write("M1/given", [])
        return Session(run.config, run, Progress(quiet=True))

    return make


def drawn(session):
    problems = draw_problems(session, 1, reward_settings(session, 1, strict=False))
    session.release()
    session.run.close()
    return problems


def test_problems_between_the_bounds_are_kept(session):
    every = drawn(session())
    kept = drawn(session(0, 1))
    assert len(every) == 12
    assert 0 < len(kept) < 12
    assert kept == [one for one in every if one.prompt[0] == "<"]


def test_too_few_left_are_said_with_the_counts(session):
    with pytest.raises(NothingToTrain, match=r"0 of 12 problems have a mean reward between 2 and 3; 12 have less, 0 more"):
        drawn(session(2, 3))
