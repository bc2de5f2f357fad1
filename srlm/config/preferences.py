"""Settings of LLM-as-a-judge, and of the training data that its rewards select: preference pairs or best answers."""

from typing import Literal

from pydantic import Field

from srlm.config.section import SamplingConfig, Section


class JudgeConfig(Section):
    """LLM-as-a-judge: how M_t scores its own candidates."""

    rubric: str = Field(
        "additive",
        description="additive (0-5), brief (0-5), levels (1-5), puzzle (0-5), sentences (0-5), or a Markdown file of your own",
    )
    scoring: Literal["sampled", "expected"] = Field(
        "sampled",
        description=(
            "sampled: the judge writes its reasons, then a score (the paper); "
            "expected: the mean score under the probabilities of the digits, in one forward pass"
        ),
    )
    samples: int = Field(3, ge=1, description="verdicts per candidate, averaged; the paper's 3")
    sampling: SamplingConfig = Field(
        SamplingConfig(max_tokens=256), description="the paper's 0.7 and 0.9, as for candidates"
    )
    frozen: str | None = Field(
        None,
        description=(
            "a second judge that is the same in all iterations and scores the same candidates by the same rubric: M0, "
            "SFT, M1, a path, hf:NAME, or a model behind a server (not in the paper)"
        ),
    )
    least_mass: float = Field(
        0.001,
        ge=0,
        le=1,
        description=(
            "with scoring=expected: minimum probability of all digits together; below it the judge was about to write "
            "something else, and the verdict is unparsed"
        ),
    )


class PairsConfig(Section):
    """Selection of preference pairs from the scored candidates. The defaults are the paper's."""

    scored_by: Literal["current", "frozen"] = Field(
        "current", description="rewards to select by. current: M_t's own; frozen: those of judge.frozen"
    )
    min_gap: float = Field(
        0,
        ge=0,
        description="minimum difference of the two rewards, in points (0: only equal rewards give no pair, the paper)",
    )
    length_rho: float | None = Field(
        None,
        ge=0,
        le=0.49,
        description=(
            "length control: take the shortest answer within this share of the reward range from the best, and the "
            "longest within as much of the worst (Meta-Rewarding, 2407.19594: 0 to 0.4); null: best and worst"
        ),
    )
    rejected_from: Literal["current", "base", "M1"] = Field(
        "current",
        description=(
            "base or M1: that model answers too, and its worst answer is the rejected one where it scores below M_t's "
            "worst (Temporal Self-Rewarding, 2508.06026); current: M_t's answers alone, the paper"
        ),
    )
    agreement: Literal["implicit"] | None = Field(
        None,
        description=(
            "implicit: drop a pair whose rejected answer is the better one by M_t's implicit DPO reward, the change of "
            "its log-likelihood since the model before (SCIR, 2502.08922); from the second iteration on, because M1 "
            "was not trained by DPO; null: the judge alone decides"
        ),
    )


class PositivesConfig(Section):
    """Selection of best answers for SFT, with learn_from=positives (the paper's A.4)."""

    min_reward: float | None = Field(
        None, description="minimum reward, in points; null: the highest of the scale, the paper's 5"
    )
    weight: float = Field(
        1,
        gt=0,
        description=(
            "how many times an epoch has each of them, next to the seed data; below 1, that share of them (the paper "
            "tuned it and gives no value)"
        ),
    )
