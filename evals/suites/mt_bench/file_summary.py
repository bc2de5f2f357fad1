"""Counts of FastChat's judgements that no result holds, and the means of each turn."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from evals.importer import FileSummary, summary_row
from evals.metric import Cell, Metric
from evals.settings import Settings
from evals.suites.mt_bench.data import SCALE
from evals.suites.mt_bench.files import Judgement, Judgements
from evals.suites.mt_bench.grades import LABELS, MeanGrades, mean_grades
from evals.suites.mt_bench.result import MtBenchResult
from srlm.jsonl import without_nan
from srlm.stats.intervals import Estimate


@dataclass(frozen=True)
class Counts:
    """Counts of the records of a model, and of what they lack.

    `turns` are those of the questions. `unread` judgements hold no grade, `failed` calls brought none, `absent` turns
    have no record, `repeated` records are further ones on a turn. `differ` turns have a score other than FastChat's
    rule finds in the words, and `off_scale` ones are a 0.
    """

    turns: int
    records: int
    unread: int
    failed: int
    absent: int
    repeated: int
    differ: int
    off_scale: int


def summarize(files: Sequence[Judgements], results: Sequence[MtBenchResult], settings: Settings) -> list[FileSummary]:
    """Summarize each model of each file, with the result that it was converted to."""
    models = [(file, model) for file in files for model in file.models]
    return [_summary(file, model, result) for (file, model), result in zip(models, results, strict=True)]


def count_records(given: Sequence[Judgement], result: MtBenchResult, repeated: int = 0) -> Counts:
    """Count the judgements of a model; `result` has all turns of the questions."""
    states = [one.state for one in result.grades]
    return Counts(
        turns=len(states),
        records=len(given) + repeated,
        unread=states.count("unparsed"),
        failed=states.count("failed"),
        absent=states.count("absent"),
        repeated=repeated,
        differ=sum(one.differs for one in given),
        off_scale=sum(one.score is not None and one.score < SCALE[0] for one in given),
    )


def _summary(file: Judgements, model: str, result: MtBenchResult) -> FileSummary:
    counts = count_records(file.models[model], result, file.repeated.get(model, 0))
    means = mean_grades(result.grades)

    def count(key: str, label: str, value: int, of: int = 0, level: int = 0) -> Metric:
        return summary_row(f"mt_bench_file_{key}", label, model, value, n=of, level=level)

    def grade(key: str, label: str, value: Estimate, level: int = 0) -> Metric:
        return Metric(f"mt_bench_file_{key}", label, "grade", "more", {model: Cell(value)}, level=level)

    rows = [
        count("turns", "turns", counts.turns),
        count("records", "records", counts.records),
        count("repeated", "of a turn that has another one", counts.repeated, counts.records, level=1),
        count("unread", "turns without a readable grade", counts.unread, counts.turns),
        count("failed", "turns of which the call failed", counts.failed, counts.turns),
        count("absent", "turns without a record", counts.absent, counts.turns),
        count("differ", "scores that are not those of the judge's words", counts.differ, counts.turns),
        count("off_scale", "scores of 0, below the scale", counts.off_scale, counts.turns),
    ]
    for key, one in means.items():
        name = LABELS.get(key, key)
        rows += [
            grade(f"{key}_turn_1", f"{name}, turn 1", one.turn_1),
            grade(f"{key}_turn_2", "turn 2", one.turn_2, level=1),
            count(f"{key}_missing", "turns without a grade", one.missing, one.both.n + one.missing, level=1),
        ]
    return FileSummary(
        "mt-bench",
        model,
        f"FastChat's judgements by {file.judge}",
        tuple(rows),
        tuple(_captions(model, counts, means["overall"])),
        without_nan(
            {
                "suite": "mt-bench",
                "model": model,
                "judge": file.judge,
                "means": {key: {**asdict(one), "limits": one.limits} for key, one in means.items()},
                "counts": asdict(counts),
            }
        ),
    )


def _captions(model: str, counts: Counts, overall: MeanGrades) -> list[str]:
    lines = []
    if counts.differ:
        lines.append(
            f"Attention: {counts.differ} scores of {model} are not what FastChat's rule finds in the judge's words; "
            "the scores count, as they do there."
        )
    if counts.off_scale:
        lines.append(
            f"Attention: {counts.off_scale} scores of {model} are a 0, below the scale; they count, as in FastChat."
        )
    if overall.missing:
        low, high = overall.limits
        would = f", and its overall mean would be between {low:.2f} and {high:.2f} with them" if overall.both.n else ""
        lines.append(
            f"Attention: {overall.missing} of {counts.turns} turns of {model} have no grade ({counts.unread} unread, "
            f"{counts.failed} failed, {counts.absent} without a record). No mean counts them{would}."
        )
    return lines
