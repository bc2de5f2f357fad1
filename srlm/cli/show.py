"""`srlm show`: the lineage of a training pair, or of a rollout."""

from typing import TYPE_CHECKING, Annotated

import typer

from srlm.cli.options import DEFAULT_RUNS, RunName, Runs
from srlm.console import say

if TYPE_CHECKING:
    from srlm.lineage import JudgedAnswer, Lineage
    from srlm.rollout_lineage import RolloutLineage
    from srlm.rollouts import Rollout
    from srlm.types import Prompt, Verdict


def show(
    identifier: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="Id of a pair, prompt, candidate, verdict or rollout, such as M2-p0003-pair."
        ),
    ],
    run: RunName = None,
    runs: Runs = DEFAULT_RUNS,
) -> None:
    """Show how a training pair was made.

    Its instruction, few-shot examples or place in a file, candidates, verdicts, and why it was chosen. Of a rollout:
    its problem, reward and truth, the judge's replies, and the other answers of its group.
    """
    from srlm.lineage import find_lineage
    from srlm.rollout_lineage import find_rollout, is_rollout
    from srlm.runs import open_run

    home = open_run(runs, run)
    if is_rollout(identifier):
        say(describe_rollout(find_rollout(home, identifier)))
    else:
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


def describe_rollout(found: "RolloutLineage") -> str:
    """Return the lineage of a rollout as text."""
    rollout = found.rollout
    lines = [f"Problem {rollout.problem_id}, step {rollout.step}"]
    lines += [_indent(found.problem.prompt), ""] if found.problem else [""]
    lines += [f"Answer {rollout.id}: {_judged(rollout)}", _indent(rollout.text or "(empty)")]
    if rollout.answer != rollout.text:
        lines.append("  extracted: " + (rollout.answer if rollout.answer is not None else "no answer"))
    for key, reply in found.replies:
        lines.append(f"    call {key}: " + ("not in the ledger" if reply is None else "the reply"))
        if reply is not None:
            lines += [*_thoughts(reply.thoughts, 8), _indent(reply.text or "(empty)", 8)]
    lines += ["", "Its group"]
    lines += [f"  {one.id}: {_judged(one)}{'  (this one)' if one.id == rollout.id else ''}" for one in found.group]
    return "\n".join(lines)


def _judged(rollout: "Rollout") -> str:
    """Return the reward and the truth of a rollout."""
    reward = "no reward" if rollout.reward is None else f"reward {rollout.reward:.2f}"
    judged = {True: ", judged right", False: ", judged wrong", None: ""}[rollout.judged_right]
    truth = {True: "right", False: "wrong", None: "truth unknown"}[rollout.right]
    cut = ", cut at the token limit" if rollout.cut else ""
    return f"{reward}{judged}, {truth}{cut}"


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
