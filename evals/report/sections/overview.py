"""The head of the page: what the run is, what may be concluded, the judge's card, cost and time."""

import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from math import isnan
from shlex import quote

import yaml

from evals.report.section import Cell, Row, Section, Table
from evals.report.sections.common import Told, findings
from evals.results import CardedResult, Results
from srlm.engines.server_address import without_credentials
from srlm.errors import DataError
from srlm.jsonl import read_json
from srlm.judges.judge_card import JudgeCard
from srlm.ledger import Ledger, LedgerRow, total
from srlm.runs import Run
from srlm.stats.formatting import percent


def conclusions(found: Mapping[str, Told]) -> Section:
    """All sentences of the comparisons, those first that are more than chance."""
    every = [finding for one in found.values() for finding in findings(one)]
    if not every:
        words = "Nothing was compared: that needs results of two models at the least."
        return Section("findings", "What is certain, and what is not", missing=words, command="srlm eval SFT M1 M2 M3")
    lead = (
        "Certain is a difference whose interval leaves out zero and whose p value, adjusted for the models that were "
        "compared, is below 0.05. All others may be chance."
    )
    ranked = sorted(every, key=lambda one: {True: 0, None: 1, False: 2}[one.certain])
    return Section("findings", "What is certain, and what is not", lead, findings=ranked)


def configuration(run: Run) -> Section:
    """A few settings, and all of them on demand. Credentials in addresses are left out."""
    config = run.config
    facts = [
        ("model", _public(config.model)),
        ("iterations", str(config.iterations)),
        ("learns from", config.learn_from),
        ("new instructions", f"{config.instructions.count:,} an iteration, written by {config.instructions.writer}"),
        ("candidates", f"{config.candidates} an instruction"),
        ("judges itself", f"{config.judge.scoring}, rubric {config.judge.rubric.rpartition('/')[2]}"),
        ("frozen judge", _public(config.judge.frozen or "none")),
        ("DPO", f"beta {config.dpo.beta:g}, learning rate {config.dpo.learning_rate:g}"),
        ("seeds", _public(config.seeds.source)),
        ("seed of chance", str(config.seed)),
    ]
    facts += _machine(run)
    whole = _public(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True))
    return Section("configuration", "Configuration", facts=facts, whole=whole)


def _machine(run: Run) -> list[tuple[str, str]]:
    path = run.folder / "manifest.json"
    if not path.exists():
        return []
    data = read_json(path)
    versions = data.get("versions", {}) if isinstance(data, dict) else {}
    named = ", ".join(
        f"{name} {versions[name]}" for name in ("srlm", "torch", "transformers", "trl") if versions.get(name)
    )
    return [("machine", str(data.get("system", "unknown"))), ("versions", named or "unknown")]


def _public(text: str) -> str:
    """Without what an address may carry before its host."""
    return re.sub(r"https?://\S+", lambda found: without_credentials(found[0]), text)


def cost(run: Run) -> Section:
    """Calls, tokens, time and dollars by stage and model, from the ledger."""
    path = run.folder / "ledger.sqlite"
    title = "Cost and time"
    if not path.is_file():
        return Section(
            "cost", title, missing="No model was called yet.", command=f"srlm train --name {quote(run.name)}"
        )
    try:
        with closing(Ledger(path)) as ledger:
            rows = ledger.summary()
    except DataError as error:
        return Section("cost", title, missing=str(error), command="srlm ledger")
    whole = total(rows)
    columns = ("model", "calls", "tokens in", "tokens out", "time", "dollars", "failed attempts")
    lines = tuple(Row(one.stage, (Cell(one.model), *map(Cell, _figures(one)))) for one in rows)
    table = Table(
        "By stage and model", columns, (*lines, Row("total", (Cell(""), *map(Cell, _figures(whole))))), "stage"
    )
    lead = (
        f"{whole.calls:,} calls, {_time(whole.seconds)} of the engines, {_dollars(whole)}. "
        "Each answered call is counted once, in the stage that made it first; training is not among them."
    )
    return Section("cost", title, lead, tables=[table])


def _figures(row: LedgerRow) -> tuple[str, ...]:
    return (
        f"{row.calls:,}",
        f"{row.prompt_tokens:,}",
        f"{row.completion_tokens:,}",
        _time(row.seconds),
        _dollars(row),
        f"{row.failed:,}",
    )


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "unknown"
    whole = round(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    return (
        f"{hours} h {minutes:02d} min"
        if hours
        else f"{minutes} min {whole % 60:02d} s"
        if minutes
        else f"{seconds:.1f} s"
    )


def _dollars(row: LedgerRow) -> str:
    if row.cost is None:
        return "price unknown"
    return f"${row.cost:,.2f}" + (f" and {row.unpriced:,} calls unpriced" if row.unpriced else "")


def cards(results: Results) -> Section:
    """How far each judge of pairs can be trusted, by its card."""
    found: dict[tuple[str, str, str], JudgeCard] = {}
    every = [one.card for one in results if isinstance(one, CardedResult)]
    for card in filter(None, every):
        found[card.judge, card.rubric, card.labelled_digest] = card
    if not found:
        return Section("judge", "The judge", missing="No judge compared answers.", command="srlm judge card SPEC")
    notes = [card.caption() for card in found.values()]
    names = tuple(card.judge for card in found.values())
    table = Table("The judge's card", names, _lines(list(found.values())))
    lead = "A win rate is worth what its judge is worth. Measured on pairs of answers that people have labelled."
    return Section("judge", "The judge", lead, tables=[table], notes=notes)


def _lines(found: Sequence[JudgeCard]) -> tuple[Row, ...]:
    rows = (
        ("agrees with the labels", [percent(card.agreement) for card in found]),
        ("names one winner in both orders", [percent(card.consistency) for card in found]),
        ("prefers the answer shown first", [percent(card.first_position) for card in found]),
        ("prefers the longer answer", [percent(card.longer_preferred) for card in found]),
        ("verdicts that could be read", ["unknown" if isnan(card.read) else f"{card.read:.0%}" for card in found]),
        ("labelled pairs", [f"{card.agreement.n:,}" for card in found]),
        ("is called", ["weak" if card.weak else "usable" for card in found]),
    )
    return tuple(Row(name, tuple(map(Cell, values))) for name, values in rows)
