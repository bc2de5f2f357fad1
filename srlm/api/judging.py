"""A judge's work as functions: score a file of answers, measure the judge itself, label prompts."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from srlm.api.estimates import run_with_estimate
from srlm.api.models import ModelOpener, find_run, find_run_if_any

if TYPE_CHECKING:
    from evals.labels.annotate import Labelled
    from srlm.api.results import LabelledPrompts, MeasuredJudge, ScoredFile
    from srlm.console import Progress
    from srlm.engines.engine import Engine
    from srlm.judges.judge_card import JudgeCard
    from srlm.judges.pointwise import Method, PointwiseJudge
    from srlm.judges.preference_data import LabelledSet
    from srlm.judges.score_file import JudgedAnswer
    from srlm.ledger import Ledger
    from srlm.runs import Run

DEFAULT_LEDGER = Path("results/judge/ledger.sqlite")
Scoring = Literal["sampled", "expected"]


def judge(
    file: str | Path,
    judge: str | None = None,
    *,
    rubric: str = "additive",
    scoring: Scoring = "sampled",
    samples: int = 3,
    temperature: float | None = None,
    top_p: float | None = None,
    max_tokens: int | None = None,
    least_mass: float | None = None,
    output: str | Path | None = None,
    ledger: str | Path = DEFAULT_LEDGER,
    run: "Run | str | None" = None,
    runs: str | Path | None = None,
    max_connections: int | None = None,
    timeout: float | None = None,
    max_cost: float | None = None,
    quiet: bool = False,
) -> "ScoredFile":
    """Score the answers of a file with an LLM judge, and write the scores with the judge's words.

    Args:
        file: JSON or JSON Lines, also .gz: records with instruction + output, prompt + response, or messages.
        judge: the packaged model, if None; else as for `evaluate`: openai:NAME, a folder, M2, ...; or a program,
            FILE.py:FUNCTION, a reward model, or a run file with the setting reward (FILE.yaml), which score without
            rubric, scoring and samples.
        rubric: one that ships with srlm, or a Markdown file.
        scoring: "sampled" words, then a score (the paper); or "expected", the mean over the digits' probabilities.
        samples: verdicts an answer, averaged; of sampled scoring only.
        temperature: of sampled verdicts; 0.7, if None.
        top_p: of sampled verdicts; 0.9, if None.
        max_tokens: of a sampled verdict; 256, if None.
        least_mass: least probability of the digits together, below which a verdict counts as unread.
        output: file of the scores; the file's name with .judged.jsonl in the current folder, if None.
        ledger: file of the calls, so that none is made twice.
        run: an open run or a name, for a judge such as M2; the one that was changed last, if None.
        runs: folder of the runs; $SRLM_RUNS or results/runs, if None.
        max_connections: concurrent requests to a server; if None, 16, and up to 256 to a vLLM server.
        timeout: seconds without an answer of the server after which the work stops; 300, if None.
        max_cost: US dollars that all calls may cost together.
        quiet: print no progress on standard error.

    Raises:
        DataError: the file cannot be read.
        UsageError: the output holds something else.
        EngineFailed: the judge does not answer.

    Example:
        >>> scored = srlm.judge("model_outputs.json", "openai:gpt-4.1", max_cost=2)  # doctest: +SKIP
        >>> scored.to_pandas()[["id", "reward"]]  # doctest: +SKIP
    """
    from srlm.api.results import ScoredFile
    from srlm.console import Progress
    from srlm.jsonl import write_records
    from srlm.judges.judge_card import find_judge_card
    from srlm.judges.pointwise import method_of
    from srlm.judges.score_file import judge_answers, read_answers, refuse_other_file, summarise
    from srlm.model_hub import PACKAGED

    scorer = _scorer(rubric, scoring, samples, temperature, top_p, max_tokens, least_mass)
    items = read_answers(Path(file))
    target = Path(output) if output is not None else Path(f"{_stem(Path(file))}.judged.jsonl")
    progress = Progress(quiet=quiet)
    if judge is None:
        progress.say("No --judge is given: the packaged 135M model judges. Its card says how far to trust it.")
    opener = ModelOpener(progress, max_connections=max_connections, timeout=timeout, max_cost=max_cost)
    model = opener.model(judge or PACKAGED, find_run_if_any(run, runs))

    def work(
        engine: "Engine", calls: "Ledger", progress: Progress
    ) -> "tuple[list[JudgedAnswer], tuple[Path, JudgeCard] | None, Method]":
        how = method_of(scorer, engine)
        refuse_other_file(target, items, judge=engine.name, rubric=how.rubric, scoring=how.scoring)
        card = find_judge_card(Path(ledger), engine.identity, how.rubric, how.scoring)
        return judge_answers(scorer, engine, items, calls, progress), card, how

    judged, card, how = run_with_estimate(work, model, Path(ledger), progress)
    write_records(target, judged)
    return ScoredFile(tuple(judged), summarise(judged, how.scale), card, target, model.name)


def judge_card(
    spec: str,
    *,
    pairs: str | Path | None = None,
    limit: int | None = None,
    rubric: str = "additive",
    scoring: Scoring = "sampled",
    samples: int = 3,
    temperature: float | None = None,
    top_p: float | None = None,
    max_tokens: int | None = None,
    judge_tokens: int | None = None,
    least_mass: float | None = None,
    ledger: str | Path = DEFAULT_LEDGER,
    run: "Run | str | None" = None,
    runs: str | Path | None = None,
    max_connections: int | None = None,
    timeout: float | None = None,
    max_cost: float | None = None,
    quiet: bool = False,
) -> "MeasuredJudge":
    """Measure a judge on labelled pairs: agreement with people, position and length bias, unread replies, cost.

    The card is stored with the ledger; `judge` shows it with scores that the same judge gave in the same way.

    Args:
        spec: the judge: smollm2, a folder, hf:NAME, openai:NAME[@ADDRESS], or a model of a run (M2); or a program,
            FILE.py:FUNCTION, a reward model, or a run file with the setting reward (FILE.yaml), of which only scores
            are measured.
        pairs: labelled pairs, a file or a folder of subsets; the packaged ones, if None.
        limit: use at most so many pairs, spread over instructions.
        rubric: of its scores: one that ships with srlm, or a Markdown file.
        scoring: "sampled" or "expected", as for `judge`.
        samples: verdicts an answer, averaged; of sampled scoring only.
        temperature: of sampled verdicts; 0.7, if None.
        top_p: of sampled verdicts; 0.9, if None.
        max_tokens: of a sampled verdict; 256, if None.
        judge_tokens: tokens for a judge that reasons before it names A or B.
        least_mass: least probability of the choices together, below which a verdict counts as unread.
        ledger: file of the calls, so that none is made twice; the card is stored next to it.
        run: an open run or a name, for a judge such as M2; the one that was changed last, if None.
        runs: folder of the runs; $SRLM_RUNS or results/runs, if None.
        max_connections: concurrent requests to a server; if None, 16, and up to 256 to a vLLM server.
        timeout: seconds without an answer of the server after which the work stops; 300, if None.
        max_cost: US dollars that all calls may cost together.
        quiet: print no progress on standard error.

    Raises:
        DataError: the pairs cannot be read.
        EngineFailed: the judge does not answer.

    Example:
        >>> measured = srlm.judge_card("openai:gpt-4.1", limit=100)  # doctest: +SKIP
        >>> measured.card.agreement.value  # doctest: +SKIP
        0.87
    """
    from srlm.api.results import MeasuredJudge
    from srlm.console import Progress
    from srlm.inference import Caller
    from srlm.judges.judge_card import store_card
    from srlm.judges.measure_judge_card import measure_judge_card
    from srlm.judges.pairwise import voting_of

    scorer = _scorer(rubric, scoring, samples, temperature, top_p, max_tokens, least_mass)
    progress = Progress(quiet=quiet)
    labelled = labelled_pairs(pairs, progress)
    opener = ModelOpener(progress, max_connections=max_connections, timeout=timeout, max_cost=max_cost)
    model = opener.model(spec, find_run_if_any(run, runs))

    def work(engine: "Engine", calls: "Ledger", progress: Progress) -> "JudgeCard":
        caller, voting = Caller(engine, calls, "judge/card", progress), voting_of(judge_tokens, least_mass)
        return measure_judge_card(caller, labelled, limit=limit, pointwise=scorer, voting=voting)

    card = run_with_estimate(work, model, Path(ledger), progress)
    return MeasuredJudge(card, store_card(Path(ledger), card))


def label(
    judge: str | None = None,
    *,
    overwrite: bool = False,
    run: "Run | str | None" = None,
    runs: str | Path | None = None,
    max_connections: int | None = None,
    timeout: float | None = None,
    max_cost: float | None = None,
    quiet: bool = False,
) -> "LabelledPrompts":
    """Label the prompts that a run's models were evaluated on: category, complexity and expected length.

    The judge first names at most 20 categories, then labels each prompt. A label that cannot be read of its reply stays
    unknown. `compare` shows metrics by these labels.

    Args:
        judge: the packaged model, if None, which is too small for it.
        overwrite: ask the judge also where all prompts of a suite came with labels of their own.
        run: an open run or a name; the one that was changed last, if None.
        runs: folder of the runs; $SRLM_RUNS or results/runs, if None.
        max_connections: concurrent requests to a server; if None, 16, and up to 256 to a vLLM server.
        timeout: seconds without an answer of the server after which the work stops; 300, if None.
        max_cost: US dollars that all calls may cost together.
        quiet: print no progress on standard error.

    Raises:
        UsageError: nothing was evaluated that has prompts.
        EngineFailed: the judge does not answer.

    Example:
        >>> srlm.label("openai:gpt-4.1").to_pandas().groupby("category").size()  # doctest: +SKIP
    """
    from evals.labels.annotate import label_prompts
    from evals.labels.store import save_labels
    from evals.prompt_sets import load_prompt_sets
    from srlm.api.results import LabelledPrompts
    from srlm.console import Progress
    from srlm.errors import UsageError
    from srlm.model_hub import PACKAGED

    home = find_run(run, runs)
    sets = load_prompt_sets(home)
    if not sets:
        raise UsageError(f"In the run {home.name} nothing was evaluated that has prompts. Begin with: srlm eval")
    progress = Progress(quiet=quiet)
    opener = ModelOpener(progress, max_connections=max_connections, timeout=timeout, max_cost=max_cost)
    model = opener.model(judge or PACKAGED, home)

    def work(engine: "Engine", ledger: "Ledger", progress: Progress) -> "dict[str, Labelled]":
        return {
            digest: label_prompts(engine, prompts, ledger, progress=progress, overwrite=overwrite)
            for digest, prompts in sets.items()
        }

    found = run_with_estimate(work, model, home.folder / "ledger.sqlite", progress)
    for digest, labelled in found.items():
        save_labels(home, digest, labelled.labels)
    return LabelledPrompts(found, model.name, home.name)


def labelled_pairs(pairs: str | Path | None, progress: "Progress") -> "LabelledSet":
    """Read labelled pairs, the packaged ones if None, and name those that were skipped."""
    from srlm.judges.preference_data import load_labelled

    labelled = load_labelled(Path(pairs) if pairs is not None else None)
    if labelled.skipped_message:
        progress.say(labelled.skipped_message)
    return labelled


def _scorer(
    rubric: str,
    scoring: Scoring,
    samples: int,
    temperature: float | None,
    top_p: float | None,
    max_tokens: int | None,
    least_mass: float | None,
) -> "PointwiseJudge":
    """Make the judge of these settings; those that are None are as in a run's configuration."""
    from srlm.config.preferences import JudgeConfig
    from srlm.judges.pointwise import configured_judge

    given = {"temperature": temperature, "top_p": top_p, "max_tokens": max_tokens}
    changes = {name: value for name, value in given.items() if value is not None}
    config = JudgeConfig(rubric=rubric, scoring=scoring, samples=samples)
    mass = config.least_mass if least_mass is None else least_mass
    sampling = config.sampling.model_copy(update=changes)
    return configured_judge(config.model_copy(update={"sampling": sampling, "least_mass": mass}))


def _stem(file: Path) -> str:
    return file.name.removesuffix(".gz").removesuffix(".jsonl").removesuffix(".json")
