"""FastChat's files of MT-Bench, written: one model's answers and its grades, JSON Lines in the order of the questions.

Left out of the records: `tstamp`, when they were made, so that the same run writes the same files.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.suites.mt_bench.files import BROKEN, UNREAD
from evals.suites.mt_bench.generate import Turns
from srlm.jsonl import write_records
from srlm.judges.grading import Conversation, GradingJudge
from srlm.types import Failed, Scored, Verdict


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
    write_records(path, [_judgement(model, judge, item, verdict) for item, verdict in graded])


def _judgement(model: str, judge: GradingJudge, item: Conversation, verdict: Verdict) -> dict[str, Any]:
    reading, rubric = verdict.reading, judge.rubric(item)
    return {
        "question_id": int(item.answers[0].prompt_id),
        "model": model,
        "judge": [verdict.judge, rubric.name],
        "user_prompt": rubric.fill(**item.slots),
        "judgment": BROKEN if isinstance(reading, Failed) else reading.text,
        "score": reading.value if isinstance(reading, Scored) else UNREAD,
        "turn": item.turn,
    }
