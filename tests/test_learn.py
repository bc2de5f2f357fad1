"""The comparison of the ways to learn (tools/learn_ways.py): one M1, equal numbers of answers, honest tables.

The trainings themselves are an experiment, not a test: `make learn LEARN="--learn rollouts"`.
"""

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest

import learn_rewards
from helpers.paths import ROOT
from learn_audit import Audited, audited
from learn_measure import Measured
from learn_picture import curves, svg
from learn_run import TASKS, Learned, same_m1
from learn_tables import records
from learn_ways import ARMS, PAIRS, SELF, config_of, shortfalls_of_ways
from learn_ways_tables import audit_lines, audit_markdown, gain_curves, markdown, seeds_markdown
from srlm.config.rewards import program_of
from srlm.errors import UsageError
from srlm.puzzle.task import puzzles
from srlm.rollouts import StepAudit
from srlm.runs import start_run
from srlm.stats.intervals import mean_interval, wilson
from trainer.rollouts.audit import pool

PUZZLE = TASKS["puzzle"]


def step_audit(step, right, judged):
    """Return the audit of 10 answers of which some are right, and some judged right: as many true as can be."""
    both = min(right, judged)
    counts = {
        "true_positives": both,
        "false_positives": judged - both,
        "true_negatives": 10 - max(right, judged),
        "false_negatives": right - both,
    }
    shares = {"judged_right_share": judged / 10, "right_share": right / 10, "gap": (judged - right) / 10}
    rest = {"mean_tokens": 10, "cut_share": 0, "no_spread_share": 0.5, "undecided": 0}
    return StepAudit(step, 10, 0.0, 4.0, **counts, precision=None, recall=None, **shares, **rest)


def measured(name, solved):
    return Measured(name, wilson(solved, 1000), wilson(solved, 1000), mean_interval([0.9, 0.8]), 1.0, (float(solved),))


def learned(seed, solved, control=None, steps=None):
    models = [measured(f"M{number + 1}", one) for number, one in enumerate(solved)]
    gain = (solved[-1] - solved[0]) / 1000
    audits = [Audited("M2", pool(steps), *([one.right_share for one in steps],) * 3)] if steps else []
    return Learned(seed, control, models, gain, mean_interval([gain, gain]), 1.0, None, 12000, audits)


FOUND = {
    PAIRS: [learned(1, (500, 700, 800)), learned(2, (400, 600, 700))],
    SELF: [learned(seed, (500, 700, 760), None, [step_audit(1, 5, 6), step_audit(2, 7, 8)]) for seed in (1, 2)],
    "random-reward": [learned(seed, (500, 480, 470), "random-reward") for seed in (1, 2)],
}


def test_all_arms_but_one_begin_at_the_m1_of_dpo():
    before = {name: config_of(arm, 3, []) for name, arm in ARMS.items()}
    of_m1 = {name: (one.model, one.seeds, one.sft, one.judge.rubric, one.seed) for name, one in before.items()}
    assert set(of_m1.values()) == {of_m1[PAIRS]}
    assert [name for name, arm in ARMS.items() if arm.own_m1] == ["shuffled-eft"]


def test_the_arms_write_as_many_answers_for_each_model():
    pairs, rollouts = config_of(ARMS[PAIRS], 1, []), config_of(ARMS[SELF], 1, [])
    assert rollouts.grpo.steps * rollouts.grpo.batch_size == pairs.instructions.count * pairs.candidates
    assert rollouts.iterations == pairs.iterations


def test_a_change_is_for_the_arms_that_have_the_setting():
    changes = ["grpo.learning_rate=0.01", "dpo.beta=0.7", "sft.epochs=2"]
    pairs, rollouts = config_of(ARMS[PAIRS], 1, changes), config_of(ARMS[SELF], 1, changes)
    assert (pairs.dpo.beta, pairs.sft.epochs) == (0.7, 2)
    assert (rollouts.grpo.learning_rate, rollouts.sft.epochs) == (0.01, 2)
    default = config_of(ARMS[SELF], 1, [])
    assert rollouts.dpo == default.dpo


def test_another_m1_is_refused(tmp_path):
    config = config_of(ARMS[PAIRS], 1, [])
    start_run(tmp_path, "seed-1", config)
    with pytest.raises(UsageError, match="no M1"):
        same_m1(tmp_path, [config])
    (tmp_path / "seed-1" / "M1" / "checkpoint").mkdir(parents=True)
    same_m1(tmp_path, [config_of(ARMS[SELF], 1, [])])
    with pytest.raises(UsageError, match=r"sft\.epochs 10\.0 -> 3"):
        same_m1(tmp_path, [config_of(ARMS[SELF], 1, ["sft.epochs=3"])])


@pytest.mark.parametrize("arm", [arm for arm in ARMS.values() if any("learn_rewards" in one for one in arm.changes)])
def test_the_programs_are_functions_of_the_file(arm, monkeypatch):
    monkeypatch.chdir(ROOT)
    (part,) = config_of(arm, 1, []).reward
    _, function = program_of(part.source) or (None, "")
    puzzle = puzzles("loop", 0)[0]
    assert isinstance(getattr(learn_rewards, function)(puzzle.relations, "1" * 10), int)


def test_programs_say_what_the_checker_says_or_nothing_about_the_answer():
    solved, wrong = ("<" * 4 + "=" * 5, "1234555555"), ("<" * 4 + "=" * 5, "1234555554")
    assert [learn_rewards.checker(*one) for one in (solved, wrong)] == [True, False]
    assert [learn_rewards.points(*one) for one in (solved, wrong)] == [5, 4]
    assert learn_rewards.constant(*solved) == learn_rewards.constant(*wrong)
    some = [learn_rewards.random_points(puzzle.relations, "1" * 10) for puzzle in puzzles("loop", 0)[:600]]
    assert set(some) == set(range(6))
    assert 2.2 < sum(some) / len(some) < 2.8
    assert learn_rewards.random_points(*solved) == learn_rewards.random_points(*solved)


def test_a_control_that_gains_and_a_small_mean_gain_are_shortfalls():
    assert shortfalls_of_ways(FOUND, PUZZLE) == []
    gained = {"random-reward": [learned(1, (500, 531))], SELF: [learned(1, (500, 640))], PAIRS: FOUND[PAIRS]}
    assert shortfalls_of_ways(gained, PUZZLE) == [
        "random-reward, seed 1: gained +0.031, more than 0.03",
        "rollouts: the mean gain is +0.140, less than 0.15",
    ]


def test_the_tables_compare_seed_by_seed():
    rows = markdown(FOUND)
    assert len(rows) == 2 + len(FOUND)
    assert "| 12,000 | 0.450 | 0.650 | 0.750 | +0.300 " in rows[2]
    assert "| +0.260 [" in rows[3]
    assert "| -0.040 [" in rows[3]
    (row,) = audit_markdown(FOUND)[2:]
    assert row.startswith("| judged by itself | M2 | 0.857 ")  # 12 of the 14 that were judged right
    runs = seeds_markdown(FOUND)[2:]
    assert len(runs) == 6
    assert runs[-1].startswith("| random-reward | 2 | 0.500 [0.469, 0.531] | 0.480 ")


def test_a_run_that_ended_early_has_no_later_model():
    early = replace(learned(1, (500,), "shuffled-eft"), ended="too many verdicts could not be read")
    assert "| 0.500 | - | - | +0.000 |" in markdown({"shuffled-eft": [early]})[2]


def test_pictures_are_xml_and_wide_enough_for_their_labels():
    for text in (svg(gain_curves(FOUND), "title"), curves(audit_lines(FOUND), "title", 2)):
        root = ElementTree.fromstring(text)
        assert int(root.attrib["viewBox"].split()[2]) >= 680


def test_records_are_json_without_the_items():
    (record,) = records(FOUND[SELF][:1], ["grpo.beta=0.1"])
    assert json.loads(json.dumps(record))["audits"][0]["whole"]["true_positives"] == 12
    assert "items" not in record["models"][0]


def test_the_audit_is_read_from_the_run(tmp_path):
    run = start_run(tmp_path, "seed-1", config_of(ARMS[SELF], 1, []))
    steps = [step_audit(1, 5, 6), step_audit(2, 7, 8)]
    run.write("M2/audit", steps)
    found = audited(run, "M2")
    assert (found.whole.answers, found.right, found.judged_right) == (20, [0.5, 0.7], [0.6, 0.8])
