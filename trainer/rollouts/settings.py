"""Settings by which a training on rollouts rewards its answers: data alone, for a process that a launcher starts."""

from dataclasses import dataclass
from pathlib import Path

from srlm.config.monitor import MonitorConfig
from srlm.config.preferences import JudgeConfig
from srlm.config.rewards import Rewards
from srlm.config.rollouts import RolloutsConfig

CURRENT = "current"
"""Value of `rollouts.judged_by`: the policy judges with its weights of the step."""

START = "M_t"
"""Value of `rollouts.judged_by`: the model that the iteration starts from judges."""


@dataclass(frozen=True)
class RewardSettings:
    """Settings of the run on which rewards depend.

    Attributes:
        model: to be trained, such as "M2": the first part of the answers' ids.
        ledger: file of the run's ledger.
        judge_model: what `rollouts.judged_by` stands for: "current", a folder, or a model of another place.
        judge_name: its name in the ledger and in messages.
        external: the judge is no model of the run, so that it may always reason.
        seed: of the run.
        strict: an alarm ends the training.
        max_cost: US dollars that the command's calls to servers may cost; None for no limit.
        spent: those that they have cost before this training.
        max_connections: see `srlm.engines.client_config.ClientConfig`.
        timeout: likewise, in seconds.
    """

    model: str
    ledger: Path
    rollouts: RolloutsConfig
    parts: Rewards
    judge: JudgeConfig
    judge_model: str
    judge_name: str
    external: bool
    monitor: MonitorConfig
    seed: int
    batch_tokens: int | None
    strict: bool
    max_cost: float | None
    spent: float
    max_connections: int | None
    timeout: float
