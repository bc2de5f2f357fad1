"""FastChat's files of MT-Bench, read: question.jsonl, reference_answer/*.jsonl, model_judgment/*.jsonl; plain or gzip.

In a judgement `score` is a number from 1 to 10, and -1 where FastChat found none in the judge's words. It looks for the
first [[7]], or else for the first [7]; that is done here again, and what differs is counted. A 0, which some judges
give, counts as it does there, and is counted. What cannot be read ends in one error that names the record. Left out:
verdicts on pairs of answers, which FastChat keeps in files of their own.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import as_file, files
from math import nan
from pathlib import Path
from typing import Any, Literal

from evals.settings import RepeatRule
from evals.suites.mt_bench.data import NUMBERED, SCALE, WITH_REFERENCE, Question
from evals.suites.mt_bench.generate import Turns
from srlm.errors import DataError
from srlm.json_files import Row, UniqueKeys, read_rows
from srlm.jsonl import write_records
from srlm.judges.grading import Conversation, GradingJudge
from srlm.types import Failed, Scored, Verdict

NO_SCORE = -1
ERROR_MARKER = "$ERROR$"
"""What FastChat writes for a call that never succeeded."""

_RATINGS = (re.compile(r"\[\[(\d+\.?\d*)\]\]"), re.compile(r"\[(\d+\.?\d*)\]"))


@dataclass(frozen=True)
class Judgement:
    """A judgement of one turn. `score` is that of the file, None where the file has none.

    `records` are the judgements of which this is the mean, where the file repeats a turn.
    """

    question: int
    turn: Literal[1, 2]
    score: float | None
    text: str
    records: "tuple[Judgement, ...]" = ()

    @property
    def broken(self) -> bool:
        """Check if the call to the judge failed."""
        return self.text == ERROR_MARKER

    @property
    def by_text(self) -> float | None:
        """Return the score that FastChat's rule finds in the words."""
        found = next((match for pattern in _RATINGS if (match := pattern.search(self.text))), None)
        return float(found[1]) if found else None

    @property
    def differs(self) -> bool:
        """Check if the score is not what FastChat's rule finds in the words; of a mean, any of its scores."""
        return any(one.differs for one in self.records) if self.records else self.score != self.by_text


@dataclass(frozen=True)
class Judgements:
    """One judge's grades of several models, each in the order of the file.

    `repeated` counts the further records of turns that the file judges several times, by model.
    """

    judge: str
    models: dict[str, tuple[Judgement, ...]]
    repeated: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Questions:
    """The categories of the benchmark's questions, by number: a setting of the importer."""

    categories: Mapping[int, str]


def read_judgements(
    path: Path, categories: Mapping[int, str] = NUMBERED, repeats: RepeatRule | None = None
) -> Judgements:
    """Read grades of single answers.

    Args:
        path: such as model_judgment/gpt-4_single.jsonl.
        categories: of the benchmark's questions, by number.
        repeats: the way to read a turn that is judged several times; None refuses it.

    Raises:
        DataError: a record lacks a field, repeats a turn of a model, is of another judge, on an unknown question,
            about a pair of answers, or holds a score that is none; or no record holds any.
    """
    return judgements_in(read_rows(path), categories, repeats)


def judgements_in(
    records: Sequence[Row], categories: Mapping[int, str] = NUMBERED, repeats: RepeatRule | None = None
) -> Judgements:
    """Read the judgements in the records of a file, of which there is one at least. See `read_judgements`."""
    judge = _judge(records[0])
    first: dict[tuple[str, int, int], Row] = {}
    models: dict[str, dict[tuple[int, int], list[Judgement]]] = {}
    for record in records:
        if _judge(record) != judge:
            raise record.error(f"is a judgement of {_judge(record)}, the first one of {judge}: one judge a file.")
        model, one = record.text("model"), _judgement(record)
        if one.question not in categories:
            raise record.error(
                f"there is no question {one.question}. For other questions than MT-Bench's, name their question.jsonl: "
                "--prompts FILE"
            )
        before = first.setdefault((model, one.question, one.turn), record)
        if before is not record and repeats is None:
            raise record.error(
                f"has the judgement of {model} on turn {one.turn} of question {one.question} of {before.unit} "
                f"{before.number} again, as FastChat writes it when it is run twice. Name the one that counts, or "
                "their mean: --repeats first, last or mean."
            )
        models.setdefault(model, {}).setdefault((one.question, one.turn), []).append(one)
    if all(one.score is None for turns in models.values() for given in turns.values() for one in given):
        raise DataError(records[0].path, f"holds no score: each of its records has {NO_SCORE}.")
    return Judgements(
        judge,
        {model: tuple(_merged(given, repeats) for given in turns.values()) for model, turns in models.items()},
        {model: sum(len(given) - 1 for given in turns.values()) for model, turns in models.items()},
    )


def _merged(given: Sequence[Judgement], repeats: RepeatRule | None) -> Judgement:
    """Return the judgement of a turn.

    With the mean of its scores each turn counts once. FastChat's mean is over all records, which is the same where
    every turn has as many.
    """
    if len(given) == 1 or repeats != "mean":
        return given[-1 if repeats == "last" else 0]
    scores = [one.score for one in given if one.score is not None]
    return replace(given[-1], score=sum(scores) / len(scores) if scores else None, records=tuple(given))


def read_questions(path: Path) -> list[Question]:
    """Read the questions, in the order of the file, without references.

    Args:
        path: question.jsonl, or a folder that holds it.

    Raises:
        DataError: a record lacks a field, repeats a question, or has not two turns.
    """
    once = UniqueKeys()
    found: list[Question] = []
    for record in read_rows(_question_file(path)):
        number = _number(record)
        once.add(record, number, f"the question {number}")
        found.append(Question(number, record.text("category"), _two(record, "turns", record.data.get("turns"))))
    return found


def read_referenced_questions(path: Path) -> list[Question]:
    """Read the questions with the reference answers of the folder reference_answer next to them.

    Raises:
        DataError: as `read_questions`, or an answer to mathematics, reasoning or coding is missing.
    """
    file = _question_file(path)
    questions, folder = read_questions(file), file.parent / "reference_answer"
    needed = [one.id for one in questions if one.category in WITH_REFERENCE]
    if not needed:
        return questions
    files = sorted(one for one in folder.glob("*.jsonl*") if one.suffix in {".jsonl", ".gz"})
    if len(files) != 1:
        raise DataError(folder, f"one file of reference answers is expected next to {file.name}, not {len(files)}.")
    references = read_answers(files[0])
    lacking = [number for number in needed if number not in references]
    if lacking:
        raise DataError(files[0], f"has no reference answer to question {', '.join(map(str, lacking[:5]))}.")
    return [
        Question(one.id, one.category, one.turns, references[one.id] if one.category in WITH_REFERENCE else None)
        for one in questions
    ]


def own_questions() -> list[Question]:
    """Sixteen questions that ship with srlm, two a category; MT-Bench's are FastChat's, and not part of it."""
    with as_file(files("srlm.data") / "two_turn") as folder:
        return read_referenced_questions(folder)


def read_answers(path: Path) -> dict[int, tuple[str, str]]:
    """Read one model's answers, or the references: the first choice of each record, by question.

    Raises:
        DataError: a record lacks a field, repeats a question, or has not two turns.
    """
    once = UniqueKeys()
    found: dict[int, tuple[str, str]] = {}
    for record in read_rows(path):
        number, choices = _number(record), record.data.get("choices")
        once.add(record, number, f"the answer to question {number}")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            raise record.error("the field choices must be a list of objects with turns.")
        found[number] = _two(record, "choices[0].turns", choices[0].get("turns"))
    return found


def write_answers(path: Path, model: str, answers: Mapping[int, Turns]) -> None:
    """Write model_answer/MODEL.jsonl; a question without both answers has no record."""
    write_records(
        path,
        [
            {
                "question_id": number,
                "answer_id": turns[0].id,
                "model_id": model,
                "choices": [{"index": 0, "turns": [answer.text for answer in turns]}],
            }
            for number, turns in answers.items()
            if len(turns) == 2
        ],
    )


def write_judgements(
    path: Path, model: str, judge: GradingJudge, graded: Sequence[tuple[Conversation, Verdict]]
) -> None:
    """Write model_judgment/JUDGE_single.jsonl; a turn without an answer has no record, one without a grade has -1."""
    write_records(path, [_written_judgement(model, judge, item, verdict) for item, verdict in graded])


def _question_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    found = [one for name in ("question.jsonl", "question.jsonl.gz") if (one := path / name).is_file()]
    if not found:
        raise DataError(path, "holds no question.jsonl.")
    return found[0]


def _judgement(record: Row) -> Judgement:
    turn = record.data.get("turn")
    if isinstance(turn, bool) or turn not in (1, 2):
        raise record.error(f"the field turn must be 1 or 2, not {turn!r:.40}.")
    return Judgement(_number(record), 1 if turn == 1 else 2, _score(record), record.text("judgment"))


def _score(record: Row) -> float | None:
    value = record.data.get("score")
    score = value if isinstance(value, int | float) and not isinstance(value, bool) else nan
    if score == NO_SCORE:
        return None
    if not 0 <= score <= SCALE[1]:
        raise record.error(f"the score must be a number from 0 to 10, or {NO_SCORE} for none, not {value!r:.40}.")
    return float(score)


def _judge(record: Row) -> str:
    if "g1_winner" in record.data:
        raise record.error("is a verdict on a pair of answers; grades of single answers are expected.")
    value = record.data.get("judge")
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(one, str) for one in value):
        raise record.error("the field judge must be a list of two texts, the judge's name and its prompt's.")
    return str(value[0])


def _number(record: Row) -> int:
    value = record.data.get("question_id")
    if not isinstance(value, int) or isinstance(value, bool):
        raise record.error(f"the field question_id must be a whole number, not {value!r:.40}.")
    return value


def _two(record: Row, name: str, value: Any) -> tuple[str, str]:
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(one, str) for one in value):
        raise record.error(f"the field {name} must be a list of two texts.")
    return value[0], value[1]


def _written_judgement(model: str, judge: GradingJudge, item: Conversation, verdict: Verdict) -> dict[str, Any]:
    reading, rubric = verdict.reading, judge.rubric(item)
    return {
        "question_id": int(item.answers[0].prompt_id),
        "model": model,
        "judge": [verdict.judge, rubric.name],
        "user_prompt": rubric.fill(**item.slots),
        "judgment": ERROR_MARKER if isinstance(reading, Failed) else reading.text,
        "score": reading.value if isinstance(reading, Scored) else NO_SCORE,
        "turn": item.turn,
    }
