"""Logistic regression with an L1 penalty: many small problems at once, each solved exactly.

The objective is  sum |w| + sum_i weight_i * (log(1 + exp(z_i)) - y_i z_i)  with  z_i = offset_i + w . x_i, that of
liblinear's L1 solver for targets that are probabilities. It is minimised by Newton's method with the exact penalty in
each step (Lee, Sun and Saunders, "Proximal Newton-type methods", 2014): each of the few weights is negative, zero or
positive, so all sign patterns are tried. A bootstrap or a cross-validation is one call.

Left out: an intercept (give a column of ones), and many weights, because p of them have 3^p sign patterns.
"""

from functools import cache
from itertools import product

import numpy as np

from srlm.stats.intervals import Floats

_ITERATIONS = 200
_HALVINGS = 40
_SAFE = 1.0
"""Largest change of any z for which a Newton step needs no check that it lowers the objective: the curvature grows by
less than the factor of two that a whole step allows (e^d - d - 1 < d^2 for d < 1.79)."""


def fit_logistic(
    x: Floats,
    y: Floats,
    weights: Floats,
    start: Floats | None = None,
    offset: Floats | None = None,
    small_step: float = 1e-8,
) -> Floats:
    """Return the minimisers w, shape (problems, p).

    Args:
        x: features, shape (problems or 1, p, n).
        y: targets between 0 and 1, shape (n,).
        weights: of the rows, shape (problems, n), multiplied by the strength of the data relative to the penalty (C).
        start: initial weights, shape (problems, p); zero by default.
        offset: a known part of z, shape (problems or 1, n).
        small_step: size of the last step, relative to 1 + |w|; the error is about its square.
    """
    w = np.zeros((len(weights), x.shape[1])) if start is None else start.copy()
    left = np.arange(len(weights))  # problems that have not converged
    now, z = w.copy(), _linear(w, x) + (0 if offset is None else offset)
    for _ in range(_ITERATIONS):
        gradient, curvature = _slopes(x, y, weights, logistic(z))
        step = _quadratic_minimum(curvature, np.einsum("mij,mj->mi", curvature, now) - gradient) - now
        more = np.abs(step).max(axis=1) > small_step * (1 + np.abs(now).max(axis=1))
        w[left] = now + step
        if not more.any():
            break
        if not more.all():
            left, now, step, z, weights = left[more], now[more], step[more], z[more], weights[more]
            x = x if len(x) == 1 else x[more]
        move = _linear(step, x)
        if (np.abs(move) > _SAFE).any():
            step, move = _shortened(now, step, z, move, y, weights)
        now, z = now + step, z + move
        w[left] = now
    return w


def _shortened(w: Floats, step: Floats, z: Floats, move: Floats, y: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Halve steps until none makes the objective worse; return them and their changes of z."""
    step, move, value = step.copy(), move.copy(), _objective(w, z, y, weights)
    slack = 1e-12 * (1 + np.abs(value))
    for _ in range(_HALVINGS):
        worse = _objective(w + step, z + move, y, weights) > value + slack
        if not worse.any():
            break
        step[worse] /= 2
        move[worse] /= 2
    return step, move


def logistic(z: Floats) -> Floats:
    """Compute 1 / (1 + exp(-z)) by the hyperbolic tangent, which never overflows and needs few passes over z."""
    found: Floats = np.tanh(0.5 * z)
    found += 1
    found *= 0.5
    return found


def _linear(w: Floats, x: Floats) -> Floats:
    """Compute the products w . x, shape (problems, n)."""
    found: Floats = np.matmul(w[:, None, :], x)[:, 0]
    return found


def _objective(w: Floats, z: Floats, y: Floats, weights: Floats) -> Floats:
    """Compute the objective, shape (problems,)."""
    loss = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))) - y * z
    found: Floats = np.abs(w).sum(axis=1) + np.einsum("mn,mn->m", weights, loss)
    return found


def _slopes(x: Floats, y: Floats, weights: Floats, probability: Floats) -> tuple[Floats, Floats]:
    """Compute the first and second derivatives of the loss: shapes (problems, p) and (problems, p, p)."""
    expected = weights * probability
    bend = expected - expected * probability
    expected -= weights * y
    return np.matmul(x, expected[:, :, None])[:, :, 0], np.matmul(x * bend[:, None, :], np.swapaxes(x, 1, 2))


@cache
def _patterns(p: int) -> Floats:
    return np.array(list(product((-1.0, 0.0, 1.0), repeat=p)))


def _quadratic_minimum(curvature: Floats, pull: Floats) -> Floats:
    """Minimise u.Hu / 2 - b.u + sum |u| for each H (problems, p, p) and b (problems, p)."""
    signs = _patterns(pull.shape[1])
    in_play = np.abs(signs)
    identity = np.eye(pull.shape[1])
    # A feature that is the same everywhere, or a saturated fit, has no curvature: a trace of it keeps the step finite.
    ridge = 1e-10 * np.trace(curvature, axis1=1, axis2=2)[:, None, None] + 1e-12
    full = curvature + ridge * identity
    matrices = full[:, None] * (in_play[:, :, None] * in_play[:, None, :]) + (1 - in_play)[:, :, None] * identity
    u = np.linalg.solve(matrices, (in_play * pull[:, None] - signs)[..., None])[..., 0]
    value = 0.5 * np.einsum("msi,mij,msj->ms", u, full, u) + np.einsum("msi,msi->ms", u, np.sign(u) - pull[:, None])
    value[(u * signs < 0).any(axis=2)] = np.inf
    best: Floats = u[np.arange(len(u)), value.argmin(axis=1)]
    return best
