"""The page of a run with learn_from=rollouts: the figure, the numbers, and the answers behind them."""

import re
from html import unescape
from random import Random

import pytest

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")

from evals.report.page import gather, render
from helpers.report_run import HOSTILE
from srlm.config_file import load_config
from srlm.console import Progress
from srlm.model_card import model_card
from srlm.rollouts import Rollout
from srlm.runs import start_run
from srlm.tasks.task import Problem
from trainer.monitor.rollouts import compute_rollout_metrics
from trainer.rollouts.audit import audit_step

STEPS, GROUPS, SIZE = 24, 4, 4


def answer(rng, step, group, place, problem, checked):
    judged = None if rng.random() < 0.05 else rng.random() < 0.5
    reward = None if judged is None else 5.0 * judged
    right = rng.random() < 0.5 if checked else None
    name, text = f"M2-s{step:03d}-g{group}-c{place}", HOSTILE if place == 0 else "42"
    return Rollout(name, step, problem, text, "42", reward, int(judged is not None), 0, judged, right, 12, False)


def write_rollouts(run, checked=True):
    rng = Random(0)
    problems = [Problem(f"M2-p{place:04d}", f"problem {place}") for place in range(10)]
    rollouts = [
        answer(rng, step, group, place, problems[(step + group) % 10].id, checked)
        for step in range(1, STEPS + 1)
        for group in range(GROUPS)
        for place in range(SIZE)
    ]
    size = GROUPS * SIZE
    audits = [audit_step(rollouts[start : start + size], SIZE) for start in range(0, len(rollouts), size)]
    metrics = compute_rollout_metrics("M2", "sums", 10, audits, 5, run.config.monitor)
    for stage, records in {"problems": problems, "rollouts": rollouts, "audit": audits, "health": [metrics]}.items():
        run.write(f"M2/{stage}", records)
    return metrics


@pytest.fixture(params=[True, False], ids=["checked", "without a checker"])
def checked(request):
    return request.param


@pytest.fixture
def run(tmp_path, checked):
    config = load_config("quickstart", ["learn_from=rollouts", f"grpo.num_generations={SIZE}"])
    run = start_run(tmp_path, "r", config)
    write_rollouts(run, checked)
    return run


def test_the_section_has_a_figure_and_the_numbers(run, checked):
    samples, sections = gather(run, Progress(quiet=True), baseline=None, paper=False, mapped=False)
    (section,) = [one for one in sections if one.id == "iterations"]
    (figure,), (table,) = section.figures, section.tables
    assert ("Precision of the judge" in figure.svg) == checked
    rows = {row.name: [cell.text for cell in row.cells] for row in table.rows}
    assert table.columns == ("first 10 steps", "last 10 steps", "all steps")
    assert rows["answers"] == ["160", "160", "384"]
    assert ("precision of the judge" in rows) == checked
    html = render("r", sections, samples)
    assert HOSTILE not in html
    text = unescape(re.sub(r"<[^>]+>", " ", html))
    assert "M2: reward and truth" in text and "There was no alarm." in text


def test_a_count_links_to_its_answers(run, checked):
    samples, sections = gather(run, Progress(quiet=True), baseline=None, paper=False, mapped=False)
    assert len(samples) == STEPS * GROUPS
    assert all(len(one.replies) == SIZE and one.prompt.startswith("problem ") for one in samples)
    (section,) = [one for one in sections if one.id == "iterations"]
    tagged = [tag.outcome for one in samples for reply in one.replies for tag in reply.tags]
    counts = {row.name: row.cells[2].text for row in section.tables[0].rows if row.name.startswith("judged ")}
    if checked:
        assert int(counts["judged right, is wrong"]) == tagged.count("judged right, is wrong")
    assert "no reward" in tagged


def test_before_the_first_iteration_the_page_names_the_command(tmp_path):
    empty = start_run(tmp_path, "empty", load_config("quickstart", ["learn_from=rollouts"]))
    _, sections = gather(empty, Progress(quiet=True), baseline=None, paper=False, mapped=False)
    (section,) = [one for one in sections if one.id == "iterations"]
    assert section.command == "srlm train --name empty"


def test_the_model_card_has_the_audit(run, checked):
    card = model_card(run, "M2")
    assert "group-relative policy optimisation (GRPO), by TRL" in card
    assert "| answers | 384 |" in card and "| problems | 10 |" in card
    assert ("precision of the judge" in card) == checked
    assert "reinforcement learning from M1" in card
