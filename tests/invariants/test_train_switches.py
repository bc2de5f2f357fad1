"""The switches of pairs, judges and seeds, and the monitor, through the real command line."""

import json
import math
import shutil
from itertools import pairwise

import pytest
from scipy.stats import kendalltau


@pytest.fixture(scope="module")
def train(cli, tiny_config, tmp_path_factory):
    """`srlm train` of the tiny model into a folder of its own, one iteration unless told otherwise."""

    def run(*changes, options=(), runs=None):
        runs = runs or tmp_path_factory.mktemp("switched")
        words = [word for change in ("iterations=1", *changes) for word in ("--set", change)]
        return cli("train", tiny_config, "--runs", runs, "--name", "r", *words, *options), runs / "r"

    return run


def records(run, stage):
    return [json.loads(line) for line in (run / f"{stage}.jsonl").read_text(encoding="utf-8").splitlines()]


def weights(run, model):
    return (run / model / "checkpoint" / "model.safetensors").read_bytes()


# --- off is as it was -------------------------------------------------------------------------------------------------


def test_without_switches_no_other_answers_and_judges_are_asked(finished_run):
    names = {path.name for path in (finished_run.folder / "M2").iterdir()}
    assert {"canaries.jsonl", "canary_verdicts.jsonl", "canary_rewards.jsonl", "health.jsonl"} <= names
    assert not [name for name in names if name.startswith(("anchor", "frozen", "likelihoods", "agreement"))]


def test_worthless_answers_are_judged_by_the_same_judge_and_no_part_of_a_pair(finished_run):
    for number in (2, 3):
        found = finished_run.records(f"M{number}/canary_verdicts")
        assert len(found) == 4 * 6
        assert {one["judge"] for one in found} == {f"M{number - 1}"}
        assert {one["rubric"] for one in found} == {finished_run.records(f"M{number}/verdicts")[0]["rubric"]}
        (figures,) = finished_run.records(f"M{number}/health")
        assert set(figures["canary_rewards"]) == {"constant", "empty", "copied", "padded", "score", "opening"}
        rewards = [one["value"] for one in finished_run.records(f"M{number}/canary_rewards")]
        assert figures["canary_reward"] == pytest.approx(sum(rewards) / len(rewards), abs=1e-4)
        worthless = {one["id"] for one in finished_run.records(f"M{number}/canaries")}
        assert len(finished_run.calls(f"M{number}/canary_verdicts")) > 0
        pairs = finished_run.records(f"M{number}/pairs")
        assert worthless.isdisjoint({one[side] for one in pairs for side in ("chosen_id", "rejected_id")})


def test_the_drift_of_the_length_is_against_the_iteration_before(finished_run):
    (first,), (second,) = (finished_run.records(f"M{number}/health") for number in (2, 3))
    assert first["length_drift"] is None
    assert second["length_drift"] == pytest.approx(second["mean_length"] / first["mean_length"] - 1, abs=1e-4)


# --- pairs ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def switched(train):
    """A run with every switch of the pairs, and a judge that stays M1 over two iterations."""
    result, run = train(
        "iterations=2",
        "pairs.rejected_from=base",
        "pairs.length_rho=0.25",
        "pairs.scored_by=frozen",
        "judge.frozen=M1",
    )
    assert result.code == 0, result.err
    return result, run


def test_an_earlier_models_answers_are_judged_like_the_candidates(switched):
    _, run = switched
    for model in ("M2", "M3"):
        anchors, verdicts = records(run, f"{model}/anchors"), records(run, f"{model}/anchor_verdicts")
        assert {one["model"] for one in anchors} == {"M0"}
        assert {one["id"] for one in anchors} == {one["answer_ids"][0] for one in verdicts}
        assert {one["judge"] for one in verdicts} == {"M1"}
        assert len(anchors) == len(records(run, f"{model}/candidates"))


def test_the_frozen_judge_decides_and_stays(switched):
    _, run = switched
    frozen = records(run, "M3/frozen_verdicts")
    own = records(run, "M3/verdicts")
    assert ({one["judge"] for one in frozen}, {one["judge"] for one in own}) == ({"M1"}, {"M2"})
    assert {one["id"] for one in frozen}.isdisjoint(one["id"] for one in own)
    values = {
        one["answer_id"]: one["value"]
        for stage in ("frozen_rewards", "anchor_rewards")
        for one in records(run, f"M3/{stage}")
    }
    pairs = records(run, "M3/pairs")
    assert pairs
    for pair in pairs:
        assert pair["chosen_reward"] == values[pair["chosen_id"]] > pair["rejected_reward"]
        assert pair["rejected_reward"] == values[pair["rejected_id"]]
        assert pair["chosen_id"].split("-")[2].startswith("c")
    (figures,) = records(run, "M3/health")
    assert figures["self_excess"] == pytest.approx(figures["mean_reward"] - figures["frozen_reward"], abs=2e-4)


def test_pairs_with_an_earlier_models_answer_can_be_shown(cli, switched):
    _, run = switched
    pairs = [one for model in ("M2", "M3") for one in records(run, f"{model}/pairs")]
    pair = next(one for one in pairs if "-a" in one["rejected_id"])
    shown = cli("show", pair["id"], "--runs", run.parent, "--run", "r")
    assert shown.code == 0, shown.err
    assert f"Candidate {pair['rejected_id']} by M0: reward {pair['rejected_reward']:.2f}" in shown.out
    assert "REJECTED" in shown.out
    assert f"{pair['chosen_id']}-f0 by M1" in shown.out


# --- trusting the pairs less where the model disagrees with itself ----------------------------------------------------


DOUBTS = (
    "iterations=2",
    "dpo.label_smoothing=agreement",
    "dpo.learning_rate=1e-3",
    "pairs.agreement=implicit",
    "pairs.rejected_from=base",
    "dpo.batch_size=1",
    "dpo.per_device_train_batch_size=1",
)


@pytest.fixture(scope="module")
def doubted(train):
    """A run with labels smoothed by agreement, pairs filtered by the implicit reward, and anchors beside."""
    result, run = train(*DOUBTS)
    assert result.code == 0, result.err
    return result, run


def likelihoods(run, stage, model):
    return {one["answer_id"]: one for one in records(run, f"{stage}/likelihoods_{model}")}


def test_the_agreement_of_two_models_is_written_and_said(doubted):
    result, run = doubted
    candidates = records(run, "M3/candidates")
    m2, m1, m0 = (likelihoods(run, "M3", model) for model in ("M2", "M1", "M0"))
    taus = []
    for prompt in records(run, "M3/instructions"):
        ids = [one["id"] for one in candidates if one["prompt_id"] == prompt["id"]]
        now, then = ([model[one]["logp"] - m0[one]["logp"] for one in ids] for model in (m2, m1))
        tau = kendalltau(now, then, variant="b").statistic
        taus += [] if math.isnan(tau) else [tau]
    (found,) = records(run, "M3/agreement")
    assert (found["current"], found["before"], found["instructions"]) == ("M2", "M1", len(taus))
    assert found["tau"] == pytest.approx(sum(taus) / len(taus))
    said = f"M3: M2 and M1 rank the candidates of {len(taus)} instructions with Kendall's tau {found['tau']:.2f}"
    assert f"{said}; label smoothing {(1 - found['tau']) / 2:.2f}." in result.err


def test_training_uses_the_smoothing_that_was_found(doubted):
    """By the loss of each step of one pair, at the margin that TRL logs; the first iteration has none."""
    _, run = doubted
    for stage, rate in (("M2", 1.0), ("M3", (records(run, "M3/agreement")[0]["tau"] + 1) / 2)):
        steps = [one for one in records(run, f"{stage}/training") if "loss" in one]
        assert any(abs(one["rewards/margins"]) > 0.01 for one in steps)
        for one in steps:
            margin = one["rewards/margins"]
            by_hand = rate * math.log1p(math.exp(-margin)) + (1 - rate) * math.log1p(math.exp(margin))
            assert one["loss"] == pytest.approx(by_hand, abs=1e-5)


def test_the_first_iteration_asks_nobody_else(doubted):
    _, run = doubted
    assert not [path.name for path in (run / "M2").iterdir() if path.name.startswith(("likelihoods", "agreement"))]


def test_pairs_on_which_the_implicit_reward_disagrees_are_dropped_and_counted(doubted):
    _, run = doubted
    now, then = likelihoods(run, "M3", "M2"), likelihoods(run, "M3", "M1")
    assert set(now) == {one["id"] for stage in ("candidates", "anchors") for one in records(run, f"M3/{stage}")}
    pairs = records(run, "M3/pairs")
    for pair in pairs:
        margin = [now[pair[f"{side}_id"]]["logp"] - then[pair[f"{side}_id"]]["logp"] for side in ("chosen", "rejected")]
        assert margin[0] > margin[1]
    reason = "the implicit reward disagrees"
    dropped = [one for one in records(run, "M3/dropped") if one["reason"] == reason]
    assert dropped
    assert records(run, "M3/health")[0]["dropped"][reason] == len(dropped)
    assert len(pairs) + len(records(run, "M3/dropped")) == len(records(run, "M3/instructions"))


def test_what_was_read_is_not_read_again_when_a_run_goes_on(doubted, train, tmp_path):
    """Killed while M0 read the candidates of the second iteration."""
    _, run = doubted
    going_on = tmp_path / "r"
    shutil.copytree(run, going_on)
    lost = ["likelihoods_M0.jsonl", "agreement.jsonl", "training.jsonl"]
    for name in lost:
        (going_on / "M3" / name).unlink()
    shutil.rmtree(going_on / "M3" / "checkpoint")
    result, _ = train(*DOUBTS, runs=tmp_path)
    assert result.code == 0, result.err
    assert "M3: M0 reads" in result.err
    assert "M3: M2 reads" not in result.err
    for name in [*lost[:2], "checkpoint/model.safetensors"]:
        assert (going_on / "M3" / name).read_bytes() == (run / "M3" / name).read_bytes()


# --- positives alone --------------------------------------------------------------------------------------------------


ENOUGH = 1.76
"""Near the mean rewards that the tiny model gives itself in its two iterations: 1.88 and 1.77."""

POSITIVES = ("iterations=2", "learn_from=positives", f"positives.min_reward={ENOUGH}", "positives.weight=0.5")


@pytest.fixture(scope="module")
def positives(train):
    """A run that learns from its best answers alone."""
    result, run = train(*POSITIVES)
    assert result.code == 0, result.err
    return result, run


def lines_of(result, *words):
    return [line for line in result.err.splitlines() if all(word in line for word in words)]


def test_the_best_answers_are_tuned_on_with_the_seeds_from_the_base_model(positives, finished_run):
    result, run = positives
    # Until M1 has judged, nothing differs from a run that learns from pairs.
    assert weights(run, "M1") == weights(finished_run.folder, "M1")
    rewards = (run / "M2" / "rewards.jsonl").read_bytes()
    assert rewards == (finished_run.folder / "M2" / "rewards.jsonl").read_bytes()
    assert not (run / "M2" / "pairs.jsonl").exists()
    of_seeds = 8 + len(records(run, "M1/judgements"))
    found = 0
    for model in ("M2", "M3"):
        values = {one["answer_id"]: one["value"] for one in records(run, f"{model}/rewards")}
        kept, given = records(run, f"{model}/positives"), records(run, f"{model}/candidates")
        assert {one["id"] for one in kept} <= {key for key, value in values.items() if value >= ENOUGH}
        assert {(one["prompt"], one["completion"]) for one in kept} == {
            (prompt["instruction"], answer["text"])
            for prompt in records(run, f"{model}/instructions")
            for answer in given
            if answer["prompt_id"] == prompt["id"] and values[answer["id"]] >= ENOUGH
        }
        without = {one["id"] for one in records(run, f"{model}/dropped")}
        assert without == {one["prompt_id"] for one in given} - {one["id"].rpartition("-")[0] for one in kept}
        found += len(kept)
        examples = of_seeds + max(1, round(0.5 * found))
        assert len(lines_of(result, f"{model}: SFT of M0 on {examples} examples")) == 1
        assert len(lines_of(result, f"{model}: {len(kept)} positives of 10 instructions")) == 1
        (figures,) = records(run, f"{model}/health")
        assert (figures["positives"], figures["pairs"]) == (len(kept), 0)
    (row,) = [line for line in result.out.splitlines() if line.startswith("│ positives")]
    assert [cell.strip() for cell in row.split("│")[2:4]] == [
        str(len(records(run, f"{model}/positives"))) for model in ("M2", "M3")
    ]


def test_an_answer_that_was_learned_from_can_be_shown(cli, positives):
    _, run = positives
    kept = records(run, "M3/positives")[0]
    shown = cli("show", kept["id"], "--runs", run.parent, "--run", "r")
    assert shown.code == 0, shown.err
    (line,) = [line for line in shown.out.splitlines() if line.startswith(f"Candidate {kept['id']} ")]
    assert line.endswith("  LEARNED FROM")


@pytest.mark.slow
def test_positives_go_on_after_each_stage_to_the_same_weights(train, positives, tmp_path):
    _, whole = positives
    cuts = (
        ("M3/checkpoint",),
        ("M3/checkpoint", "M3/health.jsonl", "M3/positives.jsonl"),
        ("M3", "M2/checkpoint", "M2/positives.jsonl"),
    )
    for number, cut in enumerate(cuts):
        copy = tmp_path / str(number) / "r"
        shutil.copytree(whole, copy)
        for path in (copy / name for name in cut):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        result, _ = train(*POSITIVES, runs=copy.parent)
        assert result.code == 0, result.err
        for model in ("M2", "M3"):
            assert weights(copy, model) == weights(whole, model)
            assert records(copy, f"{model}/positives") == records(whole, f"{model}/positives")


def test_where_no_answer_is_good_enough_the_message_has_the_counts(train):
    result, run = train("learn_from=positives", "positives.min_reward=4.999")
    assert result.code == 8
    (message,) = result.errors
    best = max(one["value"] for one in records(run, "M2/rewards"))
    assert (
        f"M2: no answer has a reward of at least 4.999, the best has {best:.2f}. 10 instructions, 50 candidates"
        in message
    )
    assert "Traceback" not in result.err
    reasons = {one["reason"] for one in records(run, "M2/dropped")}
    assert reasons == {"no reward of 4.999"}


# --- early stopping ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_judge_chooses_among_the_checkpoints_once(train, tiny_model):
    changes = ("dpo.epochs=4", "dpo.batch_size=1", "dpo.per_device_train_batch_size=1", "dpo.learning_rate=1e-3")
    plain, without = train(*changes)
    assert plain.code == 0, plain.err
    last = len([one for one in records(without, "M2/training") if "loss" in one])
    every = last // 3
    stopping = (*changes, f"dpo.stopping.judge={tiny_model}", f"dpo.stopping.every={every}", "dpo.stopping.prompts=5")
    result, run = train(*stopping)
    assert result.code == 0, result.err
    assert (run / "M2" / "pairs.jsonl").read_bytes() == (without / "M2" / "pairs.jsonl").read_bytes()
    found = records(run, "M2/stopping")
    steps = [*range(every, last, every), last]
    assert [(one["before"], one["step"]) for one in found] == list(pairwise(steps))[: len(found)]
    assert all(one["win_rate"] > 0.5 for one in found[:-1])
    chosen = found[-1]["step" if found[-1]["win_rate"] > 0.5 else "before"]
    assert len(found) == len(steps) - 1 or found[-1]["win_rate"] <= 0.5
    (line,) = lines_of(result, "is the model. By ")
    assert line.startswith(f"M2: the checkpoint of step {chosen} of {last} is the model.")
    assert (weights(run, "M2") == weights(without, "M2")) == (chosen == last)
    verdicts = records(run, "M2/stopping_verdicts")
    assert len(verdicts) == 2 * 5 * len(found)
    for one, shown in zip(found, [verdicts[n : n + 10] for n in range(0, len(verdicts), 10)], strict=True):
        first = [v["reading"]["value"] if v["sample"] == 0 else 1 - v["reading"]["value"] for v in shown]
        assert one["win_rate"] == pytest.approx(sum(first) / 10)
    assert not (run / "M2" / "kept").exists()

    before = (run / "M2" / "checkpoint" / "model.safetensors").read_bytes()
    shutil.rmtree(run / "M2" / "checkpoint")
    (run / "M2" / "stopping_verdicts.jsonl").unlink()
    again, _ = train(*stopping, runs=run.parent)
    assert again.code == 0, again.err
    assert weights(run, "M2") == before
    assert not (run / "M2" / "stopping_verdicts.jsonl").exists(), "it was judged again"
    assert lines_of(again, "is the model. By ") == [line]


# --- where the loop starts --------------------------------------------------------------------------------------------


def test_without_eft_the_first_model_is_the_baseline(train, finished_run):
    result, run = train("iterations=0", "seeds.eft=false")
    assert result.code == 0, result.err
    assert weights(run, "M1") == weights(finished_run.folder, "SFT")
    assert not (run / "SFT").exists()
    assert not (run / "M1" / "judgements.jsonl").exists()


@pytest.mark.slow
@pytest.mark.parametrize("writer", ["current", "itself"])
def test_instructions_by_a_writer_of_choice(train, tiny_model, finished_run, writer):
    result, run = train(f"instructions.writer={tiny_model if writer == 'itself' else writer}")
    assert result.code == 0, result.err
    by_base = (finished_run.folder / "M2" / "instructions.jsonl").read_bytes()
    # M0 by its path is the same writer as M0 by default.
    assert ((run / "M2" / "instructions.jsonl").read_bytes() == by_base) == (writer == "itself")


@pytest.mark.slow
def test_the_preset_of_the_paper_runs_whole_where_only_sizes_are_changed(cli, tiny_model, tmp_path):
    sizes = (
        f"model={tiny_model}",
        "engine=hf",
        "launcher=null",
        "seeds.source=embedded",
        "seeds.ift_limit=8",
        "seeds.eft_limit=6",
        "seeds.validation_limit=2",
        f"instructions.writer={tiny_model}",
        "instructions.count=4",
        "instructions.sampling.max_tokens=40",
        "candidate_sampling.max_tokens=40",
        # A model of 40,000 weights writes no verdict that could be read; the rest of the judge is the paper's.
        "judge.scoring=expected",
    )
    words = [word for one in sizes for word in ("--set", one)]
    result = cli("train", "paper", "--runs", tmp_path, "--name", "r", *words)
    assert result.code == 0, result.err
    assert "M1, M2, M3 are in" in result.out
    assert not list((tmp_path / "r" / "M3").glob("anchor*"))


# --- the monitor ------------------------------------------------------------------------------------------------------


def test_each_iteration_is_said_in_a_line_and_all_in_one_table(finished_run):
    printed = finished_run.printed
    for model in ("M2", "M3"):
        (line,) = [one for one in printed.err.splitlines() if one.startswith(f"{model}: ") and "pairs of" in one]
        (figures,) = finished_run.records(f"{model}/health")
        assert f"{model}: {figures['pairs']} pairs of {figures['instructions']} instructions" in line
    for label in (
        "mean reward",
        "of degenerate answers",
        "change to the iteration before",
        "diversity",
        "evaluation set",
    ):
        (row,) = [one for one in printed.out.splitlines() if label in one]
        assert len(row.split("│")) == 5


def test_strict_stops_with_the_figure_and_the_same_command_without_it_goes_on(train):
    changes = ("monitor.min_degenerate_gap=9", "monitor.min_diversity=1")
    result, run = train(*changes, options=("--strict",))
    assert result.code == 5
    assert "Traceback" not in result.err
    warnings = [line for line in result.err.splitlines() if "M2: warning: " in line]
    assert len([line for line in warnings if "min_degenerate_gap" in line or "min_diversity" in line]) == 2
    (message,) = result.errors
    assert "monitor.min_degenerate_gap = 9.00" in message
    assert "without --strict resumes" in message
    assert not (run / "M2" / "checkpoint").exists()
    before = (run / "M2" / "health.jsonl").read_bytes()
    again, _ = train(*changes, options=("--strict",), runs=run.parent)
    assert (again.code, again.errors) == (5, result.errors)
    on, _ = train(*changes, runs=run.parent)
    assert on.code == 0, on.err
    assert "M2: warning: " in on.err
    assert (run / "M2" / "checkpoint").exists()
    assert (run / "M2" / "health.jsonl").read_bytes() == before


@pytest.mark.slow
def test_strict_without_a_warning_is_no_different(train, finished_run):
    calm = [
        "monitor.min_degenerate_gap=-5",
        "monitor.max_one_score=1",
        "monitor.max_length_drift=100",
        "monitor.max_length_gap=100",
        "monitor.min_pair_yield=0",
        "monitor.max_duplicates=1",
        "monitor.min_diversity=0",
        "monitor.max_contaminated=1",
    ]
    result, run = train(*calm, options=("--strict",))
    assert result.code == 0, result.err
    assert "warning" not in result.err
    assert weights(run, "M2") == weights(finished_run.folder, "M2")


@pytest.mark.slow
def test_no_worthless_answers_on_request(train):
    result, run = train("monitor.degenerate_answer_prompts=0")
    assert result.code == 0, result.err
    assert not (run / "M2" / "canary_verdicts.jsonl").exists()
    assert records(run, "M2/health")[0]["canary_reward"] is None
