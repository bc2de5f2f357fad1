"""Rewards of rollouts without a training: a scripted judge, and problems with answers."""

import pytest

from helpers.scripted_engine import Scripted
from srlm.config.monitor import MonitorConfig
from srlm.config.preferences import JudgeConfig
from srlm.config.rewards import RewardPart
from srlm.config.rollouts import RolloutsConfig
from srlm.console import Progress
from srlm.tasks.task import Problem
from srlm.types import Completion
from trainer.rollouts.rewards import Rewarder, Written
from trainer.rollouts.settings import RewardSettings


class Echo:
    """A task whose answer is the text after "=", and which has no checker."""

    label = "echo"
    checks = False

    def extract(self, text):
        return text.partition("=")[2] or None

    def check(self, problem, answer):
        return None


@pytest.fixture
def reward_settings(tmp_path):
    """A function: settings of the rewards of M2, by a judge with the rubric `brief` who writes its reasons."""

    def make(parts=(RewardPart(source="judge"),), judge=None, strict=False, monitor=None, **rollouts):
        return RewardSettings(
            model="M2",
            ledger=tmp_path / "ledger.sqlite",
            rollouts=RolloutsConfig(**rollouts),
            parts=parts,
            judge=judge or JudgeConfig(rubric="brief", samples=1),
            judge_model="current",
            judge_name="M1",
            external=False,
            monitor=monitor or MonitorConfig(),
            seed=1,
            batch_tokens=None,
            strict=strict,
            max_cost=None,
            spent=0.0,
            max_connections=None,
            timeout=300.0,
        )

    return make


@pytest.fixture
def rewarder(reward_settings):
    """A function: a rewarder whose judge replies what `say` returns for a request."""
    made = []

    def make(say, progress=None, **changes):
        engine = Scripted(lambda request: Completion(say(request), "stop", 1, 1))
        made.append(
            Rewarder(
                reward_settings(**changes),
                Echo(),
                engine,
                progress or Progress(quiet=True),
                stage="M2/rollouts",
                device="cpu",
                dtype="float32",
                thoughts_open=False,
            )
        )
        return made[-1], engine

    yield make
    for one in made:
        one.close()


@pytest.fixture
def written():
    """A function: answers with these texts, to one problem."""

    def make(*texts):
        problem = Problem("p0", "Two and two?")
        return [Written(f"M2-s00001-{place:04d}", problem, text, 3, False) for place, text in enumerate(texts)]

    return make
