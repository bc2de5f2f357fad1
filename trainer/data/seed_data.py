"""What a run learns from people: its seeds, and the IFT and EFT examples that are made of them."""

from collections.abc import Iterable, Sequence

from srlm.config import TrainConfig
from srlm.errors import NothingToTrain
from srlm.seed_data import load_seeds
from srlm.seeding import derive_seed
from srlm.types import Demonstration, RankedPrompt
from trainer.data.sft_examples import (
    Example,
    bare_eft_examples,
    eft_examples,
    ift_examples,
    spread,
    thin,
    written_eft_examples,
)
from trainer.session import Session


def kept_seeds(session: Session) -> tuple[list[Demonstration], list[RankedPrompt]]:
    """Demonstrations and ranked answers as this run uses them: copied into it, lest it change with their file."""
    config, run = session.config.seeds, session.run

    def limited_ift() -> list[Demonstration]:
        return _over_kinds(load_seeds(config.source).ift, config.ift_limit, session.config.seed)

    def eft_seeds() -> Iterable[RankedPrompt]:
        return load_seeds(config.eft_source or config.source).eft[: config.ranked_limit]

    def held_out() -> Iterable[RankedPrompt]:
        return load_seeds(config.source).validation[: config.validation_limit]

    ift = run.stage("seeds/ift", Demonstration, limited_ift)
    eft = run.stage("seeds/eft", RankedPrompt, eft_seeds)
    run.stage("seeds/validation", RankedPrompt, held_out)  # what the evaluations and early stopping ask
    return ift, eft


def eft_judgements(session: Session, ranked: Sequence[RankedPrompt]) -> list[Example]:
    """EFT: judgements by people where the seeds have them, else those of the SFT baseline that agree with them."""
    config = session.config
    if config.seeds.eft_targets == "ranks":
        examples = bare_eft_examples(ranked, session.judge().rubric)
    else:
        examples = eft_examples(ranked, session.judge().rubric)
    if not examples:
        examples = thin(written_eft_examples(session, "SFT" if config.sft.baseline else "M0", ranked), config.seed)
    if not examples:
        raise NothingToTrain(
            f"No EFT example: of {len(ranked)} ranked instructions none got judgements in the order of their ranks "
            f"(the judge's words are in {session.run.path('M1/verdicts')}). Give seeds with scores and rationales, "
            "take the embedded ones for EFT (--set seeds.eft_source=embedded), or let M1 learn bare scores from ranks "
            "(--set seeds.eft_targets=ranks)."
        )
    return spread(examples, config.seeds.eft_limit, config.seed)


def of_seeds(config: TrainConfig, ift: Sequence[Demonstration], judged: Sequence[Example]) -> list[Example]:
    """What M1 learns from. Without judgements there is nothing that demonstrations would be too few beside."""
    return [*ift_examples(ift) * (config.seeds.ift_repeats if config.seeds.eft else 1), *judged]


def _over_kinds(seeds: tuple[Demonstration, ...], limit: int | None, seed: int) -> list[Demonstration]:
    """At most `limit` seeds, as even over their kinds as they allow."""
    if limit is None or limit >= len(seeds):
        return list(seeds)
    of_kind: dict[str | None, list[Demonstration]] = {}
    for one in sorted(seeds, key=lambda one: derive_seed(seed, "ift", one.id)):
        of_kind.setdefault(one.kind, []).append(one)
    turns = [(number, one) for group in of_kind.values() for number, one in enumerate(group)]
    return [one for _, one in sorted(turns, key=lambda turn: turn[0])[:limit]]
