"""Labelling of prompts by a judge, with our own versions of the paper's two prompts (arXiv 2401.10020, Figures 9, 10).

First the judge reads many of the instructions and names at most 20 categories, then it gives each instruction a
category, a complexity and an expected length of the answer. Its reply is parsed line by line; unparseable labels stay
unknown and are counted. Calls go through the ledger.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from evals.labels.store import HIGHEST, LENGTHS, LOWEST, By, Label, prompt_label
from srlm.console import Progress
from srlm.engines.engine import Engine
from srlm.inference import Caller
from srlm.judges.template import load_template
from srlm.ledger import Ledger
from srlm.seeding import derive_seed
from srlm.strip_reasoning import strip_reasoning
from srlm.types import Completion, Failed, Message, Prompt, Request, Sampling

STAGE = "evals/labels"
MOST = 20
"""The number of categories that the judge may name."""
OTHER = "Other"
"""The category that is always offered."""
ROOM = 12_000
"""Characters of all instructions that the judge reads to name categories; `PIECE` of each at most."""
PIECE = 300
SHOWN = 4_000
"""Characters of the instruction that it labels."""
NAMING = Sampling(temperature=0.0, top_p=1.0, max_tokens=300)
LABELLING = Sampling(temperature=0.0, top_p=1.0, max_tokens=100)

_ITEM = re.compile(r"\s*(?:[-*\u2022]|[0-9]{1,2}[.)])\s+(.+)")
_LINE = re.compile(r"[\s>#*_`-]*(category|complexity|length)[\s*_`]*[:\uff1a](.*)", re.IGNORECASE)
_NUMBER = re.compile(r"([0-9]{1,2})(?: ?(?:/|out of) ?10)?")
_AROUND = " \t*_`.\"'()[]<>"


@dataclass(frozen=True)
class Labelled:
    """Labels of a set of prompts, and the categories that the judge named; None if it was not asked for them.

    `categories` is empty if the judge's list could not be parsed: then it gives no prompt a category.
    """

    labels: tuple[Label, ...]
    categories: tuple[str, ...] | None


def label_prompts(
    engine: Engine, prompts: Sequence[Prompt], ledger: Ledger, *, progress: Progress, overwrite: bool = False
) -> Labelled:
    """Label a set of prompts. Labels that came with all prompts are kept, unless `overwrite` is given."""
    caller = Caller(engine, ledger, STAGE, progress)
    own = [prompt_label(prompt) for prompt in prompts]
    kept: set[By] = set() if overwrite else {by for by in _FIELDS if all(one.value(by) is not None for one in own)}
    if len(kept) == len(_FIELDS):
        return Labelled(tuple(own), None)
    named = None if "category" in kept else name_categories(caller, prompts)
    offered = named if named is not None else tuple(sorted({one.category for one in own if one.category}))
    found = _ask(caller, prompts, offered or (OTHER,))
    labels = [
        Label(
            mine.prompt_id,
            mine.category if "category" in kept else judged.category if offered else None,
            mine.complexity if "complexity" in kept else judged.complexity,
            mine.expected_length if "length" in kept else judged.expected_length,
            engine.name,
            own=tuple(one for one in _FIELDS if one in kept),
        )
        for mine, judged in zip(own, found, strict=True)
    ]
    return Labelled(tuple(labels), named)


_FIELDS: tuple[By, ...] = ("category", "complexity", "length")


def name_categories(caller: Caller, prompts: Sequence[Prompt]) -> tuple[str, ...]:
    """Return the categories that the judge names for a set of prompts; empty if its list cannot be parsed.

    It reads as many of the instructions as fit, in an order that depends on their ids alone.
    """
    template = load_template("categories", ("instructions",))
    shown, room = [], ROOM
    for prompt in sorted(prompts, key=lambda prompt: derive_seed("labels", prompt.id)):
        piece = " ".join(_in_short(prompt).split())[:PIECE]
        room -= len(piece)
        if room < 0:
            break
        shown.append(piece)
    request = Request((Message("user", template.fill(instructions="\n".join(shown))),), NAMING)
    ((_, reply),) = caller.ask([request], f"{caller.engine.name} names categories for {len(prompts)} prompts")
    return () if isinstance(reply, Failed) else read_categories(reply)


def read_categories(reply: Completion) -> tuple[str, ...]:
    """Parse a list: its first 20 items, and "Other"; empty if it has fewer than two."""
    reply = strip_reasoning(reply)
    items = [match[1].strip(_AROUND) for line in reply.text.splitlines() if (match := _ITEM.fullmatch(line))]
    if reply.finish != "stop":
        items = items[:-1]  # it may have been cut
    names = list({_plain(name): name for name in items if 0 < len(name) <= 60 and _plain(name)}.values())[:MOST]
    if len(names) < 2:
        return ()
    return tuple(names) if any("other" in _plain(name).split() for name in names) else (*names, OTHER)


def read_label(prompt_id: str, reply: Completion, categories: Sequence[str]) -> Label:
    """Parse the last line of each kind in a reply; None for a missing one, and for one that is none of the choices."""
    reply = strip_reasoning(reply)
    lines = [match for line in reply.text.splitlines() if (match := _LINE.fullmatch(line))]
    said = {} if reply.finish != "stop" else {match[1].lower(): match[2].strip(_AROUND) for match in lines}
    number = _NUMBER.fullmatch(said.get("complexity", ""))
    complexity = int(number[1]) if number and LOWEST <= int(number[1]) <= HIGHEST else None
    return Label(prompt_id, _choice(said.get("category"), categories), complexity, _choice(said.get("length"), LENGTHS))


def _ask(caller: Caller, prompts: Sequence[Prompt], categories: Sequence[str]) -> list[Label]:
    template = load_template("label", ("instruction", "categories"))
    listed = "\n".join(f"- {name}" for name in categories)
    filled = [
        template.fill(_end_of(prompt.context), instruction=prompt.instruction[:SHOWN], categories=listed)
        for prompt in prompts
    ]
    requests = [Request((Message("user", text),), LABELLING) for text in filled]
    replies = caller.ask(requests, f"{caller.engine.name} labels {len(prompts)} prompts")
    return [
        Label(prompt.id) if isinstance(reply, Failed) else read_label(prompt.id, reply, categories)
        for prompt, (_, reply) in zip(prompts, replies, strict=True)
    ]


def _in_short(prompt: Prompt) -> str:
    """Return the instruction and, in a conversation, the user's first message: "And in metres?" names no task."""
    first = next((one.content for one in prompt.context if one.role == "user"), None)
    return prompt.instruction if first is None else f"{prompt.instruction[: PIECE // 2]} (after: {first})"


def _end_of(context: Sequence[Message]) -> list[Message]:
    """Return the last messages of a context, `SHOWN` characters of them at most; a longer one is cut."""
    kept: list[Message] = []
    room = SHOWN
    for message in reversed(context):
        if room <= 0:
            break
        kept.append(Message(message.role, message.content[:room]))
        room -= len(message.content)
    return kept[::-1]


def _choice(said: str | None, choices: Sequence[str]) -> str | None:
    """Return the choice that is named, whatever its case and punctuation."""
    found = [choice for choice in choices if said is not None and _plain(choice) == _plain(said)]
    return found[0] if len(found) == 1 else None


def _plain(name: str) -> str:
    """Reduce a name to its words and numbers, whatever its dashes."""
    return " ".join(re.findall(r"[^\W_]+", name.casefold()))
