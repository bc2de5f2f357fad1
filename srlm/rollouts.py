"""Records of reinforcement learning from self reward: each answer with its reward and its truth, and each step's audit.

The trainer writes them (`trainer/rollouts`), the monitor and the report read them. "Truth" is the checker's; nothing
that learns ever sees it.
"""

from dataclasses import dataclass, field

from srlm.types import SCHEMA


@dataclass(frozen=True)
class Rollout:
    """One answer of the policy in training, in `M2/rollouts.jsonl`.

    Attributes:
        step: optimiser step, from 1, before which it was written.
        problem_id: of the task.
        text: the whole answer.
        answer: what the task extracted; None if there is none.
        reward: in points; None if no verdict could be read.
        scored: verdicts that were read.
        unread: verdicts that were not, because they could not be parsed or their call failed.
        judged_right: the reward is at least `rollouts.right_from`; None without a reward or without such a limit.
        right: the checker's word; None if there is no checker or it cannot decide. An answer that could not be extracted
            is wrong.
        tokens: of the answer.
        cut: it ended at its length.
        calls: of its verdicts, by the keys of the ledger's entries.
    """

    id: str
    step: int
    problem_id: str
    text: str
    answer: str | None
    reward: float | None
    scored: int
    unread: int
    judged_right: bool | None
    right: bool | None
    tokens: int
    cut: bool
    schema: int = field(default=SCHEMA)
    calls: tuple[str, ...] = ()


@dataclass(frozen=True)
class StepAudit:
    """The audit of the answers of one step, in `M2/audit.jsonl` and in the training log.

    Of the answers that have both, a judgement and a truth: true and false positives and negatives of the judge. Shares
    and rates are between 0 and 1, None where there is nothing to divide by.

    Attributes:
        answers: of all processes.
        unread_share: share of the answers without a reward.
        mean_reward: in points.
        judged_right_share: of the audited answers.
        right_share: of the audited answers.
        gap: judged_right_share minus right_share.
        mean_tokens: of an answer.
        cut_share: share of the answers that were cut at their length.
        no_spread_share: share of the groups whose rewards are all equal, or of which fewer than two have one.
        undecided: answers about which the checker could not decide.
    """

    step: int
    answers: int
    unread_share: float
    mean_reward: float | None
    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int
    precision: float | None
    recall: float | None
    judged_right_share: float | None
    right_share: float | None
    gap: float | None
    mean_tokens: float
    cut_share: float
    no_spread_share: float
    undecided: int
    schema: int = field(default=SCHEMA)
