"""Whether intervals and tests hold what they say: 2,000 experiments whose truth is known, for 50, 256 and 805 prompts.

An interval is right when it holds the truth, which 95 % of them should; a test is wrong when it finds a difference
between equals, which 5 % may. Judges of tests are like those of suites: prompts are of three kinds, easy ones on which
all models are alike and hard ones on which they differ; every model's answer to a prompt has a quality, which all its
games there share; about 35 % of the games are ties. Where items are clustered, a prompt has one to five of them, more
on hard prompts. Of 2,000 experiments a share of 95 % is known to one point (two standard errors: 0.97), one of 5 % too.

Resamples and flips are fewer than the defaults here (1,000 and 2,000 for 10,000 and 20,000), so that all takes minutes.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import combinations, product
from typing import Any

import numpy as np
import numpy.typing as npt

from srlm.stats.agreement import mean_kappa
from srlm.stats.bradley_terry import bradley_terry
from srlm.stats.intervals import Estimate, bootstrap_ratio, mean_interval, wilson
from srlm.stats.paired import paired_difference, sign_test

EXPERIMENTS = 2_000
PROMPTS = (50, 256, 805)
RESAMPLES = 1_000
FLIPS = 2_000
SEED = 20260101

KINDS = np.array([0.3, 0.4, 0.3])
"""How often a prompt is easy, middling, hard."""

SPREAD = np.array([0.3, 1.0, 2.0])
"""How much quality decides on each kind."""

QUALITY = np.array([[0.4, 0.4, 0.2], [0.4, 0.4, 0.2], [0.2, 0.4, 0.4], [0.1, 0.4, 0.5]])
"""How often each model's answer is bad, fair, good; the first two are equals."""

SIZES = 5
TIE = 1.27
"""Weight of a tie beside those of a win and a loss between equal answers: about 35 % of all games."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Truth = float
Rng = np.random.Generator


def outcome_shares(kind: Any, lead: Any) -> Floats:
    """Probabilities of win, tie and loss of an answer that is better by `lead` grades of quality: last axis 3."""
    half = SPREAD[kind] * lead / 2
    weights = np.stack([np.exp(half), np.full_like(half, TIE), np.exp(-half)], axis=-1)
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def draw(rng: Rng, shares: Floats) -> Ints:
    """One outcome a row: 0, 1 or 2."""
    return np.asarray((rng.random(shares.shape[:-1])[..., None] > shares.cumsum(axis=-1)[..., :-1]).sum(axis=-1))


def prompts_of(rng: Rng, n: int) -> tuple[Ints, Ints]:
    """The kind of each prompt, shape n, and the quality of each model's answer to it, shape (n, models)."""
    kinds = rng.choice(len(KINDS), n, p=KINDS)
    return kinds, draw(rng, np.broadcast_to(QUALITY, (n, *QUALITY.shape)))


def expected_shares(one: int, two: int, kind: int) -> Floats:
    """Of games between two models on a kind of prompt."""
    total = np.zeros(3)
    for a, b in product(range(QUALITY.shape[1]), repeat=2):
        total += QUALITY[one, a] * QUALITY[two, b] * outcome_shares(kind, float(a - b))
    return total


SCORES = np.array([1.0, 0.5, 0.0])


def expected_score(one: int, two: int, weights: Floats = KINDS) -> float:
    """Mean score of a model against another, prompts of each kind weighted."""
    by_kind = [expected_shares(one, two, kind) @ SCORES for kind in range(len(KINDS))]
    return float(weights @ by_kind / weights.sum())


def games(rng: Rng, kinds: Ints, quality: Ints, one: int, two: int) -> Floats:
    """Scores of a model against another, one a prompt."""
    return SCORES[draw(rng, outcome_shares(kinds, (quality[:, one] - quality[:, two]).astype(np.float64)))]


def sizes_of(rng: Rng, kinds: Ints) -> Ints:
    """Items a prompt: 1 to 5, more on hard prompts."""
    return 1 + rng.binomial(SIZES - 1, 0.25 + 0.25 * kinds)


MEAN_SIZE = 1 + (SIZES - 1) * (0.25 + 0.25 * np.arange(len(KINDS)))


def covers(estimate: Estimate, truth: Truth) -> bool:
    """Whether an interval holds the truth; one that is nan does not."""
    return estimate.low <= truth <= estimate.high


# --- intervals: whether each holds the truth --------------------------------------------------------------------------


def of_rates(rng: Rng, n: int) -> Iterator[tuple[str, bool]]:
    """Wilson, of prompts that a model wins: 1 or 0 each."""
    kinds, quality = prompts_of(rng, n)
    won = games(rng, kinds, quality, 2, 0) == 1
    truth = float(sum(KINDS[kind] * expected_shares(2, 0, kind)[0] for kind in range(len(KINDS))))
    yield "Wilson, share of wins", covers(wilson(int(won.sum()), n), truth)


def of_means(rng: Rng, n: int) -> Iterator[tuple[str, bool]]:
    """Means over prompts and over clustered items, and their differences."""
    kinds, quality = prompts_of(rng, n)
    score = games(rng, kinds, quality, 3, 0)
    yield "clustered t, one score a prompt", covers(mean_interval(score), expected_score(3, 0))
    owners = np.repeat(np.arange(n), sizes_of(rng, kinds))
    items = games(rng, kinds[owners], quality[owners], 3, 0)
    truth = expected_score(3, 0, KINDS * MEAN_SIZE)
    yield "clustered t, 1 to 5 items a prompt", covers(mean_interval(items, owners), truth)
    totals, counts = np.bincount(owners, items), np.bincount(owners)
    ratio = bootstrap_ratio(totals, counts, resamples=RESAMPLES)
    yield "bootstrap of a ratio, 1 to 5 items a prompt", covers(ratio, truth)
    other = games(rng, kinds[owners], quality[owners], 1, 0)
    found = paired_difference(items, other, owners, flips=1).difference
    gap = truth - expected_score(1, 0, KINDS * MEAN_SIZE)
    yield "paired difference, 1 to 5 items a prompt", covers(found, gap)


def of_elo(rng: Rng, n: int) -> Iterator[tuple[str, bool]]:
    """Elo of four models from all pairs on the same prompts; the intervals of all three that are no anchor."""
    kinds, quality = prompts_of(rng, n)
    one, two, score, prompt = [], [], [], []
    for a, b in combinations(range(len(QUALITY)), 2):
        one += [a] * n
        two += [b] * n
        score.append(games(rng, kinds, quality, a, b))
        prompt.append(np.arange(n))
    found = bradley_terry(
        one, two, np.concatenate(score), np.concatenate(prompt), models=len(QUALITY), resamples=RESAMPLES
    )
    for model in range(1, len(QUALITY)):
        yield f"Elo, bootstrap over prompts, model {model}", covers(found[model], TRUE_ELO[model])


def _true_elo() -> list[float]:
    pairs = list(combinations(range(len(QUALITY)), 2))
    one, two = zip(*pairs, strict=True)
    found = bradley_terry(one, two, [expected_score(*pair) for pair in pairs], models=len(QUALITY), resamples=1)
    return [estimate.value for estimate in found]


TRUE_ELO = _true_elo()


def of_annotators(rng: Rng, n: int) -> Iterator[tuple[str, bool]]:
    """The mean kappa of three annotators, who see the better answer more often than not, or else guess."""
    truth = rng.choice(3, n, p=ANSWERS)
    guesses = rng.integers(0, 3, (3, n))
    said = np.where(rng.random((3, n)) < SEEN, truth, guesses)
    found = mean_kappa([[VOTES[one] for one in row] for row in said], resamples=RESAMPLES)
    yield "mean kappa of three, bootstrap", covers(found, TRUE_MEAN_KAPPA)


VOTES = ("win", "tie", "loss")
ANSWERS = np.array([0.45, 0.2, 0.35])
SEEN = 0.6


def _true_mean_kappa() -> float:
    given = SEEN * np.eye(3) + (1 - SEEN) / 3
    joint = given.T @ np.diag(ANSWERS) @ given
    chance = float(joint.sum(1) @ joint.sum(0))
    return float((np.trace(joint) - chance) / (1 - chance))


TRUE_MEAN_KAPPA = _true_mean_kappa()


# --- tests: whether each finds a difference between equals ------------------------------------------------------------


def of_equals(rng: Rng, n: int) -> Iterator[tuple[str, bool]]:
    """Two models of the same quality, by games against a third, by games against each other, and by graded scores."""
    kinds, quality = prompts_of(rng, n)
    owners = np.repeat(np.arange(n), sizes_of(rng, kinds))
    a, b = (games(rng, kinds[owners], quality[owners], model, 2) for model in (0, 1))
    yield "permutation, 1 to 5 items a prompt", paired_difference(a, b, owners, flips=FLIPS).p_value < 0.05
    a, b = (games(rng, kinds, quality, model, 2) for model in (0, 1))
    yield "permutation, one score a prompt", paired_difference(a, b, flips=FLIPS).p_value < 0.05
    met = games(rng, kinds, quality, 0, 1)
    yield "sign test (McNemar, exact)", sign_test(int((met == 1).sum()), int((met == 0).sum())) < 0.05
    graded = np.where(rng.random(n) < 0.35, 0.0, rng.normal(0, 1, n) * SPREAD[kinds])
    yield "permutation, graded, 35 % zeros", paired_difference(graded, 0 * graded, flips=FLIPS).p_value < 0.05


INTERVALS: tuple[Callable[[Rng, int], Iterator[tuple[str, bool]]], ...] = (
    of_rates,
    of_means,
    of_elo,
    of_annotators,
)
TESTS = (of_equals,)


def bench(experiments: int = EXPERIMENTS) -> dict[str, Any]:
    """Shares by method and number of prompts: of intervals that hold the truth, of tests that reject it."""
    return {
        "experiments": experiments,
        "ties": _tie_share(),
        "coverage": _shares(INTERVALS, experiments),
        "rejection": _shares(TESTS, experiments),
    }


def _shares(methods: Any, experiments: int) -> dict[str, dict[int, float]]:
    hits: dict[str, Counter[int]] = {}
    for n, method in product(PROMPTS, methods):
        rng = np.random.default_rng([SEED, n])
        for _ in range(experiments):
            for name, hit in method(rng, n):
                hits.setdefault(name, Counter())[n] += int(hit)
    return {name: {n: row[n] / experiments for n in PROMPTS} for name, row in hits.items()}


def _tie_share() -> float:
    """Mean over all pairs."""
    pairs = list(combinations(range(len(QUALITY)), 2))
    return float(np.mean([[KINDS @ [expected_shares(*pair, kind)[1] for kind in range(len(KINDS))]] for pair in pairs]))


def card(found: dict[str, Any]) -> list[str]:
    """Lines for people."""
    columns = "".join(f"{n:>8}" for n in PROMPTS)
    lines = [f"Statistics, {found['experiments']:,} experiments each, {found['ties']:.0%} of the games are ties"]
    titles = {"coverage": "95 % intervals that hold the truth, %", "rejection": "tests at 5 % that reject equals, %"}
    for key, title in titles.items():
        lines.append(f"  {title:44}{columns}  prompts")
        for name, row in found[key].items():
            lines.append(f"    {name:42}" + "".join(f"{100 * row[n]:8.1f}" for n in PROMPTS))
    return lines
