"""Prompt sets that models of a run were evaluated on: evals/prompts/DIGEST.jsonl; results name a set by its digest."""

from collections.abc import Sequence
from urllib.parse import quote, unquote

from srlm.digest import digest_of_set
from srlm.jsonl import parse_lines
from srlm.runs import Run
from srlm.types import Prompt


def prompts_digest(prompts: Sequence[Prompt]) -> str:
    """Hash a set of prompts with their contexts and references, whatever their order.

    A prompt without context adds nothing for it: sets without any have the digests that they always had.
    """
    ordered = sorted(prompts, key=lambda prompt: prompt.id)
    return digest_of_set(
        len(prompts),
        (f"{one.id}{_context(one)}\x1f{one.instruction}\x1f{one.reference}\x1e" for one in ordered),
    )


def _context(prompt: Prompt) -> str:
    return "".join(f"\x1d{one.role}\x1f{one.content}" for one in prompt.context)


def save_prompts(run: Run, digest: str, prompts: Sequence[Prompt]) -> None:
    """Write the prompts behind a set of results, so that they can be labelled and shown later."""
    run.write(f"evals/prompts/{quote(digest, safe='')}", prompts)


def load_prompt_sets(run: Run) -> dict[str, list[Prompt]]:
    """Read all prompt sets of a run, by digest.

    Raises:
        DataError: a file of them is damaged.
    """
    files = sorted((run.folder / "evals" / "prompts").glob("*.jsonl"))
    return {unquote(path.stem): parse_lines(path, Prompt) for path in files}
