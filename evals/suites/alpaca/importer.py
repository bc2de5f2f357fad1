"""Importer of AlpacaEval's annotations.json: each prompt judged once, in one order, by a judge without a card.

Files of one baseline belong together: the prompts are all that any of them has. A prompt that a file lacks stays in its
result without a preference, so that a model does not gain by leaving out hard prompts. Prompts have the ids that
`evals.single_turn` gives them, by their position, so that these results can be compared with those of `srlm eval`.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from evals.importer import Importer, ResultFile, refuse_twice
from evals.prompt_sets import prompts_digest
from evals.results import Provenance
from evals.settings import Settings, find_setting
from evals.single_turn import Output, outputs_at, prompts_of
from evals.suites.alpaca.file_summary import summarize
from evals.suites.alpaca.files import Annotation, Annotations, BenchmarkPrompts, annotations_in
from evals.suites.alpaca.result import AlpacaResult
from srlm.conversations import CONVERSATIONS
from srlm.errors import UsageError
from srlm.json_files import Row, read_rows
from srlm.judges.injection import constant_answers, find_injections
from srlm.judges.pairwise import load_pairwise
from srlm.transcript import transcript
from srlm.types import Answer, Outcome, Prompt

NAMELESS = "a judge without a name"


def alpaca_results(files: Sequence[Annotations], settings: Settings = ()) -> list[AlpacaResult]:
    """Convert each file to a result, in their order.

    Prompts are those of the setting `BenchmarkPrompts`, in its order. Without it they are in the order of the longest
    file of a baseline, followed by those that only other files have. Files whose baselines wrote different outputs to
    one prompt are not of one benchmark, and get different digests.

    Raises:
        UsageError: two files are of the same model, or a file has a prompt that is not the benchmark's.
    """
    refuse_twice("AlpacaEval's annotations", [one.model for one in files])
    benchmark = find_setting(settings, BenchmarkPrompts)
    sets: list[dict[str, Annotation]] = []
    set_of: dict[int, int] = {}
    for number in sorted(range(len(files)), key=lambda number: -len(files[number].rows)):
        place = next((place for place, known in enumerate(sets) if _fits(files[number], known)), len(sets))
        if place == len(sets):
            sets.append({})
        for row in files[number].rows:
            sets[place].setdefault(transcript(row), row)
        set_of[number] = place
    outputs = [
        {
            transcript(row): Output(row.instruction, row.baseline_output, "", row.dataset, row.context)
            for row in known.values()
        }
        for known in sets
    ]
    if benchmark is not None:
        for file in files:
            _require_prompts(file, benchmark)
        outputs = [{transcript(one): known.get(transcript(one), one) for one in benchmark.outputs} for known in outputs]
    prompts = [prompts_of([*known.values()]) for known in outputs]
    return [_result(one, prompts[set_of[number]]) for number, one in enumerate(files)]


def _require_prompts(file: Annotations, benchmark: BenchmarkPrompts) -> None:
    known = {transcript(one) for one in benchmark.outputs}
    for number, row in enumerate(file.rows, start=1):
        if transcript(row) not in known:
            raise UsageError(
                f"Record {number} of the annotations of {file.model} has an instruction that the --prompts file lacks. "
                "Give the prompts that the annotations were made with."
            )


def _fits(file: Annotations, known: dict[str, Annotation]) -> bool:
    """Check if most prompts of a file are among those known, with the same outputs of the baseline."""
    shared = [(row, known[transcript(row)]) for row in file.rows if transcript(row) in known]
    return 2 * len(shared) > len(file.rows) and all(one.baseline_output == two.baseline_output for one, two in shared)


def _result(file: Annotations, prompts: Sequence[Prompt]) -> AlpacaResult:
    rows = {transcript(row): row for row in file.rows}
    judge = file.annotator or NAMELESS
    template = load_pairwise()
    asked = [(prompt, rows.get(transcript(prompt))) for prompt in prompts]
    answers = [
        Answer(f"{file.model}:{prompt.id}", prompt.id, file.model, row.model_output, "stop")
        for prompt, row in asked
        if row is not None
    ]
    return AlpacaResult(
        file.model,
        f"annotations by {judge}",
        Provenance(judge, f"as {judge} has it", prompts_digest(prompts), "as its file has them"),
        None,
        tuple(_outcome(file, prompt, row) for prompt, row in asked),
        flagged=sum(bool(find_injections(one.id, one.text, template)) for one in answers),
        constant=constant_answers(answers),
    )


def _outcome(file: Annotations, prompt: Prompt, row: Annotation | None) -> Outcome:
    preference = None if row is None else row.preference
    return Outcome(
        prompt_id=prompt.id,
        model=file.model,
        opponent=file.baseline,
        preference=preference,
        orders=(preference, None),
        length=len(row.model_output) if row else 0,
        opponent_length=len(prompt.reference or ""),
        verdict_ids=(f"{file.model}:{prompt.id}",) if row else (),
    )


def _read_prompts(place: str) -> BenchmarkPrompts | None:
    path = Path(place).expanduser()
    if path.is_dir() or (path.is_file() and not {"instruction", *CONVERSATIONS} & read_rows(path)[0].data.keys()):
        return None
    return BenchmarkPrompts(tuple(outputs_at(place)))


def _read(file: ResultFile, rows: Sequence[Row], settings: Settings) -> Annotations:
    annotations = annotations_in(rows)
    return annotations if file.name is None else replace(annotations, model=file.name)


IMPORTER = Importer(
    format="AlpacaEval's annotations.json",
    patterns=("annotations.json", "*/annotations.json"),
    recognise=lambda rows: "generator_2" in rows[0].data,
    read=_read,
    models=lambda content: [content.model],
    convert=alpaca_results,
    summarize=summarize,
    read_prompts=_read_prompts,
)
