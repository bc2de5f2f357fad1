"""Results of the functions of this package, each with its displays."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

from evals.gate import messages
from evals.gate.decision import Decision
from evals.gate.output.json import as_json
from evals.gate.output.markdown import as_markdown
from evals.labels.annotate import Labelled
from evals.labels.store import By, count_labelled
from srlm.api.displays import Displayed, TextTable, from_rich
from srlm.diagnostics import Check
from srlm.jsonl import without_nan
from srlm.judges.judge_card import JudgeCard
from srlm.judges.judge_card_output import card_json, card_table, card_words
from srlm.judges.score_file import JudgedAnswer, Summary
from srlm.judges.score_file_output import summary_json, summary_table, summary_words
from srlm.stats.intervals import Estimate


@dataclass(frozen=True)
class ScoredFile(Displayed):
    """Answers of a file with their scores. `card` is the judge's, with its place, where it was measured alike.

    `path` is the file that the scores were written to, `judge` the name of the model.
    """

    answers: tuple[JudgedAnswer, ...]
    summary: Summary
    card: tuple[Path, JudgeCard] | None
    path: Path
    judge: str

    def to_dict(self) -> dict[str, Any]:
        """Return what `srlm judge --format json` prints."""
        data: dict[str, Any] = json.loads(summary_json(self.summary, self.card, self.path))
        return data

    def _tables(self) -> list[TextTable]:
        scores = self.card[1].scores if self.card else None
        notes = [*summary_words(self.summary), *([scores.caption(self.judge)] if scores else [])]
        return [from_rich(summary_table(self.summary), notes)]

    def _records(self) -> list[dict[str, Any]]:
        names = ("id", "instruction", "output", "model", "reward", "spread", "scored", "unparsed", "failed", "flags")
        return [{name: getattr(one, name) for name in names} for one in self.answers]


@dataclass(frozen=True)
class MeasuredJudge(Displayed):
    """A judge's card, and the file that holds it."""

    card: JudgeCard
    path: Path

    def to_dict(self) -> dict[str, Any]:
        """Return what `srlm judge card --format json` prints."""
        data: dict[str, Any] = json.loads(card_json(self.card, self.path))
        return data

    def _tables(self) -> list[TextTable]:
        return [from_rich(card_table(self.card), card_words(self.card))]

    def _records(self) -> list[dict[str, Any]]:
        return _estimates("", self.card)


def _estimates(prefix: str, record: Any) -> list[dict[str, Any]]:
    """Return a row for each estimate inside of a record; its key is the path to it, such as "scores.ties"."""
    if isinstance(record, Estimate):
        return [{"key": prefix, **asdict(record)}]
    parts: Mapping[str, Any] = record if isinstance(record, dict) else {}
    if is_dataclass(record):
        parts = {one.name: getattr(record, one.name) for one in fields(record)}
    return [row for name, part in parts.items() for row in _estimates(f"{prefix}.{name}".lstrip("."), part)]


@dataclass(frozen=True)
class GateDecision(Displayed, Decision):
    """A decision of the gate: its outcome, and what each rule and each check of the judge came to."""

    def to_dict(self) -> dict[str, Any]:
        """Return what `srlm gate --format json` prints."""
        data: dict[str, Any] = json.loads(as_json(self))
        return data

    def to_markdown(self) -> str:
        """Return the outcome, the tables and the reasons as Markdown."""
        return as_markdown(self)

    def _tables(self) -> list[TextTable]:
        rules = [messages.rule_text(one).cells for one in self.results]
        checks = [messages.check_cells(one) for one in self.checks]
        title, notes = messages.headline(self), messages.sentences(self)
        if not checks:
            return [TextTable(title, messages.COLUMNS, rules, notes)]
        return [
            TextTable(title, messages.COLUMNS, rules),
            TextTable("", messages.CHECK_COLUMNS, checks, notes),
        ]

    def _records(self) -> list[dict[str, Any]]:
        found = []
        for rule in self.to_dict()["rules"]:
            row = {key: value for key, value in rule.items() if not isinstance(value, dict)}
            for part in ("candidate", "baseline", "difference"):
                row |= {part: rule[part]["value"], f"{part}_low": rule[part]["low"], f"{part}_high": rule[part]["high"]}
            row["prompts_needed"] = rule["prompts_needed"] and rule["prompts_needed"]["prompts"]
            found.append(row)
        return found


@dataclass(frozen=True)
class LabelledPrompts(Displayed):
    """Labels of prompts, by the digest of the set that they belong to.

    `judge` is the name of the model that was asked, `run` that of the run that holds the prompts.
    """

    sets: Mapping[str, Labelled]
    judge: str
    run: str

    def to_dict(self) -> dict[str, Any]:
        """Return the labels and the categories of each set."""
        return {digest: without_nan(asdict(one)) for digest, one in self.sets.items()}

    def sentences(self) -> list[str]:
        """Return how many prompts of each set have a label of each kind."""
        lines = []
        for digest, found in self.sets.items():
            labels = {one.prompt_id: one for one in found.labels}
            counts = ", ".join(f"{count_labelled(labels, by)} have a {by}" for by in KINDS)
            lines.append(f"Of {len(labels)} prompts (set {digest}) {counts}.")
            if found.categories == ():
                lines.append(
                    f"The list of categories by {self.judge} could not be read, so no prompt of this set has one of "
                    "its."
                )
        return lines

    def _tables(self) -> list[TextTable]:
        rows = []
        for digest, found in self.sets.items():
            labels = {one.prompt_id: one for one in found.labels}
            rows.append([digest, str(len(labels)), *(str(count_labelled(labels, by)) for by in KINDS)])
        return [TextTable("Prompts with a label", ("set", "prompts", *KINDS), rows, self.sentences())]

    def _records(self) -> list[dict[str, Any]]:
        return [{"set": digest, **asdict(label)} for digest, found in self.sets.items() for label in found.labels]


KINDS: tuple[By, ...] = ("category", "complexity", "length")


@dataclass(frozen=True)
class Diagnosis(Displayed):
    """Checks of a machine: what works, and what is missing."""

    checks: tuple[Check, ...]

    @property
    def ready(self) -> bool:
        """Check if `srlm train` can run here."""
        return all(one.status != "missing" for one in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return the checks."""
        return {"ready": self.ready, "checks": self._records()}

    def _tables(self) -> list[TextTable]:
        rows = [(one.status, one.name, one.detail, one.fix) for one in self.checks]
        return [TextTable("", ("status", "what", "found", "to fix it"), rows)]

    def _records(self) -> list[dict[str, Any]]:
        return [asdict(one) for one in self.checks]
