"""Scores for a file of answers: read another tool's file, score every answer, and summarise the scores.

A record has `instruction` and `output` (AlpacaEval's model_outputs), or `prompt` with `response` or `completion`, each
as text or as messages; or one question with its answer as `messages` or `conversations` (ShareGPT). If it has an
`input` with the instruction, as Alpaca's records do, the judge sees both. Written records contain instruction and
output too, so that they can be judged again.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from srlm.console import Progress
from srlm.conversations import asked_and_answered
from srlm.engines.engine import Engine
from srlm.errors import DataError, UsageError
from srlm.inference import Caller
from srlm.json_files import read_rows
from srlm.judges.injection import constant_answers
from srlm.judges.measure_judge_card import bounds_of, histogram, rate
from srlm.judges.pointwise import PointwiseJudge, method_of, rewards, score
from srlm.judges.rubric import Scale
from srlm.ledger import Ledger
from srlm.stats.correlation import spearman
from srlm.stats.five_numbers import FiveNumbers, five_numbers
from srlm.stats.intervals import Estimate, mean_interval
from srlm.transcript import transcript
from srlm.types import SCHEMA, Answer, Failed, Message, Prompt, Scored, Verdict

STAGE = "judge"


@dataclass(frozen=True)
class JudgedAnswer:
    """An answer with its verdicts. `reward`, `spread`, `vetoed_by`: see `srlm.types.Reward`; `context`: `Prompt`."""

    id: str
    instruction: str
    output: str
    model: str
    judge: str
    rubric: str
    scoring: str
    reward: float | None
    spread: float | None
    scored: int
    unparsed: int
    failed: int
    verdicts: tuple[Verdict, ...]
    schema: int = SCHEMA
    context: tuple[Message, ...] = ()
    vetoed_by: tuple[str, ...] = ()

    @property
    def flags(self) -> list[str]:
        """The kinds of suspected prompt injections in the answer, each once."""
        return sorted({one.kind for verdict in self.verdicts for one in verdict.injection_suspected})


@dataclass(frozen=True)
class Summary:
    """Summary of the scores of a file. Rates and means are clustered by instruction.

    `length` is the rank correlation of score and length in characters. `flagged` counts answers with a suspected prompt
    injection, `flags` those of each kind. `constant` counts the instructions with the most common answer. Scores
    without a scale, of a program, a reward model or a combination, have `five_numbers` in place of the histogram, and
    no flags. `vetoed` counts the answers that a combination vetoes; their scores are in all other figures.
    """

    answers: int
    instructions: int
    scored: int
    mean: Estimate
    lowest: int
    histogram: tuple[int, ...]
    parsed: Estimate
    failed: Estimate
    length: Estimate
    flagged: int
    flags: dict[str, int]
    constant: int
    five_numbers: FiveNumbers | None = None
    vetoed: int = 0


def read_answers(path: Path) -> list[tuple[Prompt, Answer]]:
    """Read the (prompt, answer) of a file's records. An answer's id is the record's `id`, else its number.

    Raises:
        DataError: the file cannot be read, a record lacks a field, or an id is repeated; the message has the line.
    """
    found: list[tuple[Prompt, Answer]] = []
    seen: set[str] = set()
    for row in read_rows(path):
        question, output = asked_and_answered(row)
        identifier = row.identifier("id") if row.data.get("id") is not None else f"{row.number:04d}"
        if identifier in seen:
            raise row.error(f"the id {identifier!r:.60} is repeated; ids must be unique.")
        seen.add(identifier)
        names = [name for name in ("generator", "model") if row.data.get(name)]
        model = row.text(names[0]) if names else "unknown"
        prompt = Prompt(identifier, question.instruction, "evaluation", context=question.context)
        found.append((prompt, Answer(identifier, question.instruction, model, output, "stop")))
    return found


def judge_answers(
    judge: PointwiseJudge, engine: Engine, items: Sequence[tuple[Prompt, Answer]], ledger: Ledger, progress: Progress
) -> list[JudgedAnswer]:
    """Score (prompt, answer) pairs; calls in the ledger are not repeated.

    Raises:
        EngineFailed: no call at all was answered.
    """
    method = method_of(judge, engine)
    verdicts = score(
        judge,
        Caller(engine, ledger, STAGE, progress),
        items,
        seed=0,
        label=f"{engine.name} judges {len(items)} answers",
    )
    of: dict[str, list[Verdict]] = {answer.id: [] for _, answer in items}
    for verdict in verdicts:
        of[verdict.answer_ids[0]].append(verdict)
    found = {one.answer_id: one for one in rewards([answer for _, answer in items], verdicts)}
    return [
        JudgedAnswer(
            id=answer.id,
            instruction=prompt.instruction,
            context=prompt.context,
            output=answer.text,
            model=answer.model,
            judge=engine.name,
            rubric=method.rubric,
            scoring=method.scoring,
            reward=found[answer.id].value,
            spread=found[answer.id].spread,
            scored=found[answer.id].scored,
            unparsed=found[answer.id].unparsed,
            failed=found[answer.id].failed,
            verdicts=tuple(of[answer.id]),
            vetoed_by=found[answer.id].vetoed_by,
        )
        for prompt, answer in items
    ]


def summarise(judged: Sequence[JudgedAnswer], scale: Scale | None) -> Summary:
    """Summarise the scores on their scale; None for those of a program, a reward model or a combination."""
    given = [(one, one.reward) for one in judged if one.reward is not None]
    values, owners = [value for _, value in given], [transcript(one) for one, _ in given]
    answered = [
        (transcript(one), verdict)
        for one in judged
        for verdict in one.verdicts
        if not isinstance(verdict.reading, Failed)
    ]
    return Summary(
        answers=len(judged),
        instructions=len({transcript(one) for one in judged}),
        scored=len(given),
        mean=mean_interval(values, owners, bounds=bounds_of(scale)),
        lowest=scale.lowest if scale else 0,
        histogram=histogram(values, scale),
        parsed=rate((owner, float(isinstance(verdict.reading, Scored))) for owner, verdict in answered),
        failed=rate(
            (transcript(one), float(isinstance(verdict.reading, Failed))) for one in judged for verdict in one.verdicts
        ),
        length=spearman(values, [len(one.output) for one, _ in given], owners),
        flagged=sum(bool(one.flags) for one in judged),
        flags=dict(sorted(Counter(kind for one in judged for kind in one.flags).items())),
        five_numbers=None if scale else five_numbers(values),
        vetoed=sum(bool(one.vetoed_by) for one in judged),
        constant=constant_answers(Answer(one.id, transcript(one), one.model, one.output, "stop") for one in judged),
    )


def refuse_other_file(
    path: Path, items: Sequence[tuple[Prompt, Answer]], *, judge: str, rubric: str, scoring: str
) -> None:
    """Refuse to overwrite a file with other contents than these answers, or the first of them, judged in this way.

    Raises:
        UsageError: it has other contents.
    """
    if not path.exists():
        return
    hint = "Name another file with --output, or move this one away."
    try:
        rows = [row.data for row in read_rows(path)]
    except DataError:
        rows = [{}]
    if not all({"id", "instruction", "output", "verdicts"} <= row.keys() for row in rows):
        raise UsageError(f"{path} exists and is not a file of judged answers. {hint}")
    for name, ours in (("judge", judge), ("rubric", rubric), ("scoring", scoring)):
        if rows[0].get(name) != ours:
            raise UsageError(f"{path} exists with another {name} ({rows[0].get(name)!s:.60}, not {ours}). {hint}")
    answers = {
        (answer.id, prompt.instruction, answer.text, repr([asdict(one) for one in prompt.context]))
        for prompt, answer in items
    }
    stored = {
        (*(str(row[name]) for name in ("id", "instruction", "output")), repr(row.get("context", []))) for row in rows
    }
    if not stored <= answers:
        raise UsageError(f"{path} exists and has judged answers of another file. {hint}")
