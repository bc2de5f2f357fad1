"""The card beside each checkpoint: what huggingface_hub reads of it is what was measured; nothing depends on it."""

import json

import pytest
from huggingface_hub import ModelCard

from srlm.engines.fingerprint import fingerprint

EVALUATION = ("--suite", "reward", "--scoring", "expected", "--limit", "4")


def card(run, model):
    return ModelCard.load(run.folder / model / "checkpoint" / "README.md")


def values(found):
    return {one.metric_type: one.metric_value for one in found.data.eval_results or []}


def compared(cli, run, *models):
    """The figures that `srlm compare` has of the first model."""
    metrics = json.loads(cli("compare", *models, "--format", "json", *run.at).out)["metrics"]
    return {one["key"]: one["models"][models[0]] for one in metrics}


@pytest.mark.parametrize(("model", "how"), [("SFT", "sft"), ("M1", "sft"), ("M2", "dpo"), ("M3", "dpo")])
def test_training_writes_a_card_that_the_hub_reads(finished_run, tiny_model, model, how):
    found = card(finished_run, model)
    assert found.data.library_name == "transformers"
    assert found.data.pipeline_tag == "text-generation"
    assert how in found.data.tags
    assert found.data.eval_results is None
    assert "has not been evaluated" in found.text
    for path in (tiny_model, finished_run.folder):
        assert str(path) not in found.content
    counted = {"SFT": ("seeds/ift", "demonstrations"), "M1": ("M1/judgements", "judgements")}
    stage, what = counted.get(model, (f"{model}/pairs", "preference pairs"))
    assert f"| {what} | {len(finished_run.records(stage))} |" in found.text
    if how == "dpo":
        (health,) = finished_run.records(f"{model}/health")
        assert f"| mean length of an answer, characters | {health['mean_length']:g} |" in found.text
        assert "beta: 0.1" in found.text
        assert "rubric short, the expected score" in found.text


def test_an_evaluation_renews_the_card_and_nothing_depends_on_it(cli, own_run):
    before = card(own_run, "M1").content, fingerprint(own_run.folder / "M2" / "checkpoint")
    result = cli("eval", "M2", *EVALUATION, *own_run.at)
    assert result.code == 0, result.err
    found, figures = card(own_run, "M2"), compared(cli, own_run, "M2")
    assert values(found) == {
        key: pytest.approx(one["value"], abs=1e-6) for key, one in figures.items() if one["value"] is not None
    }
    accuracy = figures["rm_pairwise_half"]
    interval = f"{100 * accuracy['value']:.1f} [{100 * accuracy['low']:.1f}, {100 * accuracy['high']:.1f}]"
    assert f"| pairwise accuracy as judge, ties half, % | {interval} | {accuracy['n']} |" in found.text
    assert (card(own_run, "M1").content, fingerprint(own_run.folder / "M2" / "checkpoint")) == before
    # A card that is lost, as by a kill before it was written, comes again, and nothing is asked for it.
    calls = own_run.calls()
    (own_run.folder / "M2" / "checkpoint" / "README.md").unlink()
    assert cli("eval", "M2", *EVALUATION, *own_run.at).code == 0
    assert card(own_run, "M2").content == found.content
    assert own_run.calls() == calls
    # Nor does training find that anything has changed.
    again = cli("train", own_run.folder / "run.yaml", "--runs", own_run.folder.parent, "--name", "r")
    assert "Nothing to do" in again.out, again.err


@pytest.mark.slow
def test_both_models_of_a_head_to_head_have_it_in_their_cards_with_the_judge(cli, own_run, tiny_model):
    words = ("--suite", "head-to-head", "--judge", tiny_model, "--limit", "3", "--max-tokens", "8")
    result = cli("eval", "M1", "M2", *words, *own_run.at)
    assert result.code == 0, result.err
    for model, other in (("M1", "M2"), ("M2", "M1")):
        found = card(own_run, model)
        score = compared(cli, own_run, model, other, "--baseline", other)["head_to_head"]["value"]
        shown = {
            one.dataset_config: one.metric_value for one in found.data.eval_results if one.metric_type == "head_to_head"
        }
        assert shown == {other: pytest.approx(score, abs=1e-6)}
        assert f"### head-to-head against {other}" in found.text
        assert "agrees with the labelled order" in found.text
