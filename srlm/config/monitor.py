"""Thresholds of the training monitor (`trainer/monitor`)."""

from pydantic import Field

from srlm.config.section import Section


class MonitorConfig(Section):
    """Thresholds of an iteration's metrics: warnings, or the end of `srlm train --strict`. None is in the paper."""

    degenerate_answer_prompts: int = Field(
        4, ge=0, description="new instructions for which six degenerate answers are judged too; 0: none"
    )
    min_degenerate_gap: float = Field(
        0.5,
        description=(
            "mean reward of the candidates minus that of the degenerate answers, in points; for rewards without a "
            "scale, in standard deviations of the candidates' rewards"
        ),
    )
    min_parse_rate: float = Field(0.8, ge=0, le=1, description="share of the judge's replies that could be parsed")
    max_one_score: float = Field(0.9, ge=0, le=1, description="share of the most frequent score")
    max_top_scores: float = Field(0.8, ge=0, le=1, description="share of the highest score of the scale")
    max_length_drift: float = Field(
        0.5,
        ge=0,
        description=(
            "relative change of the candidates' mean length since the iteration before; of rollouts, of the answers' "
            "tokens since the first monitor.audit_steps steps"
        ),
    )
    max_length_gap: float = Field(
        0.5, ge=0, description="length of chosen minus rejected answers, as a share of the candidates' mean length"
    )
    min_pair_yield: float = Field(0.1, ge=0, le=1, description="preference pairs per new instruction")
    max_duplicates: float = Field(
        0.5, ge=0, le=1, description="share of written instructions refused as too similar to a known one"
    )
    min_diversity: float = Field(
        0.6, ge=0, le=1, description="mean distance of two new instructions, 1 minus their ROUGE-L"
    )
    max_contaminated: float = Field(
        0, ge=0, le=1, description="share of new instructions that have 13 words in a row in common with the test set"
    )
    max_self_excess: float = Field(
        1, ge=0, description="mean reward of M_t's answers by M_t minus that by the frozen judge, in points"
    )
    audit_steps: int = Field(
        10,
        ge=1,
        description=(
            "rollouts: number of steps, the first and the last, whose answers are compared; the gap of a step is "
            "compared with that of the first half of the first ones"
        ),
    )
    min_precision: float = Field(
        0.5,
        ge=0,
        le=1,
        description="rollouts: share of the answers called right by the judge that the checker does too",
    )
    max_gap_growth: float = Field(
        0.05,
        ge=0,
        description=(
            "rollouts: share of the answers called right by the judge minus the share that is right; its growth since "
            "the first steps, beyond which steps add up to an alarm"
        ),
    )
