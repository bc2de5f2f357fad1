"""Measurement of a judge card: a judge on labelled pairs, pairwise in both orders and optionally by scores.

All rates are over parsed verdicts, clustered by instruction, because verdicts on one instruction are not independent.
Time and cost come from the ledger, so a second run, which makes no call, gives the same card.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from math import floor, inf
from statistics import median

from srlm.config.preferences import JudgeConfig
from srlm.engines.engine import Engine
from srlm.inference import Caller
from srlm.judges.combination import Combination
from srlm.judges.judge_card import UNKNOWN, JudgeCard, LengthBias, Mass, Reliability, ScoreCard
from srlm.judges.pairwise import VOTE, Match, Preference, Voting, compare, load_pairwise
from srlm.judges.pointwise import PointwiseJudge, configured_judge, method_of, rewards, score
from srlm.judges.preference_data import LabelledSet
from srlm.judges.rubric import Scale
from srlm.ledger import Ledger
from srlm.rewards.combine import values_for_order
from srlm.rewards.source import RewardSource
from srlm.stats.five_numbers import five_numbers
from srlm.stats.intervals import Estimate, bootstrap_ratio, mean_interval
from srlm.transcript import transcript
from srlm.types import Failed, Scored, Verdict

Observation = tuple[str, float]
"""An observation: its cluster (the instruction) and its value: 1, 0, or a half for a tie."""


def measure_judge_card(
    caller: Caller,
    labelled: LabelledSet,
    *,
    limit: int | None,
    pointwise: PointwiseJudge | None = None,
    voting: Voting = VOTE,
) -> JudgeCard:
    """Measure a judge on at most `limit` labelled pairs, and its scores too if `pointwise` is given.

    A program, a reward model or a combination has scores alone.

    Raises:
        EngineFailed: no call at all was answered.
    """
    engine = caller.engine
    template = load_pairwise()
    chosen = labelled.matches(limit)
    subset_of, matches = {match.id: subset for subset, match in chosen}, [match for _, match in chosen]
    if isinstance(engine, RewardSource):
        return _measure_source(engine, caller, labelled, subset_of, matches)
    found = compare(
        caller,
        template,
        matches,
        label=f"judge card of {engine.name}: {len(matches)} pairs in both orders",
        voting=voting,
    )
    read = [one for one in found if one.value is not None]
    leads = [(one.match, one.value - 0.5) for one in found if one.value is not None]
    length = _length(leads)
    verdicts = [(transcript(one.match), verdict) for one in found for verdict in one.verdicts]
    return JudgeCard(
        judge=engine.name,
        rubric=voting.label(template),
        agreement=rate((transcript(match), _sign(lead)) for match, lead in leads),
        consistency=rate((transcript(one.match), float(bool(one.consistent))) for one in read),
        first_position=rate(seen for one in read for seen in _shown_first(one)),
        longer_preferred=length.preferred,
        read=sum(isinstance(verdict.reading, Scored) for _, verdict in verdicts) / max(1, len(verdicts)),
        identity=engine.identity,
        labelled=labelled.name,
        labelled_digest=labelled.digest,
        pairs=len(matches),
        instructions=len({transcript(match) for match in matches}),
        length=length,
        reliability=reliability(verdicts, caller.ledger),
        subsets=_by_subset(leads, subset_of),
        scores=_measure_scores(pointwise, caller, subset_of, matches) if pointwise else None,
        mass=mass(verdicts, voting.least_mass),
    )


def _measure_source(
    source: RewardSource, caller: Caller, labelled: LabelledSet, subset_of: dict[str, str], matches: Sequence[Match]
) -> JudgeCard:
    """Measure a program, a reward model or a combination, which compares no pairs: everything pairwise is unknown."""
    scores = _measure_scores(configured_judge(JudgeConfig()), caller, subset_of, matches)
    return JudgeCard(
        judge=source.name,
        rubric=source.label,
        agreement=UNKNOWN,
        consistency=UNKNOWN,
        first_position=UNKNOWN,
        longer_preferred=UNKNOWN,
        read=scores.reliability.parsed.value,
        identity=source.identity,
        labelled=labelled.name,
        labelled_digest=labelled.digest,
        pairs=len(matches),
        instructions=len({transcript(match) for match in matches}),
        scores=scores,
    )


def _by_subset(leads: Iterable[tuple[Match, float]], subset_of: dict[str, str]) -> dict[str, Estimate]:
    """Compute the agreement on each part of the labelled set; nothing for a set with one part."""
    observations: dict[str, list[Observation]] = {subset: [] for subset in subset_of.values()}
    for match, lead in leads:
        observations[subset_of[match.id]].append((transcript(match), _sign(lead)))
    return {subset: rate(observations[subset]) for subset in sorted(observations)} if len(observations) > 1 else {}


def _shown_first(one: Preference) -> list[Observation]:
    """Return for both verdicts an observation: 1 if it is for the answer shown first."""
    first, second = one.orders
    if first is None or second is None:
        return []
    return [(transcript(one.match), _sign(first - 0.5)), (transcript(one.match), _sign(0.5 - second))]


def _measure_scores(
    judge: PointwiseJudge, caller: Caller, subset_of: dict[str, str], matches: Sequence[Match]
) -> ScoreCard:
    """Score every answer of the pairs once, and compare the scores of each pair."""
    answers = {answer.id: (match, answer) for match in matches for answer in (match.first, match.second)}
    items = list(answers.values())
    verdicts = score(
        judge,
        caller,
        items,
        seed=0,
        label=f"judge card of {caller.engine.name}: scores of {len(items)} answers",
    )
    found = rewards([answer for _, answer in items], verdicts)
    value = values_for_order(found)
    owners = {key: transcript(match) for key, (match, _) in answers.items()}
    given = [(owners[one.answer_id], one.value) for one in found if one.value is not None]
    leads: list[tuple[Match, float]] = []
    for match in matches:
        better, worse = value[match.first.id], value[match.second.id]
        if better is not None and worse is not None:
            leads.append((match, better - worse))
    owned = [(owners[one.answer_ids[0]], one) for one in verdicts]
    method = method_of(judge, caller.engine)
    given_values = [one for _, one in given]
    return ScoreCard(
        rubric=method.rubric,
        scoring=method.scoring,
        agreement=rate((transcript(match), _sign(lead)) for match, lead in leads),
        ties=rate((transcript(match), float(lead == 0)) for match, lead in leads),
        length=_length(leads),
        mean=mean_interval(given_values, [owner for owner, _ in given], bounds=bounds_of(method.scale)),
        lowest=method.scale.lowest if method.scale else 0,
        histogram=histogram(given_values, method.scale),
        five_numbers=None if method.scale else five_numbers(given_values),
        reliability=reliability(owned, caller.ledger),
        subsets=_by_subset(leads, subset_of),
        mass=mass(owned, judge.least_mass),
        vetoed=_vetoed(caller.engine, owned),
    )


def _vetoed(engine: Engine, verdicts: Sequence[tuple[str, Verdict]]) -> Estimate:
    """Compute the share of vetoed answers in these (cluster, verdict); unknown for a judge that vetoes none."""
    if not isinstance(engine, Combination) or all(part.veto_below is None for part in engine.parts):
        return UNKNOWN
    return rate((cluster, float(bool(one.vetoed_by))) for cluster, one in verdicts)


def histogram(values: Iterable[float], scale: Scale | None) -> tuple[int, ...]:
    """Count the values nearest to each integer of the scale; a half is rounded up. Without a scale there are none."""
    if scale is None:
        return ()
    counts = Counter(floor(value + 0.5) for value in values)
    return tuple(counts[point] for point in scale.values)


def bounds_of(scale: Scale | None) -> tuple[float, float]:
    """Return the lowest and the highest score that can be."""
    return (-inf, inf) if scale is None else (scale.lowest, scale.highest)


def rate(observations: Iterable[Observation]) -> Estimate:
    """Average the observations with an interval; nan without any."""
    totals, counts = defaultdict[str, float](float), Counter[str]()
    for cluster, value in observations:
        totals[cluster] += value
        counts[cluster] += 1
    return bootstrap_ratio([totals[cluster] for cluster in counts], list(counts.values()))


def reliability(verdicts: Sequence[tuple[str, Verdict]], ledger: Ledger) -> Reliability:
    """Summarise failures, time and cost of these (cluster, verdict)."""
    answered = [(cluster, one) for cluster, one in verdicts if not isinstance(one.reading, Failed)]
    took = [(cluster, row) for cluster, one in answered for row in ledger.time_and_cost([one.call or ""])]
    costs = [(cluster, cost) for cluster, (_, cost) in took if cost is not None]
    return Reliability(
        verdicts=len(verdicts),
        parsed=rate((cluster, float(isinstance(one.reading, Scored))) for cluster, one in answered),
        failed=rate((cluster, float(isinstance(one.reading, Failed))) for cluster, one in verdicts),
        seconds=_per_thousand([(cluster, seconds) for cluster, (seconds, _) in took]),
        cost=_per_thousand(costs) if len(costs) == len(answered) else UNKNOWN,
    )


def mass(verdicts: Sequence[tuple[str, Verdict]], least: float) -> Mass:
    """Summarise the total probability of the choices in these (cluster, verdict)."""
    known = [(cluster, one.mass) for cluster, one in verdicts if one.mass is not None]
    if not known:
        return Mass()
    return Mass(
        median(value for _, value in known), least, rate((cluster, float(value < least)) for cluster, value in known)
    )


def _per_thousand(amounts: Sequence[tuple[str, float]]) -> Estimate:
    # They have no upper bound, so if all calls took the same time there is a value without an interval.
    one = mean_interval([amount for _, amount in amounts], [owner for owner, _ in amounts], bounds=(0, inf))
    return Estimate(1000 * one.value, 1000 * one.low, 1000 * one.high, one.n, one.clusters)


def _length(leads: Iterable[tuple[Match, float]]) -> LengthBias:
    """Compute the length bias: `leads` are matches with the lead that the judge gives to the better answer."""
    preferred: list[Observation] = []
    labelled: list[Observation] = []
    for match, lead in leads:
        gap = len(match.first.text) - len(match.second.text)
        if gap and lead:
            preferred.append((transcript(match), float((gap > 0) == (lead > 0))))
            labelled.append((transcript(match), float(gap > 0)))
    excess = [ours - theirs for (_, ours), (_, theirs) in zip(preferred, labelled, strict=True)]
    return LengthBias(
        rate(preferred), rate(labelled), mean_interval(excess, [owner for owner, _ in preferred], bounds=(-1.0, 1.0))
    )


def _sign(lead: float) -> float:
    """Return 1 for a lead, 0 for the opposite, a half for none."""
    return 0.5 if lead == 0 else float(lead > 0)
