"""The places that a model may have: those of models without a significant difference to it."""

from dataclasses import replace

import numpy as np
import pytest

from evals.compare.ranking import ranking
from evals.metric import Series, metric


def scores(name, mean, n=200):
    values = np.clip(np.random.default_rng(len(name)).normal(mean, 0.2, n), 0, 1)
    return Series({f"p{i}": (f"p{i}", float(value)) for i, value in enumerate(values)})


def figure(better="more", **means):
    return metric("m", "score", "%", better, {name: scores(name, mean) for name, mean in means.items()}, (0, 1))


MEANS = {"low": 0.2, "alike": 0.5, "alike_too": 0.505, "best": 0.9}


@pytest.mark.parametrize(("better", "order"), [("more", [*reversed(MEANS)]), ("less", [*MEANS])])
def test_models_that_cannot_be_told_apart_share_their_places(better, order):
    side = ranking(figure(better, **MEANS))
    assert {side.columns[0], side.columns[-1]} == {order[0], order[-1]}
    places, values = side.metrics
    found = {model: (cell.estimate.low, cell.estimate.high) for model, cell in places.cells.items()}
    ends = {order[0]: (1, 1), order[-1]: (4, 4)}
    assert found == ends | {"alike": (2, 3), "alike_too": (2, 3)}
    assert [places.cells[model].estimate.value for model in side.columns] == [1, 2, 3, 4]
    means = [values.cells[model].estimate.value for model in side.columns]
    assert means == sorted(means, reverse=better == "more")
    assert "6 pairs are tested" in side.captions[0]


def test_what_cannot_be_trusted_is_not_ranked_and_said():
    side = ranking(figure(**MEANS, hacked=0.99), {"hacked": "why"})
    assert side.columns[0] == "best"
    assert side.captions[0].endswith("Not ranked: hacked.")


def test_few_models_and_figures_without_a_better_are_not_ranked():
    assert ranking(figure(low=0.2, alike=0.5, best=0.9)) is None
    assert ranking(figure("neither", **MEANS)) is None
    assert ranking(replace(figure(**MEANS), test=None)) is None
