"""Evaluation: prepare suites, estimate their calls, run them, store the results, update model cards and trackers.

Every suite is prepared before the first model loads, so that the last of several does not end an evaluation after
hours. Of "all" suites those that cannot begin are left out, with the reason.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from evals.compare.tracking import log_results
from evals.cost_estimate import dry_run
from evals.evaluation_results import EvaluationResults, model_names
from evals.model import EvalModel
from evals.options import Job, Preparation, split_list, takers_of
from evals.suites import evaluable_suites
from srlm.console import Progress
from srlm.errors import SrlmError, UnknownName, UsageError
from srlm.ledger_lock import lock_ledger
from srlm.runs import Run, start_run
from srlm.trackers import require_trackers

ALL = "all"


@dataclass(frozen=True)
class Evaluation:
    """Prepared suites, with the models and the outside judge that they run on."""

    models: tuple[EvalModel, ...]
    judge: EvalModel
    run: Run
    jobs: Mapping[str, Job]

    @property
    def remote(self) -> bool:
        """Check if a model that is called is behind a server."""
        judged = any(one.name in self.jobs and one.outside_judge for one in evaluable_suites())
        return any(one.remote for one in (*self.models, *([self.judge] if judged else [])))

    def estimate(self, *, require_keys: bool = False) -> list[str]:
        """Return the calls that are left, with their tokens and cost, as lines for people.

        Raises:
            UsageError: `require_keys`, and a model has calls to make but no key.
        """
        with dry_run(self.run.existing_ledger) as counting:
            models, judge = [counting.wrap(one) for one in self.models], counting.wrap(self.judge)
            for job in self.jobs.values():
                if job.engines:
                    job.run(models, judge, counting.run, Progress(quiet=True))
            if require_keys:
                counting.require_keys()
            return counting.estimate()

    def execute(self, progress: Progress) -> EvaluationResults:
        """Run the suites one after the other; store and return one result a model (or pair) and suite.

        What a server's calls will take is said before the first of them. Model cards and trackers are updated.
        """
        lines = self.estimate(require_keys=True) if self.remote else []
        with lock_ledger(self.run.folder / "ledger.sqlite", progress.say) as waited, _begun(self.run, progress) as run:
            if self.remote:
                progress.say("\n".join(self.estimate(require_keys=True) if waited else lines))
            results = [
                result for job in self.jobs.values() for result in job.run(self.models, self.judge, run, progress)
            ]
            log_results(run, model_names(results))
        return EvaluationResults(self.run.folder, tuple(results))


def prepare(
    models: Mapping[str, EvalModel],
    suites: str | Sequence[str],
    judge: EvalModel,
    run: Run,
    progress: Progress,
    options: Mapping[str, Any],
) -> Evaluation:
    """Check the options and prepare the suites, without loading a model; `Evaluation.execute` runs them.

    Args:
        models: by the name that the user gave them.
        suites: their names, separated by commas or one by one, or "all".
        judge: of the suites that have an outside judge.
        run: where answers, verdicts and results are stored; one that is only planned is begun.
        progress: what the user sees.
        options: of the suites, by name; those that are None are not given.

    Raises:
        UnknownName: there is no such suite, or an option is none of any suite.
        UsageError: an option belongs to other suites, or no suite can begin.
        SrlmError: a suite cannot begin, and was asked for by name.
    """
    names, every = choose_suites(suites)
    given = {name: value for name, value in options.items() if value is not None}
    values = _checked(given, names)
    require_trackers(run.config.report_to)
    chosen = [one for one in evaluable_suites() if one.name in names]
    declared = {one.name: one.options for one in chosen}
    preparation = Preparation(values, [*models], [*models.values()], run, progress, declared, every)
    jobs: dict[str, Job] = {}
    for suite in chosen:
        try:
            jobs[suite.name] = suite.prepare(preparation)
        except SrlmError as error:
            if not every:
                raise
            progress.say(f"Left out is {suite.name}: {error}")
    if not jobs:
        raise UsageError("No suite can begin here; the lines above say why.")
    return Evaluation((*models.values(),), judge, run, jobs)


def choose_suites(names: str | Sequence[str]) -> tuple[list[str], bool]:
    """Return the suites that are named, in their own order, and if all were asked for.

    Raises:
        UnknownName: there is no such suite.
        UsageError: none is named.
    """
    given = [part for one in ([names] if isinstance(names, str) else names) for part in split_list(one)]
    known = [one.name for one in evaluable_suites()]
    for one in given:
        if one not in [*known, ALL]:
            raise UnknownName("The suite", one, [*known, ALL])
    if not given:
        raise UsageError(f"--suite names no suite. There are: {', '.join([*known, ALL])}.")
    return [one for one in known if one in given or ALL in given], ALL in given


def judged(names: str | Sequence[str]) -> bool:
    """Check if any of the suites asks an outside judge."""
    chosen, _ = choose_suites(names)
    return any(one.outside_judge for one in evaluable_suites() if one.name in chosen)


def _checked(options: Mapping[str, Any], suites: Sequence[str]) -> dict[str, Any]:
    """Return the values of options in their types, each of which a chosen suite takes.

    Raises:
        UnknownName: no suite has such an option.
        UsageError: only other suites take it, two of the chosen ones take different files by it, or it is out of range.
    """
    declared = {one.name: one.options for one in evaluable_suites()}
    values: dict[str, Any] = {}
    for name, value in options.items():
        takers = takers_of(name, declared)
        if not takers:
            raise UnknownName("The option", name, sorted({one.name for taken in declared.values() for one in taken}))
        chosen = {suite: option for suite, option in takers.items() if suite in suites}
        flag = next(iter(takers.values())).flag
        if not chosen:
            raise UsageError(
                f"{flag} is of the suite {' or '.join(takers)}, and not of {', '.join(suites)}: add it to --suite, or "
                "leave the option out."
            )
        contents: dict[str, list[str]] = {}
        for suite, option in chosen.items():
            contents.setdefault(option.content, []).append(suite)
        if len(contents) > 1:
            parts = " and ".join(" or ".join(one) for one in contents.values())
            raise UsageError(f"{flag} names the file of one suite: evaluate {parts} one after the other.")
        values[name] = next(iter(chosen.values())).convert(value)
    return values


@contextmanager
def _begun(run: Run, progress: Progress) -> Iterator[Run]:
    """Begin a run that was only planned, where no other process has begun it meanwhile."""
    if (run.folder / "run.yaml").exists():
        yield run
        return
    run.close()
    start_run(run.folder.parent, run.name, run.config)
    progress.say(f"There is no run in {run.folder.parent}: the results are kept in {run.folder}.")
    begun = Run(run.folder)
    try:
        yield begun
    finally:
        begun.close()
