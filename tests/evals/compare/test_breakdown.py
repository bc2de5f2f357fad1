"""Figures by label: every prompt in one line, nothing said that few prompts cannot tell."""

from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.compare.breakdown import FEWEST, group_prompts, metric_breakdown
from evals.compare.comparison import compare_models
from evals.labels.store import LENGTHS, Label
from evals.metric import BinaryPerPrompt, Series, metric
from helpers.head_to_head_results import FIRST, LOSS, UNREAD, WIN, result, results
from srlm.stats.paired import holm, paired_difference, sign_test

BY = ("category", "complexity", "length")


def labelled(values):
    """Labels of prompts p0, p1, ... from categories; None is a label that could not be read."""
    return {f"p{i}": Label(f"p{i}", one, by="j") for i, one in enumerate(values)}


def win_rate(*models, kind=Series):
    """The row of models A, B, ... from the values of their prompts; None is one that has no value."""
    series = {
        name: kind({f"p{i}": (f"p{i}", one) for i, one in enumerate(values) if one is not None})
        for name, values in zip("ABC", models, strict=False)
    }
    return metric("win_rate", "win rate", "%", "more", series, (0, 1))


label_values = st.builds(
    Label,
    prompt_id=st.just(""),
    category=st.sampled_from(["a", "b", "c", "d", None]),
    complexity=st.none() | st.integers(1, 10),
    expected_length=st.none() | st.sampled_from([*LENGTHS, "a book"]),
)


@given(st.lists(label_values | st.none(), max_size=60), st.sampled_from(BY))
def test_parts_divide_the_prompts(labels, by):
    prompts = [f"p{i}" for i in range(len(labels))]
    known = {prompt: label for prompt, label in zip(prompts, labels, strict=True) if label is not None}
    found = group_prompts(prompts, known, by)
    assert sorted(prompt for part in found for prompt in part.prompts) == sorted(prompts)
    assert all(part.prompts for part in found)
    assert len({part.name for part in found}) == len(found)
    unknown = {prompt for prompt in prompts if prompt not in known or known[prompt].value(by) is None}
    assert {prompt for part in found if part.name == "no label" for prompt in part.prompts} == unknown
    alone = [part for part in found if not part.name.startswith(("other: ", "no label"))]
    assert sum(len(part.prompts) < FEWEST for part in alone) <= 1
    for part in alone:
        assert {known[prompt].value(by) for prompt in part.prompts} == {part.name}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=80))
def test_the_parts_add_up_to_the_whole(items):
    row = win_rate([one for _, one, _ in items], [two for _, _, two in items])
    side = metric_breakdown(row, labelled([label for label, _, _ in items]), "category")
    for model in "AB":
        cells = [one.cells[model].estimate for one in side.metrics]
        assert sum(cell.n for cell in cells) == row.cells[model].estimate.n == len(items)
        total = sum(cell.value * cell.n for cell in cells) / len(items)
        assert total == pytest.approx(row.cells[model].estimate.value)


def test_lines_come_in_their_own_order():
    labels = {
        f"p{i}": Label(f"p{i}", category, complexity, length)
        for i, (category, complexity, length) in enumerate(
            [("few", 10, LENGTHS[3])] * 10 + [("many", 2, LENGTHS[0])] * 11 + [("most", 9, LENGTHS[4])] * 12
        )
    }
    names = {by: [part.name for part in group_prompts(labels, labels, by)] for by in BY}
    assert names["category"] == ["most", "many", "few"]
    assert names["complexity"] == ["2", "9", "10"]
    assert names["length"] == [LENGTHS[0], LENGTHS[3], LENGTHS[4]]


def test_each_line_has_its_interval_and_a_test_adjusted_over_the_table():
    rng = np.random.default_rng(3)
    base, better = rng.random(40), rng.random(40) + np.repeat([0.6, 0.0], 20)
    side = metric_breakdown(win_rate(base, better), labelled(["x"] * 20 + ["y"] * 20), "category")
    assert [one.label for one in side.metrics] == ["x (n = 20)", "y (n = 20)"]
    raw = [paired_difference(better[part], base[part]).p_value for part in (slice(20), slice(20, 40))]
    found = [one.cells["B"].paired.p_value for one in side.metrics]
    assert found == pytest.approx(holm(raw))
    assert found != pytest.approx(raw)
    assert side.metrics[0].cells["B"].paired.difference.value == pytest.approx((better - base)[:20].mean())
    assert side.metrics[0].cells["A"].paired is None
    assert (side.columns, side.baseline) == (["A", "B"], "A")


def test_yes_or_no_keeps_its_own_interval_and_test():
    one, two = [1.0] * 5 + [0.0] * 15, [1.0] * 15 + [0.0] * 5
    side = metric_breakdown(win_rate(one, two, kind=BinaryPerPrompt), labelled(["x"] * 20), "category")
    whole = win_rate(one, two, kind=BinaryPerPrompt)
    assert side.metrics[0].cells == whole.cells


def test_several_items_of_a_prompt_stay_in_its_line():
    def turns(*values):
        return Series({f"p{i}-{turn}": (f"p{i}", one) for i, one in enumerate(values) for turn in (1, 2)})

    row = metric("m", "m", "%", "more", {"A": turns(*[0.2] * 10, *[0.8] * 12), "B": turns(*[0.3] * 22)}, (0, 1))
    y, x = metric_breakdown(row, labelled(["x"] * 10 + ["y"] * 12), "category").metrics
    assert [(one.cells["A"].estimate.n, one.cells["A"].estimate.clusters) for one in (x, y)] == [(20, 10), (24, 12)]
    assert (x.label, x.cells["A"].estimate.value) == ("x (n = 10)", pytest.approx(0.2))
    assert y.cells["B"].paired.difference.value == pytest.approx(-0.5)


def test_few_prompts_are_put_together_and_fewer_still_get_no_interval():
    labels = labelled(["x"] * 12 + ["y"] * 9 + ["z"] * 3 + [None] * 4)
    side = metric_breakdown(win_rate([0.1] * 28, [0.9] * 28), labels, "category")
    assert [one.label for one in side.metrics] == [
        "x (n = 12)",
        "other: 2 categories (n = 12)",
        "no label (n = 4, too few to tell)",
    ]
    last = side.metrics[-1].cells["B"]
    assert (last.estimate.value, last.estimate.n) == (pytest.approx(0.9), 4)
    assert isnan(last.estimate.low)
    assert isnan(last.estimate.high)
    assert last.paired is None
    assert side.metrics[1].cells["B"].paired is not None
    (caption,) = side.captions
    assert "28 prompts" in caption
    assert "labels by j" in caption
    assert "known or readable label: 4;" in caption


def test_a_judge_is_not_named_for_labels_that_the_prompts_came_with():
    labels = {f"p{i}": Label(f"p{i}", "x", 3, by="j", own=("category",)) for i in range(12)}
    by_category, by_complexity = (
        metric_breakdown(win_rate([0.5] * 12), labels, by) for by in ("category", "complexity")
    )
    assert "labels by the authors of the prompts" in by_category.captions[0]
    assert "labels by j" in by_complexity.captions[0]


def test_a_model_without_a_value_in_a_line_has_none():
    side = metric_breakdown(
        win_rate([0.5] * 20, [0.5] * 10 + [None] * 10), labelled(["x"] * 10 + ["y"] * 10), "category"
    )
    empty = side.metrics[1].cells["B"]
    assert (empty.estimate.n, isnan(empty.estimate.value), isnan(empty.paired.p_value)) == (0, True, True)
    assert side.metrics[0].cells["B"].paired.p_value == 1


def test_wins_against_the_baseline_are_taken_apart_by_the_prompt():
    orders = [WIN] * 8 + [LOSS] * 2 + [FIRST] * 4 + [UNREAD]
    met = results(result("M2", "M1", *orders))
    labels = labelled(["x"] * 10 + ["y"] * 5)
    labels = {label.prompt_id.replace("p", "e"): label for label in labels.values()}
    sets = []

    def divide(prompts, metric):
        sets.append(prompts)
        return metric_breakdown(metric, labels, "category")

    found = compare_models(met, ["M1", "M2"], "M1", breakdown=divide)
    (side,) = [one for one in found.extra_tables if one.baseline]
    assert sets == [["4:abc"]]
    x, y = (one.cells for one in side.metrics)
    assert (x["M2"].estimate.value, x["M2"].estimate.n) == (0.8, 10)
    assert x["M2"].paired.p_value == pytest.approx(sign_test(8, 2))
    assert x["M2"].paired.difference.value == pytest.approx(0.3)
    assert (x["M1"].estimate.value, isnan(x["M1"].estimate.low)) == (0.5, True)
    assert side.metrics[1].label == "y (n = 4, too few to tell)"
    assert (y["M2"].estimate.value, y["M2"].paired) == (0.5, None)
    whole = metric_breakdown(found.metrics[0], dict.fromkeys(labels, Label("", "all")), "category").metrics[0]
    assert whole.cells["M2"].estimate == found.metrics[0].cells["M2"].estimate
    assert whole.cells["M2"].paired.p_value == found.metrics[0].cells["M2"].paired.p_value
