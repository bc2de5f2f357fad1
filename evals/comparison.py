"""Models side by side: each figure with its interval, each difference to the baseline with a paired test.

It also says in words what is certain and what is not.

Compared are only results of the same judge, rubric, prompts and sampling. The p values of one metric are adjusted
over the models that are compared with the baseline (Holm), because the best of several noisy checkpoints looks better
than it is.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import isnan, nan

import numpy as np
from scipy.special import stdtrit

from evals import graded, verified
from evals.length_control import ERROR, length_controlled
from evals.mt_bench import SCALE
from evals.results import AlpacaResult, MtBenchResult, Result, Results, RewardResult, VerifiableResult
from srlm.errors import UnknownName, UsageError
from srlm.stats.intervals import Estimate, bootstrap_ratio, mean_interval, wilson
from srlm.stats.paired import Paired, holm, paired_difference, sign_test
from srlm.stats.reward_model import Ranked, reward_model_metrics

ALPHA = 0.05
POWER_Z = 1.959964 + 0.841621
"""Standard errors between no difference and one that 80 % of experiments find at 5 % two-sided (2411.00640, sec. 5)."""


@dataclass(frozen=True)
class Cell:
    """One model's figure. `paired` is its difference to the baseline, with the adjusted p value."""

    estimate: Estimate
    paired: Paired | None = None


@dataclass(frozen=True)
class Metric:
    """One row: how it is called, how it is written, and whether more of it is better."""

    key: str
    label: str
    unit: str
    better: str
    cells: dict[str, Cell]


@dataclass(frozen=True)
class Comparison:
    """A table and its reading."""

    models: list[str]
    baseline: str
    metrics: list[Metric]
    captions: list[str]
    words: list[str]


@dataclass(frozen=True)
class _Series:
    """A figure's values of one model: item -> (cluster, value)."""

    values: dict[str, tuple[str, float]]

    def estimate(self, bounds: tuple[float, float]) -> Estimate:
        items = list(self.values.values())
        return mean_interval([value for _, value in items], [cluster for cluster, _ in items], bounds=bounds)

    def p_value(self, paired: Paired) -> float:
        """Of the difference to another series."""
        return paired.p_value


class _Rate(_Series):
    """Yes or no, once a prompt: Wilson's interval and McNemar's exact test."""

    def estimate(self, bounds: tuple[float, float]) -> Estimate:
        return wilson(sum(value for _, value in self.values.values()), len(self.values))

    def p_value(self, paired: Paired) -> float:
        return paired.p_value if isnan(paired.p_value) else sign_test(paired.wins, paired.losses)


class _Rates(_Series):
    """Yes or no, several times a prompt: the bootstrap, clustered by prompt."""

    def estimate(self, bounds: tuple[float, float]) -> Estimate:
        counts: dict[str, tuple[float, int]] = {}
        for cluster, value in self.values.values():
            total, n = counts.get(cluster, (0.0, 0))
            counts[cluster] = (total + value, n + 1)
        return bootstrap_ratio([total for total, _ in counts.values()], [n for _, n in counts.values()])


def compare_models(results: Results, models: Sequence[str], baseline: str) -> Comparison:
    """Compare models on whatever results they all have.

    Raises:
        UnknownName: a model has no results; says which have.
        UsageError: the results are of different judges, rubrics, prompts or samplings.
    """
    suites = (results.alpaca, results.mt_bench, results.reward, results.verifiable)
    known = sorted({model for suite in suites for model in suite})
    for model in [*models, baseline]:
        if model not in known:
            raise UnknownName("Among the results of this run, the model", model, known, "Evaluate it first: srlm eval")
    models = [baseline, *(model for model in models if model != baseline)]
    metrics: list[Metric] = []
    captions: list[str] = []
    if all(model in results.alpaca for model in models):
        alpaca = [results.alpaca[model] for model in models]
        _same(alpaca)
        metrics += _alpaca_metrics(alpaca)
        captions.append(_alpaca_caption(alpaca))
        captions += _hostile_captions(alpaca)
        captions.append(alpaca[0].card.caption())
    if all(model in results.mt_bench for model in models):
        mt_bench = [results.mt_bench[model] for model in models]
        _same(mt_bench)
        metrics += _mt_bench_metrics(mt_bench)
        captions += graded.captions(mt_bench)
    if all(model in results.reward for model in models):
        reward = [results.reward[model] for model in models]
        _same(reward)
        metrics += _reward_metrics(reward)
        captions.append(_reward_caption(reward))
    if all(model in results.verifiable for model in models):
        verifiable = [results.verifiable[model] for model in models]
        _same(verifiable)
        metrics += _verifiable_metrics(verifiable)
        captions += verified.captions(verifiable)
    if not metrics:
        raise UsageError(
            f"No suite has results of all of {', '.join(models)}. Evaluate them with: srlm eval {' '.join(models)}"
        )
    words = [line for metric in metrics for line in _words(metric, models, baseline)]
    return Comparison(list(models), baseline, metrics, captions, words)


def _same(results: Sequence[Result]) -> None:
    first = results[0]
    for other in results[1:]:
        for field in ("judge", "rubric", "prompts", "sampling"):
            one, two = getattr(first.provenance, field), getattr(other.provenance, field)
            if one != two:
                raise UsageError(
                    f"{first.model} and {other.model} cannot be compared: their {first.suite} results differ in "
                    f"{field} ({one} against {two}). Evaluate both with the same settings."
                )


def _metric(
    key: str,
    label: str,
    unit: str,
    better: str,
    series: Mapping[str, _Series],
    bounds: tuple[float, float],
    tested: bool = True,
) -> Metric:
    """A row from the values of each model; the first model is the baseline."""
    names = list(series)
    cells = {name: Cell(one.estimate(bounds)) for name, one in series.items()}
    if tested:
        tests = {name: _paired(series[name], series[names[0]], bounds) for name in names[1:]}
        adjusted = holm([test.p_value for test in tests.values()])
        for (name, test), p_value in zip(tests.items(), adjusted, strict=True):
            paired = Paired(test.difference, p_value, test.wins, test.ties, test.losses)
            cells[name] = Cell(cells[name].estimate, paired)
    return Metric(key, label, unit, better, cells)


def _paired(one: _Series, two: _Series, bounds: tuple[float, float]) -> Paired:
    common = sorted(one.values.keys() & two.values.keys())
    found = paired_difference(
        [one.values[item][1] for item in common],
        [two.values[item][1] for item in common],
        [one.values[item][0] for item in common],
        bounds=bounds,
    )
    return replace(found, p_value=one.p_value(found))


def _alpaca_metrics(results: Sequence[AlpacaResult]) -> list[Metric]:
    wins = {
        result.model: _Series(
            {one.prompt_id: (one.prompt_id, one.preference) for one in result.outcomes if one.preference is not None}
        )
        for result in results
    }
    discrete = {
        model: _Series({key: (one, _discrete(p)) for key, (one, p) in s.values.items()}) for model, s in wins.items()
    }
    controlled = {result.model: Cell(_length_controlled(result)) for result in results}
    lengths = {
        result.model: _Series(
            {one.prompt_id: (one.prompt_id, float(one.length)) for one in result.outcomes if one.verdict_ids}
        )
        for result in results
    }
    read = {
        result.model: _Series(
            {one.prompt_id: (one.prompt_id, float(one.preference is not None)) for one in result.outcomes}
        )
        for result in results
    }
    return [
        _metric("win_rate", "win rate against the reference", "%", "more", wins, (0, 1)),
        _metric("discrete_win_rate", "  discrete, a draw is half", "%", "more", discrete, (0, 1), tested=False),
        Metric("length_controlled_win_rate", "  length-controlled", "%", "more", controlled),
        _metric("length", "  mean length", "chars", "neither", lengths, _range(lengths)),
        _metric("judged", "  prompts judged in both orders", "%", "more", read, (0, 1), tested=False),
    ]


def _discrete(preference: float) -> float:
    return 0.5 if preference == 0.5 else float(preference > 0.5)


def _length_controlled(result: AlpacaResult) -> Estimate:
    """Of the prompts that were answered; a verdict that is missing stays missing."""
    answered = [one for one in result.outcomes if one.verdict_ids]
    gaps = np.array([float(one.opponent_length - one.length) for one in answered])
    preferences = np.array([nan if one.preference is None else one.preference for one in answered])
    return length_controlled(gaps, preferences).estimate


def _range(series: Mapping[str, _Series]) -> tuple[float, float]:
    """What values are seen at all: the bounds of a figure that has none by nature."""
    seen = [value for one in series.values() for _, value in one.values.values()]
    return (min(seen), max(seen)) if seen else (0.0, 0.0)


def _alpaca_caption(results: Sequence[AlpacaResult]) -> str:
    outcomes = results[0].outcomes
    reference = sum(one.opponent_length for one in outcomes) / len(outcomes)
    return (
        f"Win rate: mean probability that the judge prefers the model's answer, both orders of {len(outcomes)} prompts "
        f"({results[0].provenance.sampling}); the references have {reference:.0f} characters on average. "
        "Brackets: 95 % intervals; p: paired permutation test, Holm-adjusted. Length-controlled: fitted without "
        "difficulties of the prompts, to be trusted only where the mean lengths are alike (against published figures "
        f"off by up to {ERROR['fitted']} points where they are not)."
    )


def _hostile_captions(results: Sequence[AlpacaResult]) -> list[str]:
    """What of the answers may not have been meant for the reader; nothing where there is none."""
    captions: list[str] = []
    for result in results:
        answered = sum(bool(one.verdict_ids) for one in result.outcomes)
        if result.flagged:
            captions.append(
                f"Attention: {result.flagged} of {answered} answers of {result.model} hold something that speaks to "
                "the judge (injection_suspected in its verdicts). Read them before you trust its win rate."
            )
        if result.constant:
            captions.append(
                f"Attention: {result.model} gave one and the same answer to {result.constant} of {answered} prompts."
            )
    return captions


def _reward_metrics(results: Sequence[RewardResult]) -> list[Metric]:
    metrics = {
        result.model: reward_model_metrics(result.groups, ties="exclude", perfect=result.perfect) for result in results
    }
    order = {result.model: _Series(_pair_order(result)) for result in results}

    def untested(key: str, label: str, unit: str, better: str, pick: Callable[[str], Estimate]) -> Metric:
        return Metric(key, label, unit, better, {model: Cell(pick(model)) for model in metrics})

    return [
        _metric("rm_pairwise_half", "pairwise accuracy as judge, ties half", "%", "more", order, (0, 1)),
        untested(
            "rm_pairwise",
            "  pairwise accuracy, ties left out",
            "%",
            "more",
            lambda model: metrics[model].pairwise_accuracy,
        ),
        untested("rm_ties", "  pairs that it ties", "%", "less", lambda model: metrics[model].tie_rate),
        untested(
            "rm_longer",
            "  the longer answer wins, same pairs",
            "%",
            "neither",
            lambda model: metrics[model].longer_wins,
        ),
        untested("rm_five_best", "  5-best", "%", "more", lambda model: metrics[model].five_best),
        untested("rm_exact", "  exact match of the order", "%", "more", lambda model: metrics[model].exact_match),
        untested("rm_spearman", "  Spearman correlation", "", "more", lambda model: metrics[model].spearman),
        untested("rm_kendall", "  Kendall's tau-b", "", "more", lambda model: metrics[model].kendall_tau_b),
        Metric(
            "parse_rate",
            "  verdicts that could be read",
            "%",
            "more",
            {result.model: Cell(_parse_rate(result)) for result in results},
        ),
    ]


def _pair_order(result: RewardResult) -> dict[str, tuple[str, float]]:
    """Each pair of answers with different ranks: 1 ordered as people did, 0 the other way, one half for a tie."""
    found: dict[str, tuple[str, float]] = {}
    for instruction, group in zip(result.instruction_ids, result.groups, strict=True):
        for one, two in combinations(range(len(group.ranks)), 2):
            right = _right(group, one, two)
            if right is not None:
                found[f"{instruction}-{one}-{two}"] = (instruction, right)
    return found


def _right(group: Ranked, one: int, two: int) -> float | None:
    first, second = group.scores[one], group.scores[two]
    if first is None or second is None or group.ranks[one] == group.ranks[two]:
        return None
    if first == second:
        return 0.5
    return float((first > second) == (group.ranks[one] < group.ranks[two]))


def _parse_rate(result: RewardResult) -> Estimate:
    total = result.scored + result.unparsed + result.failed
    return wilson(result.scored, total)


def _reward_caption(results: Sequence[RewardResult]) -> str:
    groups = results[0].groups
    provenance = results[0].provenance
    return (
        f"As judge: each model scores {sum(len(group.ranks) for group in groups)} answers to {len(groups)} held-out "
        f"ranked instructions ({provenance.judge}, rubric {provenance.rubric.split(':')[0]}); "
        "intervals are clustered by instruction; 50 % is a coin."
    )


def _verifiable_metrics(results: Sequence[VerifiableResult]) -> list[Metric]:
    kinds = {"prompt": _Rate, "instruction": _Rates, "amount": _Series}
    metrics: list[Metric] = []
    for row in verified.rows(results):
        series = {model: kinds[row.kind](values) for model, values in row.values.items()}
        amount = row.kind == "amount"
        unit, bounds = ("chars", _range(series)) if amount else ("%", (0.0, 1.0))
        metrics.append(_metric(row.key, row.label, unit, row.better, series, bounds, row.tested))
    return metrics


def _mt_bench_metrics(results: Sequence[MtBenchResult]) -> list[Metric]:
    metrics: list[Metric] = []
    for row in graded.rows(results):
        series = {model: _Series(values) for model, values in row.values.items()}
        bounds = {"grade": SCALE, "%": (0.0, 1.0)}.get(row.unit) or _range(series)
        metrics.append(_metric(row.key, row.label, row.unit, row.better, series, bounds, row.tested))
    return metrics


def _words(metric: Metric, models: Sequence[str], baseline: str) -> list[str]:
    """What may be said of a metric that was tested, model by model."""
    lines: list[str] = []
    for model in models:
        paired = metric.cells[model].paired
        undefined = paired is None or isnan(paired.p_value) or isnan(paired.difference.low)
        if paired is None or undefined or metric.better == "neither":
            continue
        label = metric.label.strip()
        difference = paired.difference
        value, low, high = (
            f"{one:+.2f}" if metric.unit == "grade" else f"{100 * one:+.1f}"
            for one in (difference.value, difference.low, difference.high)
        )
        amount = f"{value} points [{low}, {high}], p = {paired.p_value:.2g}"
        if certain(paired):
            verdict = "better" if difference.value > 0 else "worse"
            lines.append(f"{model} is {verdict} than {baseline} in {label}: {amount}.")
        else:
            lines.append(
                f"{model} and {baseline} cannot be told apart in {label}: {amount}.{_smallest(difference, metric.unit)}"
            )
    return lines


def certain(paired: Paired) -> bool:
    """Whether a difference may be called one: by the adjusted test, and by an interval that leaves out zero."""
    return paired.p_value < ALPHA and paired.difference.low * paired.difference.high > 0


def _smallest(difference: Estimate, unit: str) -> str:
    """The smallest true difference that so many prompts would show in four of five experiments."""
    if isnan(difference.low) or difference.clusters < 2:
        return ""
    standard_error = (difference.high - difference.low) / (2 * float(stdtrit(difference.clusters - 1, 1 - ALPHA / 2)))
    points = (1 if unit == "grade" else 100) * POWER_Z * standard_error
    size = f"{points:.0f}" if points >= 10 else f"{points:.1f}"
    return f" With {difference.clusters} prompts, only a difference of about {size} points would show."
