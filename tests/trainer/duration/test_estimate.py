"""The work of a run follows from its settings and seed data, and the estimate names every model that is missing."""

import pytest

from helpers.told_progress import Told
from srlm.config_file import load_config
from srlm.runs import start_run
from srlm.types import Demonstration, RankedPrompt
from trainer.data.seed_data import snapshot_seed_data
from trainer.duration import estimate
from trainer.duration.estimate import announce_duration
from trainer.duration.speed import Speed
from trainer.duration.work import PAIRED, Work, planned_work
from trainer.session import Session

JUDGED = 52
"""Tokens of a judgement's example: the longest of a batch, and so nearly all of them."""


def session(folder, *changes):
    config = load_config("puzzle", ["seeds.ift_limit=8", "seeds.eft_limit=40", "instructions.count=10", *changes])
    return Session(config, start_run(folder, "r", config), Told())


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    """The seed data of each of these sessions: no change of theirs is one of it."""
    return snapshot_seed_data(session(tmp_path_factory.mktemp("seeds")))


@pytest.fixture
def work(seeds):
    return lambda opened: planned_work(opened, *seeds)


def test_the_work_of_the_puzzle(work, tmp_path):
    opened = session(tmp_path, "sft.epochs=2")
    found = work(opened)
    assert list(found) == ["M1", "M2", "M3"]
    assert found["M1"] == Work(trained=found["M1"].trained)
    assert 0.6 * 2 * 104 * JUDGED < found["M1"].trained < 2 * 104 * JUDGED  # 8 demonstrations 8 times, 40 judgements
    # An answer has ten digits and the end of the turn; a verdict nine letters, the score, and the text around it.
    answers, verdicts = 60 * 11, (60 + 24) * 3 * 13
    assert found["M2"].written == pytest.approx(answers + verdicts, rel=0.15)
    assert found["M2"] == found["M3"]


def test_more_of_everything_is_more_work(work, tmp_path):
    plain = work(session(tmp_path / "plain"))["M2"]
    for change, part in (("candidates=12", "written"), ("judge.samples=6", "written"), ("dpo.epochs=8", "trained")):
        more = work(session(tmp_path / change, change))["M2"]
        assert getattr(more, part) > 1.4 * getattr(plain, part)
    expected = work(session(tmp_path / "e", "judge.scoring=expected"))["M2"]
    assert expected.written < plain.written / 2


def test_the_judge_that_needs_no_words_writes_none(work, tmp_path):
    found = work(session(tmp_path, "reward=judge", "judge.scoring=expected", "dpo.replay=0"))["M2"]
    assert found.written == pytest.approx(60 * 11, rel=0.1)
    assert found.trained == pytest.approx(2 * PAIRED * 10 * (12 + 11) * (4 + 1 / 3), rel=0.1)


def test_what_a_run_has_is_no_work(work, tmp_path):
    opened = session(tmp_path)
    (opened.run.folder / "M1" / "checkpoint").mkdir(parents=True)
    assert list(work(opened)) == ["M2", "M3"]


def test_a_start_at_an_instruct_model_trains_no_m1(seeds, tmp_path):
    opened = session(tmp_path)
    opened.config = opened.config.model_copy(update={"start": "instruct"})
    assert list(planned_work(opened, *seeds)) == ["M2", "M3"]


def test_the_estimate_is_one_line_with_all_models_and_changes_nothing(seeds, tmp_path):
    import torch

    opened = session(tmp_path)
    before = torch.get_rng_state(), sorted(opened.run.folder.rglob("*")), torch.get_num_threads()
    announce_duration(opened, *seeds)
    after = torch.get_rng_state(), sorted(opened.run.folder.rglob("*")), torch.get_num_threads()
    assert before[0].equal(after[0]) and before[1:] == after[1:]
    (line,) = opened.progress.lines
    assert line.startswith("This will take about ") and all(f"{model} " in line for model in ("M1", "M2", "M3"))


def test_a_server_is_named_as_not_counted(seeds, tmp_path):
    opened = session(tmp_path, "judge.frozen=openai:gpt-x")
    announce_duration(opened, *seeds)
    assert "without the time of openai:gpt-x" in opened.progress.lines[0]


def test_a_launcher_has_no_estimate(seeds, tmp_path):
    opened = session(tmp_path, "launcher=torchrun")
    announce_duration(opened, *seeds)
    assert opened.progress.lines == [
        "No estimate of the time: it is measured for runs in one process, not through a launcher."
    ]


def test_a_run_that_has_everything_says_nothing(tmp_path):
    opened = session(tmp_path, "iterations=0")
    (opened.run.folder / "M1" / "checkpoint").mkdir(parents=True)
    demonstration, ranked = list[Demonstration](), list[RankedPrompt]()
    announce_duration(opened, demonstration, ranked)
    assert opened.progress.lines == []


@pytest.mark.parametrize(("count", "rows"), [(10, 60), (500, 256)])
def test_no_more_rows_are_measured_than_an_iteration_has(seeds, tmp_path, monkeypatch, count, rows):
    asked = []

    def measured(engine, texts, most):
        asked.append(most)
        return Speed(1.0, 1.0)

    monkeypatch.setattr(estimate, "measure_speed", measured)
    opened = session(tmp_path, f"instructions.count={count}")
    announce_duration(opened, *seeds)
    assert asked == [rows]
