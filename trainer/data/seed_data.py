"""Human-written data of a run: its snapshot of the seed data, and the SFT dataset made from it."""

from collections.abc import Iterable, Sequence
from functools import cache

from srlm.config import TrainConfig
from srlm.errors import NothingToTrain
from srlm.seed_data import Seeds, load_seeds
from srlm.types import Demonstration, RankedPrompt, SFTExample
from trainer.data.balance import balanced_over_kinds, balanced_subset, cap_majority_score
from trainer.data.eft_rejection_sampling import sample_eft_examples
from trainer.data.sft_examples import eft_examples, ift_examples, rank_only_eft_examples
from trainer.session import Session


def ift_seeds(config: TrainConfig, seeds: Seeds) -> list[Demonstration]:
    """Return the IFT demonstrations that a run uses of its seed data."""
    return balanced_over_kinds(seeds.ift, config.seeds.ift_limit, config.seed)


def snapshot_seed_data(session: Session) -> tuple[list[Demonstration], list[RankedPrompt]]:
    """Copy the seed data into the run, so that later changes of its files have no effect.

    What the run does not use, depending on its start, is not copied.

    Returns:
        The IFT demonstrations and the ranked prompts for EFT.
    """
    start, config, run = session.config.start, session.config.seeds, session.run
    source = config.source
    if source is None:
        return [], []
    load = cache(load_seeds)  # not at all in a run that has its copies

    def limited_ift() -> list[Demonstration]:
        return ift_seeds(session.config, load(source))

    def eft_seeds() -> Iterable[RankedPrompt]:
        found = load(config.eft_source or source)
        if found.equal_pairs:
            left_out = "1 pair" if found.equal_pairs == 1 else f"{found.equal_pairs} pairs"
            session.progress.say(f"EFT: {left_out} whose two answers are the same text, left out.")
        return found.eft[: config.ranked_limit]

    def held_out() -> Iterable[RankedPrompt]:
        found = load(source).validation or load(config.eft_source or source).validation
        return found[: config.validation_limit]

    instructions = session.config.instructions  # written ones need few-shot examples; the filters compare with seeds
    uses_ift = start == "base" or instructions.source == "written" or instructions.filters
    uses_eft = start != "instruct"
    ift = run.stage("seeds/ift", Demonstration, limited_ift) if uses_ift else []
    eft = run.stage("seeds/eft", RankedPrompt, eft_seeds) if uses_eft else []
    run.stage("seeds/validation", RankedPrompt, held_out)  # for evaluations and early stopping
    return ift, eft


def make_eft_examples(session: Session, ranked: Sequence[RankedPrompt]) -> list[SFTExample]:
    """Return the EFT examples: human judgements if the seeds have them, else sampled ones that agree with the ranks.

    Raises:
        NothingToTrain: there is none.
    """
    config = session.config
    if config.seeds.eft_targets == "ranks":
        examples = rank_only_eft_examples(ranked, session.judge().rubric)
    else:
        examples = eft_examples(ranked, session.judge().rubric)
    if not examples:
        model = "SFT" if config.trains_baseline else "M0"
        examples = cap_majority_score(sample_eft_examples(session, model, ranked), config.seed)
    if not examples:
        raise NothingToTrain(
            f"No EFT example: for none of {len(ranked)} ranked instructions do the sampled judgements agree with the "
            f"ranks (they are in {session.run.path('M1/verdicts')}). Give seeds with scores and rationales, use the "
            "embedded ones for EFT (--set seeds.eft_source=embedded), or train M1 on scores made from the ranks "
            "(--set seeds.eft_targets=ranks)."
        )
    return balanced_subset(examples, config.seeds.eft_limit, config.seed)


def sft_dataset(
    config: TrainConfig, ift: Sequence[Demonstration], judgements: Sequence[SFTExample]
) -> list[SFTExample]:
    """Return the examples that M1 is trained on: IFT, repeated `seeds.ift_repeats` times if there is EFT, then EFT.

    Unless the loop starts at a base model, demonstrations are few-shot examples only, and there is no IFT.
    """
    repeats = config.seeds.ift_repeats if config.seeds.eft else 1
    return [*(ift_examples(ift) * repeats if config.start == "base" else []), *judgements]
