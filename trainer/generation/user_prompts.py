"""Prompts of the user's own, from a file or a data set: each iteration has its share, and none is used twice.

All prompts are put into an order that depends on the seed and on their texts alone. The run goes through them in that
order, refuses repetitions and, on request, what the filters of written instructions or the check against evaluation
sets refuse, and divides the others into shares. All this is done once and stored at the start of a run:

    prompts/chosen      the prompts of all iterations, with their final ids
    prompts/refused     the refused ones, with ids of the iteration for which they were considered
    prompts/file        the file's digest and the counts

so that a resumed run has the same prompts, whatever became of the file. How to run it: docs/howto/own_data.md.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import repeat

from srlm.config import TrainConfig
from srlm.config.generation import EMBEDDED, InstructionsConfig
from srlm.data_tables import HUB
from srlm.errors import DataError, UsageError
from srlm.prompt_files import PromptFile, file_digest, read_prompts
from srlm.runs import Run
from srlm.seed_data import evaluation_set
from srlm.seeding import derive_seed
from srlm.types import SCHEMA, Demonstration, Dropped, Prompt
from trainer.generation.contamination import contaminated, user_text
from trainer.generation.filters import InstructionFilter
from trainer.session import Session

REPEATED = "repeats another prompt"
CONTAMINATED = "overlaps with an evaluation set"
_CHOSEN, _REFUSED, _FILE = "prompts/chosen", "prompts/refused", "prompts/file"


@dataclass(frozen=True)
class PromptsUsed:
    """The file of prompts behind a run: its digest (see `PromptFile`), and counts of its prompts.

    `refused` counts by reason. Prompts that no iteration needed are neither chosen nor refused.
    """

    source: str
    sha256: str
    prompts: int
    chosen: int
    refused: dict[str, int]
    schema: int = field(default=SCHEMA)

    def __str__(self) -> str:
        """Return one line with the counts."""
        unused = self.prompts - self.chosen - sum(self.refused.values())
        return (
            f"{self.source}: {self.prompts:,} prompts; {self.chosen:,} chosen, {_counts(self.refused)}, {unused:,} not "
            "needed"
        )


@dataclass(frozen=True)
class Selection:
    """The chosen prompts of all iterations, and the refused ones, with their final ids."""

    chosen: tuple[Prompt, ...]
    refused: tuple[Dropped, ...]
    used: PromptsUsed


def select_prompts(config: TrainConfig, seeds: Sequence[Demonstration]) -> Selection:
    """Read the file of prompts, and choose those of all iterations.

    Args:
        config: the settings of the run.
        seeds: IFT demonstrations, to which the filters compare.

    Raises:
        DataError: it cannot be read; the message has the line.
        UsageError: an iteration would have too few prompts; the message has the counts.
    """
    settings = config.instructions
    file = read_prompts(settings.source)
    known = tuple(one.instruction for one in seeds) if settings.filters else ()
    needed = settings.count * config.iterations if settings.count else None
    accepted, sorted_out = _sort_out(
        settings, config.seed, needed, file.prompts, known, _held_out(settings.decontaminate)
    )
    refused = [*((0, one) for one in file.refused), *sorted_out]
    size = share_size(config, len(accepted))
    if size * config.iterations > len(accepted) or (config.iterations and not size):
        raise _too_few(config, file, len(accepted), [one for _, one in refused])
    models = [f"M{number}" for number in range(2, config.iterations + 2)]
    chosen = tuple(
        replace(accepted[place * size + number], id=f"{model}-p{number:04d}")
        for place, model in enumerate(models)
        for number in range(size)
    )
    named = tuple(
        replace(one, id=f"{models[min(before // size, len(models) - 1)]}-{one.id}") for before, one in refused if models
    )
    counts = dict(Counter(one.reason for one in named))
    total = len(file.prompts) + len(file.refused)
    return Selection(chosen, named, PromptsUsed(file.source, file.sha256, total, len(chosen), counts))


def share_size(config: TrainConfig, prompts: int) -> int:
    """Return the number of prompts of an iteration: the one in the settings, or an equal share of all `prompts`."""
    return config.instructions.count or prompts // max(1, config.iterations)


def snapshot_prompts(session: Session, seeds: Sequence[Demonstration]) -> None:
    """Choose the prompts of a run that has them from a file, and store them; print their counts.

    In a run that has stored them, print a line if the file has changed since then. `seeds` as in `select_prompts`.

    Raises:
        SrlmError: as `select_prompts`.
    """
    config, run = session.config, session.run
    if not config.instructions.from_file:
        return
    if run.path(_CHOSEN).exists():
        _tell_changes(session)
        return
    found = select_prompts(config, seeds)
    run.write(_FILE, [found.used])
    run.write(_REFUSED, found.refused)
    _sort_out.cache_clear()
    run.write(_CHOSEN, found.chosen)  # last: where it exists, the others do
    session.progress.say(str(found.used))


def share_of(run: Run, model: str) -> tuple[list[Prompt], list[Dropped]]:
    """Return the prompts on which `model` will be trained, and those that were refused for it."""
    refused = [one for one in run.records(_REFUSED, Dropped) if one.id.startswith(f"{model}-")]
    return chosen_for(run, model), refused


def chosen_for(run: Run, model: str) -> list[Prompt]:
    """Return the prompts on which `model` will be trained."""
    return [one for one in run.records(_CHOSEN, Prompt) if one.id.startswith(f"{model}-")]


def prompts_of_an_iteration(config: TrainConfig, run: Run) -> int:
    """Return the number of prompts of an iteration, by the settings or by the prompts that the run has stored."""
    return config.instructions.count or share_size(config, len(run.records(_CHOSEN, Prompt)))


@lru_cache(maxsize=1)
def _sort_out(
    settings: InstructionsConfig,
    seed: int,
    needed: int | None,
    prompts: tuple[Prompt, ...],
    seeds: tuple[str, ...],
    held_out: tuple[str, ...],
) -> tuple[list[Prompt], list[tuple[int, Dropped]]]:
    """Return the prompts that pass, in their order, and the refused ones with the number that passed before them.

    The result is cached, because the check before a run and the run itself ask for it.

    Args:
        settings: those of the instructions.
        seed: that of the run.
        needed: number of prompts that the iterations need, after which no more are considered; None for all.
        prompts: those of the file.
        seeds: instructions to which the filters compare.
        held_out: prompts of evaluation sets.
    """
    ordered = sorted(prompts, key=lambda one: derive_seed(seed, "prompts", *_key(one)))
    overlapping = frozenset(contaminated([user_text(one) for one in ordered], held_out)) if held_out else ()
    reasons: list[str | None] = []
    seen: set[tuple[str, ...]] = set()
    for place, prompt in enumerate(ordered):
        key = _key(prompt)
        reasons.append(REPEATED if key in seen else CONTAMINATED if place in overlapping else None)
        seen.add(key)
    texts = [user_text(prompt).strip() for prompt in ordered]
    left = [(text, False) for text, reason in zip(texts, reasons, strict=True) if reason is None]
    filtered = InstructionFilter(settings, seeds).reasons(left) if settings.filters else repeat(None)
    accepted: list[Prompt] = []
    refused: list[tuple[int, Dropped]] = []
    for prompt, text, own in zip(ordered, texts, reasons, strict=True):
        if len(accepted) == needed:
            break
        if reason := own or next(filtered):
            refused.append((len(accepted), Dropped(prompt.id, reason, text)))
        else:
            accepted.append(prompt)
    return accepted, refused


def _key(prompt: Prompt) -> tuple[str, ...]:
    """Return the texts by which prompts are the same, without blanks at their ends."""
    return (*(f"{one.role}: {one.content.strip()}" for one in prompt.context), prompt.instruction.strip())


def _held_out(sets: Sequence[str]) -> tuple[str, ...]:
    """Return the texts of evaluation sets."""
    found = [one for name in sets for one in (evaluation_set() if name == EMBEDDED else read_prompts(name).prompts)]
    return tuple(user_text(one) for one in found)


def _too_few(config: TrainConfig, file: PromptFile, passed: int, refused: Sequence[Dropped]) -> UsageError:
    count, total = config.instructions.count, len(file.prompts) + len(file.refused)
    need = f"{config.iterations} iterations need at least one each"
    if count is not None:
        need = f"{config.iterations} iterations of {count:,} (instructions.count) need {config.iterations * count:,}"
    reasons = Counter(one.reason for one in refused)
    share = passed // config.iterations
    advice = "Give more prompts"
    if count is not None and share:
        advice += f", or set instructions.count to {share:,} or fewer (null: an equal share)"
    if passed >= (count or 1):
        advice += ", or fewer iterations"
    return UsageError(
        f"{file.source} has {total:,} prompts: {passed:,} can be used, {_counts(reasons)}; {need}. {advice}."
    )


def _counts(refused: Counter[str] | dict[str, int]) -> str:
    if not refused:
        return "none refused"
    reasons = sorted(refused.items(), key=lambda item: (-item[1], item[0]))
    return f"{sum(refused.values()):,} refused ({', '.join(f'{count:,} {reason}' for reason, count in reasons)})"


def _tell_changes(session: Session) -> None:
    """Print a line if the file is another one than at the start of the run. A file that is gone is no matter."""
    source = session.config.instructions.source
    (used,) = session.run.records(_FILE, PromptsUsed)
    try:
        changed = not source.startswith(HUB) and file_digest(source) != used.sha256
    except DataError:
        return
    if changed:
        session.progress.say(
            f"{source} has changed since this run started. The run goes on with the prompts that it stored; to use "
            "the new ones, start a run with another --name."
        )
