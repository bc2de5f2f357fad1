"""Settings of the seed data: the human demonstrations (IFT) and judgements (EFT) that M1 is trained on."""

from typing import Literal

from pydantic import Field

from srlm.config.section import Section


class SeedsConfig(Section):
    """Source and size of the human seed data."""

    source: str | None = Field(
        "embedded",
        description=(
            "embedded, a file of demonstrations or ranked answers (ShareGPT, Alpaca, messages, prompt and completion, "
            "chosen and rejected; docs/howto/own_data.md), hf:OWNER/NAME[:SPLIT] with such records, a folder with "
            "ift.jsonl and eft.jsonl, oasst:NAME_OR_PATH, puzzle, sentences, countdown, or integration. With "
            "start=instruct null, no seed data, unless it is given; it then gives few-shot examples and held-out "
            "instructions, and no model is trained on it"
        ),
    )
    eft_source: str | None = Field(
        None,
        description=(
            "source of the EFT training part, in the same forms, such as a file of pairs; null: the same as source"
        ),
    )
    eft: bool = Field(
        True,
        description=(
            "false: M1 is trained on IFT alone and is the SFT baseline, from which the paper's M'2 and M'3 start"
        ),
    )
    ift_limit: int | None = Field(
        None, ge=1, description="maximum number of IFT demonstrations, spread evenly over their categories"
    )
    ranked_limit: int | None = Field(
        None,
        ge=1,
        description="maximum number of ranked instructions for EFT; saves time where M0 must judge them first",
    )
    ift_repeats: int = Field(
        1,
        ge=1,
        description=(
            "how many times M1 sees each demonstration per epoch; for seed data with few demonstrations and many "
            "judgements"
        ),
    )
    eft_targets: Literal["judgements", "ranks"] = Field(
        "judgements",
        description=(
            "the text that M1 learns to write as a judge. judgements: reasons and a score, by people or else by the "
            "SFT baseline (the paper); ranks: a score alone, spread over the rubric's scale from the best rank to the "
            "last, for an M0 that is too small to write judgements (then judge with judge.scoring=expected)"
        ),
    )
    eft_limit: int | None = Field(
        None, ge=1, description="maximum number of EFT judgements, spread evenly over the scores"
    )
    validation_limit: int | None = Field(None, ge=1, description="maximum number of held-out ranked instructions")
