"""`srlm show`: the lineage of a training pair."""

from typing import TYPE_CHECKING, Annotated

import typer

from srlm.cli.options import DEFAULT_RUNS, RunName, Runs
from srlm.console import say

if TYPE_CHECKING:
    from srlm.lineage import JudgedAnswer, Lineage
    from srlm.types import Prompt, Verdict


def show(
    identifier: Annotated[
        str, typer.Argument(metavar="ID", help="Id of a pair, prompt, candidate or verdict, such as M2-p0003-pair.")
    ],
    run: RunName = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Show how a training pair was made.

    Its instruction, few-shot examples or place in a file, candidates, verdicts, and why it was chosen.
    """
    from srlm.lineage import find_lineage
    from srlm.runs import open_run

    home = open_run(runs, run)
    say(describe(find_lineage(home, identifier)))


def describe(found: "Lineage") -> str:
    """Return the lineage of one new instruction as text."""
    from srlm.transcript import transcript

    lines = [f"Instruction {found.prompt.id}  ({_source(found.prompt)})", _indent(transcript(found.prompt)), ""]
    if found.prompt.origin is None:
        lines.append(f"Its {len(found.shots)} shots")
        lines += [f"  {shot.id}  {' '.join(shot.instruction.split())}" for shot in found.shots]
        lines.append("")
    for judged in found.candidates:
        lines += _candidate(judged, found)
    if found.pair is not None:
        lines.append(
            f"Pair {found.pair.id}: {found.pair.chosen_id} over {found.pair.rejected_id}, {found.pair.reason}."
        )
    elif found.dropped is not None:
        lines.append(f"Nothing to learn from: {found.dropped.reason} ({found.dropped.detail}).")
    return "\n".join(lines)


def _source(prompt: "Prompt") -> str:
    if prompt.origin is not None:
        return prompt.origin
    return f"the writer of instructions, call {prompt.call}" if prompt.call else "the writer of instructions"


def _candidate(judged: "JudgedAnswer", found: "Lineage") -> list[str]:
    from srlm.strip_reasoning import cut_note

    answer, reward = judged.answer, judged.reward
    role = "  LEARNED FROM" if answer.id in found.positives else ""
    if found.pair is not None:
        role = {found.pair.chosen_id: "  CHOSEN", found.pair.rejected_id: "  REJECTED"}.get(answer.id, "")
    mean = "no reward" if reward is None or reward.value is None else f"reward {reward.value:.2f}"
    if reward is not None and reward.vetoed_by:
        mean += f", vetoed by {', '.join(reward.vetoed_by)}"
    lines = [
        f"Candidate {answer.id} by {answer.model}: {mean}{cut_note(answer.finish)}{role}",
        *_thoughts(answer.thoughts, 2),
    ]
    lines.append(_indent(answer.text or "(empty)"))
    for verdict in judged.verdicts:
        lines += [f"    {verdict.id} by {verdict.judge}, {_how(verdict)}, call {verdict.call}: {_reading(verdict)}"]
        lines += _thoughts(verdict.thoughts, 8)
        text = getattr(verdict.reading, "text", "") if _how(verdict) != verdict.rubric else ""
        lines += [_indent(text, 8)] if text else []
    return [*lines, ""]


def _thoughts(text: str, width: int) -> list[str]:
    """Return a model's reasoning before its answer, between two lines that mark it."""
    blank = " " * width
    return [f"{blank}thoughts, {len(text):,} characters:", _indent(text, width + 4), f"{blank}(end)"] if text else []


def _how(verdict: "Verdict") -> str:
    """Return the rubric of a judge's verdict, or the label of a program or a reward model."""
    from srlm.rewards.source import kind_of

    return verdict.rubric if kind_of(verdict.rubric) else f"rubric {verdict.rubric}"


def _reading(verdict: "Verdict") -> str:
    reading = verdict.reading
    if reading.kind == "scored":
        return f"{reading.value:.4g}"
    return f"{reading.kind}, {reading.reason}"


def _indent(text: str, width: int = 2) -> str:
    return "\n".join(" " * width + line for line in text.strip().splitlines())
