"""The new prompts of an iteration, from the source that the settings name."""

from collections.abc import Sequence

from srlm.puzzle.task import PUZZLE
from srlm.sentences.task import SENTENCES
from srlm.types import Demonstration, Prompt
from trainer.generation.puzzles import puzzle_prompts
from trainer.generation.self_instruct import generate_prompts
from trainer.generation.user_prompts import share_of
from trainer.generation.word_sets import sentence_prompts
from trainer.session import Session

_MADE_BY_CODE = {PUZZLE: puzzle_prompts, SENTENCES: sentence_prompts}


def new_prompts(session: Session, number: int, seeds: Sequence[Demonstration]) -> list[Prompt]:
    """Return the prompts on which M_t+1 will be trained. Rejected ones are written to the run's `refused` stage.

    Args:
        session: the run.
        number: t, from 1 on.
        seeds: IFT demonstrations, as few-shot examples of written instructions.
    """
    config, run, following = session.config, session.run, f"M{number + 1}"
    if config.instructions.from_file:
        accepted, rejected = share_of(run, following)
        run.write(f"{following}/refused", rejected)
        return accepted
    earlier = [prompt for past in range(2, number + 1) for prompt in run.stage(f"M{past}/instructions", Prompt, list)]
    if make := _MADE_BY_CODE.get(config.instructions.source):
        run.write(f"{following}/refused", [])
        return make(following, config.instructions.made_count, config.seed, earlier)
    writer = {"base": "M0", "current": f"M{number}"}.get(config.instructions.writer, config.instructions.writer)
    accepted, rejected = generate_prompts(session, following, writer, seeds, earlier)
    run.write(f"{following}/refused", rejected)
    return accepted
