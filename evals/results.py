"""What a suite leaves behind: a JSON file per model, or pair of models, with all that is needed to compare them.

evals/alpaca/M2.json            outcomes of M2 against the references
evals/reward/M2.json            scores of M2 as judge on ranked answers
evals/mt-bench/M2.json          grades of M2's answers, turn by turn
evals/verifiable/M2.json        which instructions the answers of M2 follow
evals/head-to-head/M2~M1.json   outcomes of M2 against M1, one file a pair of models
evals/human/M2~M1.json          the pairs of answers that people compare; their votes: evals/human/M2~M1/ANNOTATOR.jsonl
evals/nlp/M2.json               what M2 gets right, item by item, and lm-eval's own figures
evals/alpaca/M2.answers.jsonl, M2.verdicts.jsonl       what they came from
evals/head-to-head/M2.answers.jsonl, M2~M1.verdicts.jsonl   the same of the pair
evals/alpaca/M2/model_outputs.json, annotations.json   the same as alpaca_eval's files
evals/mt-bench/M2/model_answer.jsonl, model_judgment.jsonl   the same as FastChat's
evals/nlp/M2/results_*.json, samples_*.jsonl           what lm-eval's command would have written
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from evals.suites.human.votes import TURNED, Sheet, Vote, read_votes, standing
from evals.suites.mt_bench.data import Grade
from srlm.errors import DataError, UsageError
from srlm.filenames import LONGEST, among, cut, file_name
from srlm.jsonl import explain, read_json, with_nan, without_nan, write_json
from srlm.judges.judge_card import JudgeCard
from srlm.runs import Run
from srlm.stats.reward_model import Ranked
from srlm.types import SCHEMA, Finish, Outcome


@dataclass(frozen=True)
class Provenance:
    """What must agree before two results may be compared.

    `dates` are the first and the last day, in UTC, on which a server's verdicts came: behind a name the model changes.
    None for a judge that cannot, and where nobody wrote it down.
    """

    judge: str
    rubric: str
    prompts: str
    sampling: str
    dates: tuple[str, str] | None = None


@dataclass(frozen=True)
class Endings:
    """How a model's answers ended. `empty` ones hold no word; before `spent` of these the model only thought.

    `cut` ones were ended by the server, neither by themselves nor at the token limit. Results of older versions count
    none.
    """

    answers: int = 0
    empty: int = 0
    spent: int = 0
    cut: int = 0


@dataclass(frozen=True)
class AlpacaResult:
    """One model's answers against the references, judged in both orders, or in one where another tool did it.

    `card` is None where nobody measured the judge.
    `flagged` answers hold something that speaks to the judge, with the places in the verdicts; `constant` prompts got
    one and the same answer.
    """

    model: str
    identity: str
    provenance: Provenance
    card: JudgeCard | None
    outcomes: tuple[Outcome, ...]
    flagged: int = 0
    constant: int = 0
    suite: str = "alpaca"
    schema: int = SCHEMA
    endings: Endings = Endings()


@dataclass(frozen=True)
class HeadToHeadResult:
    """Two models' answers to the same prompts, judged in both orders; wins are those of `model`.

    `flagged` counts the answers of `model` and of `opponent` that hold something that speaks to the judge, `constant`
    the prompts that got one and the same answer from them.
    """

    model: str
    opponent: str
    identities: tuple[str, str]
    provenance: Provenance
    card: JudgeCard
    outcomes: tuple[Outcome, ...]
    flagged: tuple[int, int] = (0, 0)
    constant: tuple[int, int] = (0, 0)
    suite: str = "head-to-head"
    schema: int = SCHEMA
    endings: tuple[Endings, Endings] = (Endings(), Endings())

    def turned(self) -> "HeadToHeadResult":
        """The same from the other side."""
        return replace(
            self,
            model=self.opponent,
            opponent=self.model,
            identities=self.identities[::-1],
            outcomes=tuple(_turned(one) for one in self.outcomes),
            flagged=self.flagged[::-1],
            constant=self.constant[::-1],
            endings=self.endings[::-1],
        )


def _turned(outcome: Outcome) -> Outcome:
    first, second = (None if one is None else 1 - one for one in outcome.orders)
    return replace(
        outcome,
        model=outcome.opponent,
        opponent=outcome.model,
        preference=None if outcome.preference is None else 1 - outcome.preference,
        orders=(second, first),
        length=outcome.opponent_length,
        opponent_length=outcome.length,
        verdict_ids=outcome.verdict_ids[::-1],
    )


@dataclass(frozen=True)
class HumanResult:
    """What people said of two models' answers to the same prompts: the votes that stand, of `model` against `opponent`.

    It is read off a sheet and the files of votes beside it, and never stored.
    """

    model: str
    opponent: str
    provenance: Provenance
    sheet: Sheet
    votes: tuple[Vote, ...]
    suite: str = "human"

    def turned(self) -> "HumanResult":
        """The same from the other side; the sheet stays as it was drawn."""
        other: dict[Literal["model", "opponent"], Literal["model", "opponent"]]
        other = {"model": "opponent", "opponent": "model"}
        votes = [replace(one, verdict=TURNED[one.verdict], left=other[one.left]) for one in self.votes]
        return replace(self, model=self.opponent, opponent=self.model, votes=tuple(votes))


@dataclass(frozen=True)
class MtBenchResult:
    """One model's grades on two-turn questions, one of each turn whatever became of it.

    `flagged` answers hold something that speaks to the judge.
    """

    model: str
    identity: str
    provenance: Provenance
    grades: tuple[Grade, ...]
    flagged: int = 0
    suite: str = "mt-bench"
    schema: int = SCHEMA
    endings: Endings = Endings()


@dataclass(frozen=True)
class RewardResult:
    """One model as a judge of ranked answers. `groups` are its rewards beside the human ranks, one an instruction.

    `perfect` is the best score of the rubric.
    """

    model: str
    identity: str
    provenance: Provenance
    instruction_ids: tuple[str, ...]
    groups: tuple[Ranked, ...]
    scored: int
    unparsed: int
    failed: int
    perfect: float = 5.0
    suite: str = "reward"
    schema: int = SCHEMA


@dataclass(frozen=True)
class Checked:
    """What a program found in one model's answer to a prompt: for each instruction in it, whether it is followed.

    `strict`, `loose` and `finish` are None for an answer that never came; `loose` also where the checker has no
    lenient reading. `length` is in characters.
    """

    prompt_id: str
    instructions: tuple[str, ...]
    strict: tuple[bool, ...] | None
    loose: tuple[bool, ...] | None
    length: int
    finish: Finish | None


@dataclass(frozen=True)
class VerifiableResult:
    """One model's answers to prompts whose instructions a program checks: no judge, but the provenance's checker."""

    model: str
    identity: str
    provenance: Provenance
    checked: tuple[Checked, ...]
    suite: str = "verifiable"
    schema: int = SCHEMA
    endings: Endings = Endings()


@dataclass(frozen=True)
class Figure:
    """A metric of a task as lm-eval computes it, and lm-eval's standard error, None where it has none."""

    value: float
    stderr: float | None


@dataclass(frozen=True)
class TaskResult:
    """One model on one task or group of lm-eval.

    `figures` and `items` are by metric and filter, in lm-eval's form: "acc,none". An item is its place in the split,
    from 0, after the name of its task where a group has several; metrics without a value for each item are left out of
    `items`. `parts` are the figures of a group's tasks; `better` says for each metric whether more of it is.
    """

    model: str
    task: str
    provenance: Provenance
    figures: dict[str, Figure]
    parts: dict[str, dict[str, Figure]]
    items: dict[str, dict[str, float]]
    better: dict[str, Literal["more", "less", "neither"]]

    @property
    def suite(self) -> str:
        """What it is called where it cannot be compared."""
        return f"nlp ({self.task})"


@dataclass(frozen=True)
class NlpResult:
    """One model on tasks of lm-eval, each with a provenance of its own, so that one may be added to the others."""

    model: str
    identity: str
    tasks: dict[str, TaskResult]
    suite: str = "nlp"
    schema: int = SCHEMA

    def called(self, name: str) -> "NlpResult":
        """The same under another name of the model."""
        return replace(self, model=name, tasks={key: replace(one, model=name) for key, one in self.tasks.items()})


@dataclass(frozen=True)
class Results:
    """All results of a run, by model; head-to-head and people's votes by both models, as they are stored."""

    alpaca: dict[str, AlpacaResult] = field(default_factory=dict)
    reward: dict[str, RewardResult] = field(default_factory=dict)
    verifiable: dict[str, VerifiableResult] = field(default_factory=dict)
    mt_bench: dict[str, MtBenchResult] = field(default_factory=dict)
    head_to_head: dict[tuple[str, str], HeadToHeadResult] = field(default_factory=dict)
    nlp: dict[str, NlpResult] = field(default_factory=dict)
    human: dict[tuple[str, str], HumanResult] = field(default_factory=dict)


Provenanced = (
    AlpacaResult | HeadToHeadResult | HumanResult | MtBenchResult | RewardResult | TaskResult | VerifiableResult
)
"""What came about in one way."""

Result = AlpacaResult | HeadToHeadResult | MtBenchResult | NlpResult | RewardResult | VerifiableResult

STRAYS = frozenset({"annotations.json", "model_outputs.json"})
"""Names of AlpacaEval's files, which belong into a folder of their own."""


def store(run: Run, result: Result) -> None:
    """Write a result under its suite and model, or pair of models."""
    models = (result.model, result.opponent) if isinstance(result, HeadToHeadResult) else (result.model,)
    path = run.folder / "evals" / result.suite / f"{_file(run, result.suite, *models)}.json"
    write_json(path, without_nan(asdict(result)))
    before = path.with_name(f"{_before(models)}.json")
    if _dots(models) and before != path:
        before.unlink(missing_ok=True)  # it is of the same model, and would be read beside the new one


def load_results(run: Run) -> Results:
    """Read all results of a run.

    Raises:
        DataError: a result file is damaged.
    """
    kinds = (AlpacaResult, RewardResult, VerifiableResult, MtBenchResult, HeadToHeadResult, NlpResult)
    results = gathered([result for kind in kinds for result in _load(run, kind)])
    return replace(results, human=_load_human(run))


def gathered(results: Sequence[Result]) -> Results:
    """Results by suite and model."""
    return Results(
        {one.model: one for one in results if isinstance(one, AlpacaResult)},
        {one.model: one for one in results if isinstance(one, RewardResult)},
        {one.model: one for one in results if isinstance(one, VerifiableResult)},
        {one.model: one for one in results if isinstance(one, MtBenchResult)},
        {(one.model, one.opponent): one for one in results if isinstance(one, HeadToHeadResult)},
        {one.model: one for one in results if isinstance(one, NlpResult)},
    )


def added(results: Results, others: Sequence[Result]) -> Results:
    """Results with others, such as those of files.

    Raises:
        UsageError: a model has results of the same suite in both.
    """
    kept: list[Result] = [
        one
        for suite in (results.alpaca, results.reward, results.verifiable, results.mt_bench, results.nlp)
        for one in suite.values()
    ]
    known = {(one.suite, one.model) for one in kept}
    for one in others:
        if (one.suite, one.model) in known:
            raise UsageError(
                f"{one.model} has results of {one.suite} in the run and in a file. Give the file's another name: "
                "NAME=FILE"
            )
    return replace(gathered([*kept, *results.head_to_head.values(), *others]), human=results.human)


def load_nlp(run: Run, model: str) -> NlpResult | None:
    """What is stored of one model on tasks of lm-eval, if anything.

    Raises:
        DataError: the file is damaged.
    """
    path = run.folder / "evals" / "nlp" / f"{_file(run, 'nlp', model)}.json"
    found: NlpResult | None = _validated(TypeAdapter(NlpResult), path) if path.exists() else None
    return found


def store_sheet(run: Run, sheet: Sheet) -> None:
    """Write the pairs that people are shown."""
    write_json(_sheet_path(run, (sheet.model, sheet.opponent)), asdict(sheet))


def load_sheet(run: Run, pair: tuple[str, str]) -> Sheet | None:
    """The pairs that were drawn of two models, if any.

    Raises:
        DataError: the file is damaged.
    """
    path = _sheet_path(run, pair)
    found: Sheet | None = _validated(TypeAdapter(Sheet), path) if path.exists() else None
    return found


def votes_folder(run: Run, pair: tuple[str, str]) -> Path:
    """Where the votes on a sheet stand, one file an annotator."""
    return run.folder / "evals" / "human" / _file(run, "human", *pair)


def _sheet_path(run: Run, pair: tuple[str, str]) -> Path:
    return run.folder / "evals" / "human" / f"{_file(run, 'human', *pair)}.json"


def _load_human(run: Run) -> dict[tuple[str, str], HumanResult]:
    """What people voted, of the pairs of models that anybody voted on."""
    found: dict[tuple[str, str], HumanResult] = {}
    for path in sorted((run.folder / "evals" / "human").glob("*.json")):
        sheet: Sheet = _validated(TypeAdapter(Sheet), path)
        pair = (sheet.model, sheet.opponent)
        shown = {one.prompt_id for one in sheet.pairs}
        votes = [vote for file in sorted(votes_folder(run, pair).glob("*.jsonl")) for vote in read_votes(file)]
        stand = tuple(vote for vote in standing(votes).values() if vote.prompt_id in shown)
        if stand:
            provenance = Provenance("people", "blind choice of two", sheet.prompts, sheet.sampling)
            found[pair] = HumanResult(*pair, provenance, sheet, stand)
    return found


def _load(run: Run, kind: Any) -> list[Any]:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    found = []
    for path in sorted((run.folder / "evals" / kind.suite).glob("*.json")):
        if not _astray(path):
            found.append(_validated(adapter, path))
    return found


def _astray(path: Path) -> bool:
    """Whether a file is one of another tool's, which earlier versions put here for a model that is called "."."""
    if path.name not in STRAYS and not path.name.startswith("results_"):
        return False
    data = read_json(path)
    return not (isinstance(data, dict) and "suite" in data)


def _validated(adapter: "TypeAdapter[Any]", path: Path) -> Any:
    try:
        return adapter.validate_python(with_nan(read_json(path)))
    except (ValidationError, OverflowError) as error:
        raise DataError(
            path, f"is not a result of this version ({explain(error)}); evaluate the model again."
        ) from None


def _file(run: Run, suite: str, *models: str) -> str:
    """One or two names as the name of files of a suite: "openai:gpt-4o" -> "openai%3Agpt-4o".

    What is there already keeps its name. On every disk M2 and m2 are two files, and so are any two models.
    """
    try:
        taken = [one.name for one in (run.folder / "evals" / suite).iterdir()]
    except OSError:
        taken = []
    names = [file_name(model) for model in models]
    name = names[0] if len(names) == 1 else "~".join(one.replace("~", "%7E") for one in names)
    name = cut(name, "~".join(models), 2 * LONGEST + 1)  # signs may have become three
    return among(taken, name if _dots(models) else _before(models), name, "~".join(models))


def _before(models: Sequence[str]) -> str:
    """The name of earlier versions, which had no limit and knew no system but theirs."""
    names = [quote(model, safe="", errors="surrogatepass") for model in models]
    return names[0] if len(names) == 1 else "~".join(name.replace("~", "%7E") for name in names)


def _dots(models: Sequence[str]) -> bool:
    """Whether earlier versions called it by dots alone, which means a folder."""
    return len(models) == 1 and set(models[0]) == {"."}


def files_folder(run: Run, suite: str, model: str) -> Path:
    """Where a result stands in the files of another tool."""
    return run.folder / "evals" / suite / _file(run, suite, model)


def part(run: Run, suite: str, models: str | tuple[str, str], what: str) -> str:
    """The stage name of a record file that belongs to a result: of a model, or of a pair of them."""
    return f"evals/{suite}/{_file(run, suite, *((models,) if isinstance(models, str) else models))}.{what}"
