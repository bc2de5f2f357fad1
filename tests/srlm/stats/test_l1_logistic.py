"""The fit is the optimum: its gradient says so, and another optimiser finds no better place."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit

from srlm.stats.l1_logistic import fit_logistic

STRENGTHS = st.sampled_from([1e-3, 0.05, 0.5, 3.0, 20.0, 1e4])


def problem(seed, n=40, p=3):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(p, n)) * rng.choice([0.1, 1.0, 3.0], size=(p, 1))
    y = np.round(expit(rng.normal(size=p) @ x + rng.normal(size=n)), rng.integers(0, 4))
    return x, y, rng.uniform(0, 2, size=n)


def objective(w, x, y, weights):
    z = w @ x
    return np.abs(w).sum() + weights @ (np.logaddexp(0, z) - y * z)


def subgradient(w, x, y, weights):
    """The smallest element of the subdifferential: 0 at the optimum and nowhere else."""
    gradient = x @ (weights * (expit(w @ x) - y))
    return np.where(w != 0, gradient + np.sign(w), np.sign(gradient) * np.maximum(np.abs(gradient) - 1, 0))


@given(seed=st.integers(0, 10_000), strength=STRENGTHS)
@settings(deadline=None, max_examples=150)
def test_no_direction_leads_down_from_the_fit(seed, strength):
    x, y, weights = problem(seed)
    (w,) = fit_logistic(x[None], y, strength * weights[None])
    assert np.abs(subgradient(w, x, y, strength * weights)).max() <= 1e-6 * max(1.0, strength)


@given(seed=st.integers(0, 10_000))
@example(seed=2008)  # where L-BFGS-B stops early
@settings(deadline=None, max_examples=20)
def test_an_optimiser_of_another_kind_finds_nothing_better(seed):
    x, y, weights = problem(seed)
    (w,) = fit_logistic(x[None], y, 3 * weights[None])

    def split(v):  # positive and negative parts: smooth, with bounds
        z = (v[:3] - v[3:]) @ x
        gradient = x @ (3 * weights * (expit(z) - y))
        return v.sum() + 3 * weights @ (np.logaddexp(0, z) - y * z), np.concatenate([1 + gradient, 1 - gradient])

    for start in (np.full(6, 0.1), np.concatenate([np.maximum(w, 0), np.maximum(-w, 0)])):
        options = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 5_000}
        found = minimize(split, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * 6, options=options)
        assert objective(w, x, y, 3 * weights) <= found.fun + 1e-9


@given(seed=st.integers(0, 10_000))
@settings(deadline=None, max_examples=50)
def test_the_order_of_the_rows_and_the_company_of_other_problems_change_nothing(seed):
    x, y, weights = problem(seed)
    order = np.random.default_rng(seed).permutation(y.size)
    (alone,) = fit_logistic(x[None], y, 3 * weights[None])
    (turned,) = fit_logistic(x[None][:, :, order], y[order], 3 * weights[None, order])
    many = fit_logistic(x[None], y, np.array([[0.01], [3], [100]]) * weights)
    assert turned == pytest.approx(alone, abs=1e-8)
    assert many[1] == pytest.approx(alone, abs=1e-8)


def test_features_without_spread_and_targets_without_doubt_end_in_finite_weights():
    x = np.stack([np.zeros(20), np.ones(20), np.ones(20)])[None]
    for target in (0.0, 1.0):
        (w,) = fit_logistic(x, np.full(20, target), np.full((1, 20), 1e4))
        assert np.isfinite(w).all() and w[0] == 0
        assert expit(w[1] + w[2]) == pytest.approx(target, abs=1e-4)


def test_a_known_part_is_taken_as_it_is():
    x, y, weights = problem(5)
    both = fit_logistic(x[None], y, 50 * weights[None])[0]
    rest = fit_logistic(x[None, 1:], y, 50 * weights[None], offset=both[0] * x[None, 0])[0]
    assert rest == pytest.approx(both[1:], abs=1e-7)
