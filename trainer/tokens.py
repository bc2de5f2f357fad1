"""A supervised example as the model reads it, and which examples are short enough to be read."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from srlm.display import Progress
from srlm.errors import NothingToTrain
from trainer.examples import Example


@dataclass(frozen=True)
class Tokens:
    """Token ids of the turns before the answer, and of the answer, which alone the loss counts."""

    prompt: tuple[int, ...]
    completion: tuple[int, ...]


def turns(prompt: str, completion: str) -> dict[str, list[dict[str, str]]]:
    """A row of TRL's conversational form, under its names of the columns."""
    return {
        "prompt": [{"role": "user", "content": prompt}],
        "completion": [{"role": "assistant", "content": completion}],
    }


def read(tokenizer: Any, example: Example) -> Tokens:
    """The tokens of an example, parted as TRL does it: the answer begins where the opened turn and the whole differ."""
    row = turns(example.prompt, example.completion)
    opened = tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template([*row["prompt"], *row["completion"]], tokenize=False)
    before: list[int] = tokenizer.encode(opened, add_special_tokens=False)
    ids: list[int] = tokenizer.encode(whole, add_special_tokens=False)
    begins = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(before, ids, strict=False))))
    return Tokens(tuple(ids[:begins]), tuple(ids[begins:]))


def fitting(
    tokenizer: Any, examples: Sequence[Example], max_length: int, progress: Progress, label: str
) -> list[tuple[Example, Tokens]]:
    """The examples of at most `max_length` tokens, with these; says how many are longer.

    Raises:
        NothingToTrain: all are.
    """
    every = [(example, read(tokenizer, example)) for example in examples]
    kept = [(one, tokens) for one, tokens in every if len(tokens.prompt) + len(tokens.completion) <= max_length]
    if not kept:
        raise NothingToTrain(f"{label}: none of {len(examples)} examples fits into max_length = {max_length} tokens.")
    if len(kept) < len(examples):
        progress.say(
            f"{label}: {len(examples) - len(kept)} of {len(examples)} examples are longer than {max_length} tokens "
            "and left out."
        )
    return kept
