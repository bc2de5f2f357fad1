"""Sections about the whole run: conclusions, configuration, judge cards, cost and time."""

import re
from collections.abc import Mapping, Sequence
from contextlib import closing
from math import isnan
from shlex import quote

import yaml

from evals.metric import ALPHA
from evals.note import card_note
from evals.report.section import Cell, Row, Section, Table
from evals.report.sections.common import SuiteComparison, conclusions_of
from evals.results import CardedResult, Results
from srlm.config.generation import InstructionsConfig
from srlm.config.rewards import source_name
from srlm.engines.server_address import without_credentials
from srlm.errors import DataError
from srlm.jsonl import read_json
from srlm.judges.judge_card import JudgeCard
from srlm.ledger import Ledger, LedgerRow, total
from srlm.runs import Run
from srlm.stats.formatting import percent


def conclusions(found: Mapping[str, SuiteComparison]) -> Section:
    """Return the conclusions of all comparisons, those on significant differences first."""
    every = [conclusion for one in found.values() for conclusion in conclusions_of(one)]
    if not every:
        missing = "No comparison: it needs results of at least two models."
        return Section("findings", "Conclusions", missing=missing, command="srlm eval M1 M2 M3")
    lead = (
        "A difference is significant if its 95 % interval excludes zero and its p value, adjusted for the models that "
        f"were compared (Holm), is below {ALPHA:g}. All others may be chance."
    )
    ranked = sorted(every, key=lambda one: {True: 0, None: 1, False: 2}[one.significant])
    return Section("findings", "Conclusions", lead, conclusions=ranked)


def configuration(run: Run) -> Section:
    """Return the main settings, and all of them on demand. Credentials in addresses are removed."""
    config = run.config
    facts = [
        ("model", _public(config.model)),
        ("start", config.start),
        ("iterations", str(config.iterations)),
        ("trains on", config.learn_from),
        ("new instructions", _instructions(config.instructions)),
        ("candidates", f"{config.candidates} an instruction"),
        ("self-judgement", f"{config.judge.scoring}, rubric {config.judge.rubric.rpartition('/')[2]}"),
        ("frozen judge", _public(config.judge.frozen or "none")),
        ("DPO", f"beta {config.dpo.beta:g}, learning rate {config.dpo.learning_rate:g}"),
        ("seed data", _public(config.seeds.source or "none")),
        ("random seed", str(config.seed)),
    ]
    facts += _machine(run)
    every = _public(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True))
    return Section("configuration", "Configuration", facts=facts, full_text=every)


def _instructions(config: InstructionsConfig) -> str:
    """Return the number of new instructions and their source; of a file its name, without its folder."""
    count = "an equal share" if config.count is None else f"{config.count:,}"
    if config.from_file:
        return f"{count} an iteration, from {source_name(config.source)}"
    made = f"written by {config.writer}" if config.source == "written" else f"from {config.source}"
    return f"{count} an iteration, {made}"


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
    """Remove credentials from addresses."""
    return re.sub(r"https?://\S+", lambda found: without_credentials(found[0]), text)


def cost(run: Run) -> Section:
    """Return calls, tokens, time and dollars by stage and model, from the ledger."""
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
        "Each answered call is counted once, in the stage that made it first; training is not counted."
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
    """Return the judge cards of the judges of pairs."""
    found: dict[tuple[str, str, str], JudgeCard] = {}
    every = [one.card for one in results if isinstance(one, CardedResult)]
    for card in filter(None, every):
        found[card.judge, card.rubric, card.labelled_digest] = card
    if not found:
        return Section("judge", "The judge", missing="No judge compared answers.", command="srlm judge card SPEC")
    notes = [card_note(card) for card in found.values()]
    names = tuple(card.judge for card in found.values())
    table = Table("Judge card", names, _card_rows(list(found.values())))
    lead = "A win rate is only as reliable as its judge. Measured on pairs of answers that people have labelled."
    return Section("judge", "The judge", lead, tables=[table], notes=notes)


def _card_rows(found: Sequence[JudgeCard]) -> tuple[Row, ...]:
    rows = (
        ("agreement with the labels", [percent(card.agreement) for card in found]),
        ("same winner in both orders", [percent(card.consistency) for card in found]),
        ("preference for the answer shown first", [percent(card.first_position) for card in found]),
        ("preference for the longer answer", [percent(card.longer_preferred) for card in found]),
        ("parsed verdicts", ["unknown" if isnan(card.read) else f"{card.read:.0%}" for card in found]),
        ("labelled pairs", [f"{card.agreement.n:,}" for card in found]),
        ("rating", ["weak" if card.weak else "usable" for card in found]),
    )
    return tuple(Row(name, tuple(map(Cell, values))) for name, values in rows)
