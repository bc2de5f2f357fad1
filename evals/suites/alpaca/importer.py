"""Importer of AlpacaEval's annotations.json: each prompt judged once, in one order, by a judge without a card.

Files of one baseline belong together: the prompts are all that any of them has. A prompt that a file lacks stays in its
result without a preference, so that a model does not gain by leaving out hard prompts. Prompts have the ids that
`evals.single_turn` gives them, by their position, so that these results can be compared with those of `srlm eval`.
"""

from collections.abc import Sequence
from dataclasses import replace

from evals.importer import Importer, ResultFile, refuse_twice
from evals.prompt_sets import prompts_digest
from evals.results import Provenance
from evals.single_turn import Output, prompts_of
from evals.suites.alpaca.files import Annotation, Annotations, annotations_in
from evals.suites.alpaca.result import AlpacaResult
from srlm.json_files import Row
from srlm.judges.injection import constant_answers, find_suspicions
from srlm.judges.pairwise import load_pairwise
from srlm.types import Answer, Outcome, Prompt

NAMELESS = "a judge without a name"


def alpaca_results(files: Sequence[Annotations]) -> list[AlpacaResult]:
    """Convert each file to a result, in their order.

    Prompts are in the order of the longest file of a baseline, followed by those that only other files have. Files
    whose baselines wrote different outputs to one prompt are not of one benchmark, and get different digests.

    Raises:
        UsageError: two files are of the same model.
    """
    refuse_twice("AlpacaEval's annotations", [one.model for one in files])
    sets: list[dict[str, Annotation]] = []
    set_of: dict[int, int] = {}
    for number in sorted(range(len(files)), key=lambda number: -len(files[number].rows)):
        place = next((place for place, known in enumerate(sets) if _fits(files[number], known)), len(sets))
        if place == len(sets):
            sets.append({})
        for row in files[number].rows:
            sets[place].setdefault(row.instruction, row)
        set_of[number] = place
    prompts = [
        prompts_of([Output(row.instruction, row.baseline_output, "", row.dataset) for row in known.values()])
        for known in sets
    ]
    return [_result(one, prompts[set_of[number]]) for number, one in enumerate(files)]


def _fits(file: Annotations, known: dict[str, Annotation]) -> bool:
    """Check if most prompts of a file are among those known, with the same outputs of the baseline."""
    shared = [(row, known[row.instruction]) for row in file.rows if row.instruction in known]
    return 2 * len(shared) > len(file.rows) and all(one.baseline_output == two.baseline_output for one, two in shared)


def _result(file: Annotations, prompts: Sequence[Prompt]) -> AlpacaResult:
    rows = {row.instruction: row for row in file.rows}
    judge = file.annotator or NAMELESS
    template = load_pairwise()
    answers = [
        Answer(f"{file.model}:{prompt.id}", prompt.id, file.model, rows[prompt.instruction].model_output, "stop")
        for prompt in prompts
        if prompt.instruction in rows
    ]
    return AlpacaResult(
        file.model,
        f"annotations by {judge}",
        Provenance(judge, f"as {judge} has it", prompts_digest(prompts), "as its file has them"),
        None,
        tuple(_outcome(file, prompt, rows.get(prompt.instruction)) for prompt in prompts),
        flagged=sum(bool(find_suspicions(one.id, one.text, template)) for one in answers),
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


def _read(file: ResultFile, rows: Sequence[Row]) -> Annotations:
    annotations = annotations_in(rows)
    return annotations if file.name is None else replace(annotations, model=file.name)


IMPORTER = Importer(
    format="AlpacaEval's annotations.json",
    patterns=("annotations.json", "*/annotations.json"),
    recognise=lambda rows: "generator_2" in rows[0].data,
    read=_read,
    models=lambda content: [content.model],
    convert=alpaca_results,
)
