"""Controls of the learning test: a stage's file is written here before the loop comes to it, and the loop reads it.

random-scores   each answer's reward is the mean of three scores drawn at random; `--m1` gives the M1 of plain runs
shuffled-eft    each judgement that M1 learns from was written about another answer
no-eft          M1 has no judgements to learn from
"""

import random
from dataclasses import replace
from statistics import fmean

from srlm.config import TrainConfig
from srlm.judges.pointwise import configured_judge
from srlm.runs import Run
from srlm.seed_data import load_seeds
from srlm.seeding import derive_seed
from srlm.types import Answer, Prompt, Reward, Verdict
from trainer.data.sft_examples import eft_examples
from trainer.generation.candidates import sample_candidates
from trainer.generation.new_prompts import new_prompts
from trainer.session import Session

CONTROLS = ("random-scores", "shuffled-eft", "no-eft")


def before_m1(config: TrainConfig, run: Run, control: str | None) -> None:
    """Replace the judgements that M1 learns from."""
    if control not in {"shuffled-eft", "no-eft"} or run.path("M1/judgements").exists():
        return
    judge = configured_judge(config.judge)
    judgements = (
        eft_examples(load_seeds(str(config.seeds.source)).eft[: config.seeds.ranked_limit], judge.rubric)
        if control == "shuffled-eft"
        else []
    )
    completions = [one.completion for one in judgements]
    random.Random(derive_seed(config.seed, control)).shuffle(completions)
    run.write(
        "M1/judgements", [replace(one, completion=text) for one, text in zip(judgements, completions, strict=True)]
    )


def before_iteration(session: Session, number: int, control: str | None) -> None:
    """Replace the rewards from which M_t+1 will learn; its instructions and candidates are those of the loop."""
    following = f"M{number + 1}"
    config, run = session.config, session.run
    if control != "random-scores" or run.path(f"{following}/rewards").exists():
        return
    prompts = run.stage(f"{following}/instructions", Prompt, lambda: new_prompts(session, number, []))
    candidates = run.stage(
        f"{following}/candidates", Answer, lambda: sample_candidates(session, following, f"M{number}", prompts)
    )
    chance = random.Random(derive_seed(config.seed, control, following))
    scale = session.judge().rubric.scale
    scores = [[chance.choice(scale.values) for _ in range(config.judge.samples)] for _ in candidates]
    no_verdicts: list[Verdict] = []
    run.write(f"{following}/verdicts", no_verdicts)
    run.write(
        f"{following}/rewards",
        [
            Reward(answer.id, fmean(given), float(max(given) - min(given)), len(given), 0, 0)
            for answer, given in zip(candidates, scores, strict=True)
        ],
    )
