"""Models of some thousand weights for the tests of the local engine, and transformers' own answers to compare with.

`bare` is weights alone, of any architecture. `checkpoint` has a tokenizer too, in one of three styles of chat template.
Both go through a folder and are loaded as the engine loads them.
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging

from srlm.checkpoint_files import read_config
from srlm.engines import decoding
from srlm.engines.hf import HFEngine
from srlm.engines.load import load_model
from srlm.engines.shared_prefix import attention_for
from srlm.types import Completion, Message, Request, Sampling

logging.disable_progress_bar()

VOCABULARY, PAD, EOS = 40, 0, 1


def save(folder: Path, model_type: str, **changes: Any) -> Path:
    """Write a random model. Its weights are large, so that its answers vary and hang on every token before."""
    sizes = {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "pad_token_id": PAD,
        "eos_token_id": EOS,
        "bos_token_id": 2,
    }
    torch.manual_seed(0)
    model: Any = AutoModelForCausalLM.from_config(AutoConfig.for_model(model_type, **{**sizes, **changes}))
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.4)
    model.save_pretrained(folder)
    return folder


def load(folder: Path, dtype: torch.dtype = torch.float32) -> Any:
    """As the engine does it."""
    return load_model(folder, dtype, "cpu", attention_for(read_config(folder)))


def reference(folder: Path) -> Any:
    """The same weights with transformers' own attention."""
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def greedy(model: Any, prompt: list[int], limit: int, eos: int = EOS) -> list[int]:
    """What `transformers.generate` answers, without the eos."""
    ids = torch.tensor([prompt])
    with torch.inference_mode():
        output = model.generate(
            ids, do_sample=False, max_new_tokens=limit, attention_mask=torch.ones_like(ids), eos_token_id=eos
        )
    tokens: list[int] = output[0, len(prompt) :].tolist()
    return tokens[: tokens.index(eos)] if eos in tokens else tokens


def row(prompt: int, *, temperature: float = 0.0, top_p: float = 1.0, limit: int = 20, seed: int = 0) -> decoding.Row:
    """A row of the decode loop with random numbers of its own."""
    uniforms = torch.rand(limit, generator=torch.Generator().manual_seed(seed))
    return decoding.Row(prompt, temperature, top_p, limit, uniforms, stopped=lambda tokens: False)


def run(
    model: Any,
    prompts: list[list[int]],
    rows: list[decoding.Row],
    at_once: int = 8,
    *,
    eos: int = EOS,
    ended: Callable[[], None] = lambda: None,
) -> list[decoding.Row]:
    """The decode loop; returns the rows that it was given."""
    with torch.inference_mode():
        decoding.generate(model, prompts, rows, max_rows=at_once, eos=frozenset({eos}), pad=PAD, ended=ended)
    return rows


class Watch:
    """Counts what goes through a model: [rows, tokens] of every pass, in order."""

    def __init__(self, model: Any, monkeypatch: Any) -> None:
        self.passes: list[tuple[int, int]] = []
        forward = model.forward

        def watched(*args: Any, **rest: Any) -> Any:
            self.passes.append(tuple(rest["input_ids"].shape))
            return forward(*args, **rest)

        monkeypatch.setattr(model, "forward", watched)

    @property
    def read(self) -> list[tuple[int, int]]:
        """The passes over prompts: more than one token a row."""
        return [shape for shape in self.passes if shape[1] > 1]

    @property
    def stepped(self) -> int:
        """Rows that were computed, summed over the passes of one token a row."""
        return sum(rows for rows, tokens in self.passes if tokens == 1)


# --- with a tokenizer -------------------------------------------------------------------------------------------------

STYLES = {
    # Turns between special tokens, no BOS, any role.
    "chatml": (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        "<|im_end|>",
        ["<|im_start|>", "<|im_end|>"],
    ),
    # Plain text around turns, BOS by template (and by tokenizer), eos after the answer alone, no system message.
    "llama2": (
        "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]"
        "{% elif m['role'] == 'assistant' %} {{ m['content'] }} {{ eos_token }}"
        "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}",
        "</s>",
        ["<s>", "</s>"],
    ),
    # BOS by template (and by tokenizer); the tokens around roles are special, but have no name of their own.
    "llama3": (
        "{{ bos_token }}{% for m in messages %}<|head|>{{ m['role'] }}<|/head|>\n\n{{ m['content'] | trim }}<|eot|>"
        "{% endfor %}{% if add_generation_prompt %}<|head|>assistant<|/head|>\n\n{% endif %}",
        "<|eot|>",
        ["<|bos|>", "<|head|>", "<|/head|>", "<|eot|>"],
    ),
}
BOS = {"llama2": "<s>", "llama3": "<|bos|>"}

TEXTS = [
    "What is the score? 0 1 2 3 4 5. Score: 4",
    "A or B, said the judge to the model.",
    "Write a haiku about rain.",
] * 3


def byte_level(special: list[str], eos: str, template: str | None = None, bos: str | None = None) -> Any:
    """A tokenizer of bytes and some words, with special tokens."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=330, special_tokens=["<pad>", *special], initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(TEXTS, trainer)
    names = {"eos_token": eos, "pad_token": "<pad>"}
    if bos:
        names["bos_token"] = bos
        bpe.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, bpe.token_to_id(bos))]
        )
    return PreTrainedTokenizerFast(tokenizer_object=bpe, chat_template=template, **names)


def checkpoint(folder: Path, style: str) -> Path:
    """A Llama with a byte-level BPE and one of the styles."""
    template, eos, special = STYLES[style]
    return save_with(folder, byte_level(special, eos, template, BOS.get(style)))


def save_with(folder: Path, tokenizer: Any) -> Path:
    """Write a Llama with a tokenizer. Its settings name only the tokenizer's end of text."""
    save(
        folder,
        "llama",
        vocab_size=len(tokenizer),
        max_position_embeddings=512,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )
    tokenizer.save_pretrained(folder)
    return folder


class CountingTokenizer:
    """A tokenizer that counts how often it encodes each text."""

    def __init__(self, tokenizer: Any) -> None:
        self.texts: Counter[str] = Counter()
        self._tokenizer = tokenizer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def __call__(self, texts: list[str], **rest: Any) -> Any:
        self.texts.update(texts)
        return self._tokenizer(texts, **rest)

    def encode(self, text: str, **rest: Any) -> list[int]:
        self.texts[text] += 1
        ids: list[int] = self._tokenizer.encode(text, **rest)
        return ids


def ask(text: str, sample: int = 0, max_tokens: int = 12, stop: tuple[str, ...] = (), **rest: Any) -> Request:
    """A request with a seed of its own for each sample."""
    sampling = Sampling(0.8, 0.9, max_tokens, stop)
    return Request((Message("user", text),), sampling, seed=sample, sample=sample, **rest)


def replies(engine: HFEngine, requests: list[Request]) -> list[Completion]:
    """The replies in the order of the requests; the plan must hold each request once."""
    plan = engine.plan(requests)
    assert sorted(index for batch in plan for index in batch) == list(range(len(requests)))
    found: dict[int, Completion] = {}
    for done in engine.run([[requests[index] for index in batch] for batch in plan]):
        for index, answer in zip(plan[done.batch], done.replies, strict=True):
            assert isinstance(answer, Completion)
            found[index] = answer
    return [found[index] for index in range(len(requests))]
