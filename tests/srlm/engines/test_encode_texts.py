"""Many texts are tokenized by several threads as each is by itself."""

from typing import Any

import pytest

pytest.importorskip("torch")
from helpers.tiny_models import byte_level
from srlm.engines import encode_texts as module
from srlm.engines.encode_texts import CHUNK, encode_texts


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    made = byte_level(["<|end|>"], "<|end|>", bos="<|end|>")
    made.backend_tokenizer.enable_truncation(3)  # as some checkpoints have it: it holds for other calls
    made.backend_tokenizer.enable_padding()
    return made


@pytest.mark.parametrize("count", [0, 1, CHUNK, 5 * CHUNK + 1])
@pytest.mark.parametrize("cores", [1, 3])
def test_the_tokens_are_those_of_each_text(
    tokenizer: Any, count: int, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "usable_cores", lambda: cores)
    texts = [f"{'score ' * (number % 11)}{number}<|end|>" for number in range(count)]
    found = encode_texts(tokenizer, texts)
    assert [ids.tolist() for ids in found] == [tokenizer.encode(text, add_special_tokens=False) for text in texts]


def test_a_tokenizer_in_python_has_one_thread(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        is_fast = False

        def __call__(self, texts: list[str], **rest: Any) -> Any:
            return tokenizer(texts, **rest)

    monkeypatch.setattr(module, "ThreadPoolExecutor", None)
    assert len(encode_texts(Slow(), ["a"] * (3 * CHUNK))) == 3 * CHUNK
