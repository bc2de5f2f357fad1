"""`srlm show` of a rollout: its problem, the judge's replies, and its group."""

import pytest

from srlm.cli.show import describe_rollout
from srlm.config_file import load_config
from srlm.errors import UnknownName
from srlm.ledger import Call
from srlm.rollout_lineage import find_rollout, is_rollout
from srlm.rollouts import Rollout
from srlm.runs import start_run
from srlm.tasks.task import Problem
from srlm.types import Completion, Message, Request

KEY = "a" * 64


def rollout(number, reward, right, calls=()):
    judged = None if reward is None else reward > 4
    name, scored = f"M2-s00001-{number:04d}", int(reward is not None)
    return Rollout(name, 1, f"p{number // 2}", "so = 4", "4", reward, scored, 0, judged, right, 3, False, calls=calls)


@pytest.fixture
def run(tmp_path):
    config = load_config("quickstart", ["learn_from=rollouts", "grpo.num_generations=2"])
    run = start_run(tmp_path, "r", config)
    run.write("M2/problems", [Problem("p0", "2 + 2"), Problem("p1", "2 + 1")])
    run.write(
        "M2/rollouts",
        [
            rollout(0, 5.0, True),
            rollout(1, 1.0, False),
            rollout(2, 5.0, False, (KEY[:16], "b" * 16)),
            rollout(3, None, None),
        ],
    )
    request = Request((Message("user", "judge it"),))
    run.ledger.commit(
        "M2/rollouts", "M2 in training", [Call(KEY, request, Completion("Fine.\nScore: 5", "stop", 9, 4), 0.1, None)]
    )
    yield run
    run.close()


def test_the_group_and_the_replies_of_the_judge_are_shown(run):
    found = find_rollout(run, "M2-s00001-0002")
    assert [one.id for one in found.group] == ["M2-s00001-0002", "M2-s00001-0003"]
    text = describe_rollout(found)
    assert text.startswith("Problem p1, step 1\n  2 + 1\n")
    assert "Answer M2-s00001-0002: reward 5.00, judged right, wrong\n  so = 4\n  extracted: 4\n" in text
    assert "        Fine.\n        Score: 5\n" in text
    assert "not in the ledger" in text
    assert "M2-s00001-0003: no reward, truth unknown" in text


def test_an_unknown_rollout_names_those_that_there_are(run):
    with pytest.raises(UnknownName, match="Did you mean 'M2-s00001-0003'"):
        find_rollout(run, "M2-s00001-0033")


@pytest.mark.parametrize(("identifier", "is_one"), [("M2-s00001-0033", True), ("M2-p0007", False), ("M2", False)])
def test_ids_of_rollouts_are_recognised(identifier, is_one):
    assert is_rollout(identifier) is is_one
