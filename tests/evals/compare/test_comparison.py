"""Models side by side, on results made by hand: figures checked by hand, words that say no more than the test does."""

import json
from dataclasses import replace
from math import isnan, nan

import pytest
from scipy.special import stdtrit

from evals.compare.comparison import compare_models
from evals.compare.export.json import as_json
from evals.compare.export.markdown import as_markdown
from evals.results import Results, collect, save
from evals.suites import load_results
from evals.suites.alpaca.result import AlpacaResult
from evals.suites.mt_bench.result import Grade, MtBenchResult
from evals.suites.reward_model.result import RewardResult
from helpers.results import CARD, PROVENANCE, alpaca, reward
from srlm.config_file import load_config
from srlm.errors import DataError, UnknownName, UsageError
from srlm.runs import start_run
from srlm.stats.intervals import Estimate, wilson
from srlm.stats.paired import paired_difference
from srlm.stats.reward_model import Ranked


def alpaca_results(**models):
    return collect([alpaca(name, preferences) for name, preferences in models.items()])


def metric(comparison, key):
    (found,) = [one for one in comparison.metrics if one.key == key]
    return found


def words_on(comparison, label):
    return [line for line in comparison.conclusions if f"in {label}:" in line]


# --- win rates --------------------------------------------------------------------------------------------------------


def test_a_win_rate_and_its_interval_by_hand():
    found = compare_models(alpaca_results(M1=[1.0, 0.5, 0.0, 0.5]), ["M1"], "M1")
    one = metric(found, "win_rate").cells["M1"].estimate
    # Mean 1/2; squares .25 + 0 + .25 + 0 = .5; SE = sqrt(.5/3/4); three degrees of freedom.
    half = stdtrit(3, 0.975) * (0.5 / 3 / 4) ** 0.5
    assert half > 0.5  # it would leave 0 to 1: Wilson's with (1/4) / SE^2 trials, which is even around 1/2
    half = half / (1 + 4 * half**2) ** 0.5
    assert (one.value, one.n, one.clusters) == (0.5, 4, 4)
    assert (one.low, one.high) == pytest.approx((0.5 - half, 0.5 + half))
    assert found.conclusions == []
    assert metric(found, "length").cells["M1"].estimate.value == 101.5


def test_missing_preferences_stay_in_the_denominator_of_what_was_judged():
    found = compare_models(alpaca_results(M1=[1.0, None, 0.0, "lost"], M2=[1.0] * 4), ["M1", "M2"], "M1")
    judged = metric(found, "judged")
    assert judged.cells["M1"].estimate == wilson(2, 4)
    assert judged.cells["M2"].estimate.value == 1
    assert judged.cells["M2"].paired is None
    wins = metric(found, "win_rate")
    assert (wins.cells["M1"].estimate.value, wins.cells["M1"].estimate.n) == (0.5, 2)
    assert metric(found, "length").cells["M1"].estimate.n == 3
    assert (wins.cells["M2"].paired.wins, wins.cells["M2"].paired.ties, wins.cells["M2"].paired.losses) == (1, 1, 0)
    (said,) = [line for line in found.captions if line.startswith("Attention: ")]
    assert said.startswith(
        "Attention: 2 of 4 prompts of M1 have no preference (1 without an answer, 1 without a verdict"
    )


def test_a_difference_is_paired_by_prompt_and_not_by_place():
    results = alpaca_results(M1=[0.1, 0.9, 0.5, 0.3], M2=[0.2, 1.0, 0.6, 0.4])
    one, two = results
    shuffled = replace(two, outcomes=tuple(reversed(two.outcomes)))
    found = compare_models(collect([one, shuffled]), ["M2"], "M1")
    paired = metric(found, "win_rate").cells["M2"].paired
    assert paired.difference.value == pytest.approx(0.1)
    assert (paired.wins, paired.losses) == (4, 0)
    assert paired.p_value == pytest.approx(2 / 2**4)


def test_only_prompts_that_both_have_are_compared():
    found = compare_models(alpaca_results(M1=[0.0, None, 0.4, 0.5], M2=[1.0, 1.0, None, 0.5]), ["M2"], "M1")
    paired = metric(found, "win_rate").cells["M2"].paired
    assert (paired.difference.value, paired.difference.n) == (0.5, 2)


def test_p_values_are_adjusted_over_the_models():
    base, better, best = [0.2] * 10, [0.3] * 9 + [0.1], [0.9] * 10
    found = compare_models(alpaca_results(M1=base, M2=better, M3=best), ["M2", "M3"], "M1")
    raw = [paired_difference(other, base).p_value for other in (better, best)]
    wins = metric(found, "win_rate")
    assert raw == pytest.approx([22 / 1024, 2 / 1024])
    assert wins.cells["M3"].paired.p_value == pytest.approx(2 * raw[1])
    assert wins.cells["M2"].paired.p_value == pytest.approx(raw[0])
    alone = compare_models(alpaca_results(M1=base, M3=best), ["M3"], "M1")
    assert metric(alone, "win_rate").cells["M3"].paired.p_value == pytest.approx(raw[1])


def test_the_baseline_stands_first_and_once_and_has_no_difference():
    found = compare_models(alpaca_results(M1=[0.1] * 4, M2=[0.2] * 4, M3=[0.3] * 4), ["M3", "M2", "M1"], "M2")
    assert found.models == ["M2", "M3", "M1"]
    assert found.baseline == "M2"
    assert metric(found, "win_rate").cells["M2"].paired is None
    assert metric(found, "win_rate").cells["M1"].paired.difference.value == pytest.approx(-0.1)


# --- words ------------------------------------------------------------------------------------------------------------


def test_sentences_say_significantly_better_or_worse_or_no_significant_difference():
    base = [0.3, 0.5, 0.4, 0.6] * 5
    found = compare_models(
        alpaca_results(
            M1=base,
            UP=[x + 0.2 + 0.01 * (i % 2) for i, x in enumerate(base)],
            DOWN=[x - 0.2 for x in base],
            SAME=base[::-1],
        ),
        ["UP", "DOWN", "SAME"],
        "M1",
    )
    up, down, same = words_on(found, "win rate against the reference")
    assert up.startswith("UP is significantly better than M1 in win rate against the reference: +20.5 points [+")
    assert down.startswith("DOWN is significantly worse than M1 in win rate against the reference: -20.0 points [")
    assert same.startswith(
        "No significant difference between SAME and M1 in win rate against the reference: +0.0 points [-"
    )
    assert "With 20 prompts, the smallest detectable difference is about" in same


def test_a_difference_on_few_prompts_is_never_called_better():
    found = compare_models(alpaca_results(M1=[0.0] * 4, M2=[1.0, 0.9, 1.0, 0.9]), ["M2"], "M1")
    (line,) = words_on(found, "win rate against the reference")
    assert "No significant difference between M2 and M1" in line
    assert "p = 0.12" in line


def test_words_agree_with_the_p_value_that_is_printed():
    base = [0.2] * 10
    two = compare_models(alpaca_results(M1=base, M2=[0.3] * 9 + [0.1]), ["M2"], "M1")
    assert "better" in two.conclusions[0]
    many = {f"N{i}": [0.2, 0.3] * 5 for i in range(3)}
    more = compare_models(alpaca_results(M1=base, M2=[0.3] * 9 + [0.1], **many), ["M2", *many], "M1")
    assert any(line.startswith("No significant difference between M2 and M1 in win rate") for line in more.conclusions)


def test_length_is_shown_and_never_called_better():
    results = collect([alpaca("M1", [0.5] * 20, list(range(20))), alpaca("M2", [0.5] * 20, list(range(500, 520)))])
    found = compare_models(results, ["M2"], "M1")
    assert metric(found, "length").cells["M2"].paired.difference.value == 500
    assert metric(found, "length").better == "neither"
    assert not any("length" in line for line in found.conclusions)


def test_two_models_with_the_same_answers_have_no_difference_of_thousands_of_characters():
    lengths = [100, 220, 340, 150] * 5
    results = collect([alpaca(name, [0.5] * 20, lengths) for name in ("M1", "M2")])
    paired = metric(compare_models(results, ["M2"], "M1"), "length").cells["M2"].paired
    assert paired.difference.value == 0
    assert isnan(paired.difference.high) or paired.difference.high <= 240


def test_captions_name_the_judge_and_its_card():
    found = compare_models(alpaca_results(M1=[0.5] * 4), ["M1"], "M1")
    assert "both orders of 4 prompts (T=0.7); the references have 200 characters" in found.captions[0]
    assert found.captions[1] == CARD.caption()


def test_two_names_of_one_model_are_told():
    same = {name: replace(alpaca(name, (0.5, 0.7)), identity="weights") for name in ("M0", "M1")}
    found = collect([*same.values(), alpaca("M2", (0.5, 0.7))])
    (line,) = [one for one in compare_models(found, ["M0", "M1", "M2"], "M0").captions if "one model" in one]
    assert line == "M0 and M1 are one model: the fingerprint of their files is the same."
    assert not [one for one in compare_models(found, ["M1", "M2"], "M1").captions if "one model" in one]


def test_hostile_and_constant_answers_are_said_below_the_table():
    results = alpaca_results(M1=[1.0, 0.5], M2=[0.5, 0.5, 0.5])
    assert not any("Attention" in line for line in compare_models(results, ["M1", "M2"], "M1").captions)
    one, two = results
    found = compare_models(collect([replace(one, flagged=1), replace(two, constant=3)]), ["M1", "M2"], "M1")
    flagged, constant = [line for line in found.captions if line.startswith("Attention: ")]
    assert "1 of 2 answers of M1 hold a suspected prompt injection" in flagged
    assert constant == "Attention: M2 gave one and the same answer to 3 of 3 prompts."
    for render in (as_markdown, as_json):
        assert flagged in render(found)


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["judge", "rubric", "prompts", "sampling"])
@pytest.mark.parametrize("suite", ["alpaca", "reward"])
def test_results_of_different_making_are_refused(field, suite):
    if suite == "alpaca":
        results = collect([alpaca("M1", [0.5]), alpaca("M2", [0.5], **{field: "other"})])
    else:
        group = Ranked((0, 1), (5.0, 1.0), (10, 20))
        results = collect([reward("M1", group), reward("M2", group, **{field: "other"})])
    with pytest.raises(
        UsageError, match=rf"M1 and M2 cannot be compared: their {suite} results differ in {field} \(.* against other\)"
    ):
        compare_models(results, ["M1", "M2"], "M1")


def test_verdicts_of_a_server_that_lie_far_apart_are_refused():
    def found(one, two, **more):
        results = collect([alpaca("M1", [0.5] * 3, dates=one), alpaca("M2", [0.5] * 3, dates=two)])
        return compare_models(results, ["M1", "M2"], "M1", **more)

    first = ("2026-11-01", "2026-11-02")
    for near in (None, first, ("2026-11-07", "2026-11-08")):
        assert found(first, near).captions
    far = ("2026-11-02", "2026-11-09")  # its last verdict came eight days after the first of the other one
    for one, two in ((first, far), (far, first)):
        with pytest.raises(
            UsageError, match=r"differ in dates \(2026-11-0\d to 2026-11-0\d against .*--allow-mismatch dates"
        ):
            found(one, two)
    assert "differ in dates" in found(first, far, allow_mismatch=["dates"]).captions[0]


def test_an_unknown_model_or_baseline_names_those_with_results():
    results = alpaca_results(M1=[0.5], M2=[0.5])
    for models, baseline in ((["M1", "M3"], "M1"), (["M1"], "M3")):
        with pytest.raises(
            UnknownName, match=r"the model 'M3' does not exist\..*There are: M1, M2\. Evaluate it first: srlm eval"
        ):
            compare_models(results, models, baseline)


def test_models_without_a_common_suite_are_refused():
    results = collect([alpaca("M1", [0.5]), reward("M2", Ranked((0, 1), (5.0, 1.0), (1, 2)))])
    with pytest.raises(
        UsageError, match=r"No suite has results of all of M1, M2\. Evaluate them with: srlm eval M1 M2"
    ):
        compare_models(results, ["M1", "M2"], "M1")


def test_a_suite_that_one_model_lacks_is_left_out():
    group = Ranked((0, 1), (5.0, 1.0), (1, 2))
    results = collect([alpaca("M1", [0.5] * 3), alpaca("M2", [0.5] * 3), reward("M1", group)])
    both, alone = compare_models(results, ["M1", "M2"], "M1"), compare_models(results, ["M1"], "M1")
    assert {one.key for one in both.metrics} == {
        "win_rate",
        "discrete_win_rate",
        "length_controlled_win_rate",
        "length",
        "judged",
    }
    assert both.captions[-1] == "Not every model has results of reward: left out."
    assert "rm_pairwise" in {one.key for one in alone.metrics}
    assert not any("left out" in line for line in alone.captions)


# --- reward models ----------------------------------------------------------------------------------------------------


def test_reward_figures_by_hand():
    groups = (
        Ranked((0, 1, 2), (5.0, 3.0, 3.0), (30, 20, 10)),  # two pairs right, one tie
        Ranked((0, 1, 2), (1.0, None, 4.0), (10, 20, 30)),  # one pair is left, and wrong
        Ranked((0, 0, 1), (4.0, 2.0, 3.0), (10, 10, 10)),  # equal ranks are no pair: one right, one wrong
    )
    found = compare_models(collect([reward("M1", *groups, counts=(8, 1, 1))]), ["M1"], "M1")

    def value(key):
        return metric(found, key).cells["M1"].estimate

    assert (value("rm_pairwise_half").value, value("rm_pairwise_half").n) == (pytest.approx(3.5 / 6), 6)
    assert (value("rm_pairwise").value, value("rm_pairwise").n) == (pytest.approx(3 / 5), 5)
    assert value("rm_ties").value == pytest.approx(1 / 6)
    assert (value("rm_longer").value, value("rm_longer").n) == (pytest.approx(2 / 3), 3)
    assert (value("rm_five_best").value, value("rm_five_best").n) == (1, 1)
    assert value("rm_exact").value == 0
    assert value("parse_rate") == wilson(8, 10)
    assert "9 answers to 3 held-out" in found.captions[0]


def test_the_best_score_is_that_of_the_rubric():
    groups = (Ranked((0, 1), (9.0, 5.0), (1, 1)), Ranked((0, 1), (7.0, 9.0), (1, 1)))
    one = replace(reward("M1", *groups), perfect=9.0)
    found = metric(compare_models(collect([one]), ["M1"], "M1"), "rm_five_best").cells["M1"].estimate
    assert (found.value, found.n) == (0.5, 2)


def test_judges_are_compared_on_the_pairs_that_both_read():
    ranks, lengths = (0, 1, 2), (1, 2, 3)
    good = [Ranked(ranks, (5.0, 3.0, 1.0), lengths)] * 10
    bad = [Ranked(ranks, (1.0, 3.0, None), lengths)] * 10
    found = compare_models(collect([reward("M1", *bad), reward("M2", *good)]), ["M2"], "M1")
    order = metric(found, "rm_pairwise_half")
    assert (order.cells["M1"].estimate.n, order.cells["M2"].estimate.n) == (10, 30)
    assert (order.cells["M2"].paired.difference.n, order.cells["M2"].paired.difference.value) == (10, 1)
    assert words_on(found, "pairwise accuracy as judge, ties half")[0].startswith("M2 is significantly better than M1")
    assert metric(found, "rm_pairwise").cells["M2"].paired is None


def test_a_judge_that_nothing_could_be_read_of():
    unread = [Ranked((0, 1), (None, None), (1, 2))] * 3
    read = [Ranked((0, 1), (5.0, 1.0), (1, 2))] * 3
    results = collect([reward("M1", *read), reward("M2", *unread, counts=(0, 6, 0))])
    found = compare_models(results, ["M2"], "M1")
    assert isnan(metric(found, "rm_pairwise").cells["M2"].estimate.value)
    assert metric(found, "parse_rate").cells["M2"].estimate.value == 0
    assert words_on(found, "pairwise accuracy as judge, ties half") == []


# --- stored results ---------------------------------------------------------------------------------------------------


def test_results_come_back_from_disk(tmp_path):
    run = start_run(tmp_path, "r", load_config("quickstart", []))
    one = alpaca("openai:gpt/4", [1.0, None, "lost"])
    two = reward("M1", Ranked((0, 1), (5.0, None), (1, 2)))
    save(run, one)
    save(run, two)
    found = load_results(run)
    assert found == Results({AlpacaResult: {"openai:gpt/4": one}, RewardResult: {"M1": two}})
    assert (run.folder / "evals" / "alpaca" / "openai%3Agpt%2F4.json").is_file()
    (run.folder / "evals" / "reward" / "M1.json").write_text('{"model": "M1"}')
    with pytest.raises(DataError, match=r"M1\.json: is not a result of this version \(.*evaluate the model again"):
        load_results(run)


def test_a_result_from_before_answers_were_flagged_is_read(tmp_path):
    run = start_run(tmp_path, "r", load_config("quickstart", []))
    save(run, alpaca("M1", [0.5]))
    path = run.folder / "evals" / "alpaca" / "M1.json"
    data = json.loads(path.read_text())
    del data["flagged"], data["constant"]
    path.write_text(json.dumps(data))
    assert load_results(run).of(AlpacaResult) == {"M1": alpaca("M1", [0.5])}


def test_a_stored_result_is_json_for_others_too(tmp_path):
    run = start_run(tmp_path, "r", load_config("quickstart", []))
    nothing = Estimate(float("nan"), float("nan"), float("nan"), 0, 0)
    save(run, replace(alpaca("M1", [0.5]), card=replace(CARD, longer_preferred=nothing)))
    assert "NaN" not in (run.folder / "evals" / "alpaca" / "M1.json").read_text()


def test_answers_to_different_prompts_are_set_side_by_side_and_never_paired():
    results = collect([alpaca("M1", [1.0, 0.5, 0.0, 0.5]), alpaca("M2", [1.0] * 4, prompts="4:other")])
    with pytest.raises(UsageError, match="--allow-mismatch prompts"):
        compare_models(results, ["M1", "M2"], "M1")
    found = compare_models(results, ["M1", "M2"], "M1", allow_mismatch=["prompts"])
    assert metric(found, "win_rate").cells["M2"].estimate.value == 1
    assert all(cell.paired is None for one in found.metrics for cell in one.cells.values())
    assert found.conclusions == []
    assert "none is tested" in found.captions[0]
    judges = compare_models(
        collect([alpaca("M1", [1.0, 0.5, 0.0, 0.5]), alpaca("M2", [1.0] * 4, judge="other")]),
        ["M1", "M2"],
        "M1",
        allow_mismatch=["judge"],
    )
    assert metric(judges, "win_rate").cells["M2"].paired is not None


def test_each_suite_names_its_judge_with_its_card_as_data():
    unknown = Estimate(nan, nan, nan, 0, 0)
    group, grade = Ranked((0, 1), (5, 0), (1, 1)), Grade(81, 1, "writing", 7.0, "scored", 10)
    mixed = collect(
        [
            replace(alpaca("M1", [0.5, 0.5]), card=replace(CARD, longer_preferred=unknown)),
            alpaca("M2", [0.5, 0.5], judge="other"),
            *(reward(model, group, judge="expected") for model in ("M1", "M2")),
            *(MtBenchResult(model, "id", PROVENANCE, (grade,)) for model in ("M1", "M2")),
        ]
    )
    found = compare_models(mixed, ["M1", "M2"], "M1", allow_mismatch=["judge"])
    judges = json.loads(as_json(found))["judges"]
    assert [(one["suite"], one["judge"]) for one in judges] == [
        ("alpaca", "judge id"),
        ("alpaca", "other"),
        ("mt-bench", "judge id"),
    ]
    assert {one["rubric"] for one in judges} == {"pairwise:0"}
    card = judges[0]["card"]
    assert card["agreement"] == {"value": 0.8, "low": 0.7, "high": 0.9, "n": 40, "clusters": 20}
    assert card["longer_preferred"]["value"] is None
    assert card["scores"] is None
    assert judges[2]["card"] is None
