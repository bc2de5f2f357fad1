"""Many texts as tokens at once, on all cores.

The library `tokenizers` computes without Python's lock, so ordinary threads share the work. Its own pool of threads is
not used: it would not survive a fork, which is why the command line turns it off (TOKENIZERS_PARALLELISM).
"""

from array import array
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

from srlm.processor import usable_cores

CHUNK = 64
"""Texts of one call of the tokenizer: enough to outweigh the call, few enough for all threads to end together."""

MAX_THREADS = 32


def encode_texts(tokenizer: Any, texts: Sequence[str]) -> list["array[int]"]:
    """Tokenize texts as `tokenizer.encode(text, add_special_tokens=False)` does each.

    The tokens are 32-bit integers, because a list of Python's takes nine times their memory.

    Args:
        tokenizer: of transformers. One without the library `tokenizers` encodes on one thread.
        texts: in any number.
    """
    chunks = [texts[start : start + CHUNK] for start in range(0, len(texts), CHUNK)]
    threads = min(len(chunks), usable_cores(), MAX_THREADS)

    def encode(chunk: Sequence[str]) -> list["array[int]"]:
        # Not verbose: a text that is too long is refused by the caller, with a message of ours.
        found = tokenizer(
            list(chunk),
            add_special_tokens=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            verbose=False,
        )
        return [array("i", ids) for ids in found["input_ids"]]

    if threads < 2 or not getattr(tokenizer, "is_fast", False):
        return list(chain.from_iterable(map(encode, chunks)))
    first = encode(chunks[0])  # by one thread alone: it may still have to reset the tokenizer's padding and truncation
    with ThreadPoolExecutor(threads) as pool:
        return list(chain(first, *pool.map(encode, chunks[1:])))
