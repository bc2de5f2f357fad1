"""Seed data of tasks fit the rule and the rubric of the run; the presets of rollouts are whole."""

import pytest

from srlm.config_file import load_config
from srlm.errors import UsageError
from srlm.judges.rubric import load_rubric
from srlm.seed_data import load_seeds
from srlm.tasks.open import open_task
from trainer.data.sft_examples import eft_examples
from trainer.preflight_data import check_records


@pytest.mark.parametrize("preset", ["rlsr-countdown", "rlsr-integration"])
def test_presets_teach_the_form_of_the_answer_and_of_the_verdict(preset):
    config = load_config(preset, ["seed=3"])
    assert config.seeds.source == f"{config.rollouts.task}:3"
    task, seeds = open_task(config.rollouts), load_seeds(config.seeds.source)
    assert all(task.extract(one.response) for one in seeds.ift)
    examples = eft_examples(seeds.eft[:20], load_rubric(config.judge.rubric))
    assert {one.completion.rpartition("\n")[2] for one in examples} == {"Score: 0", "Score: 1"}
    assert len(examples) == 40
    check_records(config)


def test_no_problem_of_the_test_is_in_the_seed_data():
    for name in ("countdown", "integration"):
        task, seeds = open_task(load_config(f"rlsr-{name}", []).rollouts), load_seeds(f"{name}:0")
        taught = {one.instruction for one in (*seeds.ift, *seeds.eft, *seeds.validation)}
        assert not taught & {one.prompt for one in task.problems(300, 0, "test")}


def test_seed_data_of_one_rule_does_not_teach_the_other():
    with pytest.raises(UsageError, match="teaches the rule exactly once"):
        load_config("rlsr-countdown", ["rollouts.numbers=at most once"])
    load_config("rlsr-countdown", ["rollouts.numbers=at most once", "seeds.source=embedded"])


def test_judgements_of_another_scale_than_the_rubrics_are_refused():
    config = load_config("rlsr-countdown", ["judge.rubric=additive"])
    with pytest.raises(UsageError, match=r"on the scale 0-1.*scores 0-5.*judge\.rubric=correct"):
        check_records(config)


@pytest.mark.parametrize("sizes", ["[]", "[1]", "[3, 7]"])
def test_sizes_that_cannot_be(sizes):
    with pytest.raises(UsageError, match=r"rollouts\.sizes"):
        load_config("rlsr-countdown", [f"rollouts.sizes={sizes}"])
