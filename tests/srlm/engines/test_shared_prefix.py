"""Shared-prefix attention in many architectures: greedy answers equal transformers', or the model is refused."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from helpers.tiny_models import PAD, VOCABULARY, Watch, greedy, load, reference, row, run, save
from srlm.engines import shared_prefix as attention
from srlm.engines.architectures import require_architecture
from srlm.engines.shared_prefix import ATTENTION, PrefixReader, attention_for
from srlm.errors import ModelError

WINDOW = 6
LATENT = {
    "num_key_value_heads": 4,
    "kv_lora_rank": 8,
    "q_lora_rank": 8,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "n_routed_experts": 4,
    "n_group": 1,
    "topk_group": 1,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "first_k_dense_replace": 1,
}
GEMMA = {"head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": WINDOW, "tie_word_embeddings": False}
SHARING: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {}),
    "llama with a head for each": ("llama", {"num_key_value_heads": 4}),
    "llama with wide heads": ("llama", {"head_dim": 16}),
    "qwen2": ("qwen2", {}),
    "qwen2 with a window in one layer": (
        "qwen2",
        {"use_sliding_window": True, "sliding_window": WINDOW, "max_window_layers": 1},
    ),
    "qwen3": ("qwen3", {"head_dim": 8}),
    "mistral": ("mistral", {"sliding_window": None}),
    "mistral with a window": ("mistral", {"sliding_window": WINDOW}),
    "gemma3": ("gemma3_text", {**GEMMA, "num_hidden_layers": 7}),
    "phi3": ("phi3", {}),
    "phi3 with a window": ("phi3", {"sliding_window": WINDOW}),
    "gpt2": ("gpt2", {"n_embd": 32, "n_head": 4, "n_layer": 2, "n_positions": 256}),
    "gpt_neox": ("gpt_neox", {}),
    "mixtral": ("mixtral", {"num_local_experts": 2}),
}
NOT_SHARING: dict[str, tuple[str, dict[str, Any]]] = {
    "gemma2, whose scores are capped": ("gemma2", GEMMA),
    "stablelm, which keeps the prefix to itself": ("stablelm", {}),
    "diffllama, which attends to other values than it holds": ("diffllama", {}),
    "deepseek, which holds latent keys": ("deepseek_v3", LATENT),
}
USUAL = {
    *("llama", "qwen3", "mistral with a window", "gemma3"),
    *("gemma2, whose scores are capped", "diffllama, which attends to other values than it holds"),
}
"""What `make test` looks at: the most used, and one for each way not to share. The rest is for `make test-slow`."""

BEGINNING = list(range(12, 22))
GENERATOR = torch.Generator().manual_seed(3)
PROMPTS = [
    [4 + index, *torch.randint(3, VOCABULARY, (length,), generator=GENERATOR).tolist()]
    for index, length in enumerate((0, 1, 14, 3, 9))
]
LIMITS = (12, 16, 5, 12, 20)


def makes(names: Iterable[str]) -> list[Any]:
    """Parameters of a test."""
    return [pytest.param(name, marks=() if name in USUAL else pytest.mark.slow) for name in names]


def answers_agree(folder: Path, at_once: int = 3) -> None:
    model, theirs = load(folder), reference(folder)
    for beginning in (BEGINNING, []):
        prompts = [beginning + prompt for prompt in PROMPTS]
        rows = run(model, prompts, [row(index, limit=limit) for index, limit in enumerate(LIMITS)], at_once)
        assert [one.tokens for one in rows] == [greedy(theirs, *one) for one in zip(prompts, LIMITS, strict=True)]
        assert len({token for one in rows for token in one.tokens}) >= 5


@pytest.mark.parametrize("name", makes(SHARING))
def test_greedy_answers_are_those_of_transformers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    model_type, changes = SHARING[name]
    folder = save(tmp_path, model_type, **changes)
    answers_agree(folder)
    watch = Watch(model := load(folder), monkeypatch)
    with torch.inference_mode():
        assert PrefixReader(model, [BEGINNING + prompt for prompt in PROMPTS], PAD).shared == len(BEGINNING)
    assert watch.passes == [(1, len(BEGINNING))]


@pytest.mark.parametrize("name", makes(NOT_SHARING))
def test_a_model_that_does_not_meet_the_prefix_reads_it_for_each_prompt(tmp_path: Path, name: str) -> None:
    model_type, changes = NOT_SHARING[name]
    folder = save(tmp_path, model_type, **changes)
    answers_agree(folder)
    with torch.inference_mode():
        assert PrefixReader(load(folder), [BEGINNING + prompt for prompt in PROMPTS], PAD).shared == 0


@pytest.mark.parametrize("name", ["mistral with a window", "gemma3", "qwen2 with a window in one layer"])
def test_the_windows_above_are_smaller_than_the_text(tmp_path: Path, name: str) -> None:
    """Without its window the model answers differently: so the comparisons above depend on it."""
    model_type, changes = SHARING[name]
    theirs = reference(save(tmp_path / "narrow", model_type, **changes))
    wide = reference(save(tmp_path / "wide", model_type, **{**changes, "sliding_window": 200}))
    assert greedy(theirs, BEGINNING + PROMPTS[2], 12) != greedy(wide, BEGINNING + PROMPTS[2], 12)


def test_a_model_with_sinks_is_refused(tmp_path: Path) -> None:
    folder = save(tmp_path, "granite_swa", sliding_window=WINDOW)
    with pytest.raises(ModelError, match="vLLM"):
        run(load(folder), PROMPTS, [row(index) for index in range(len(PROMPTS))])


@pytest.mark.parametrize(
    ("config", "name"),
    [
        ({}, ATTENTION),
        ({"layer_types": ["full_attention", "sliding_attention"]}, ATTENTION),
        ({"attn_logit_softcapping": None}, ATTENTION),
        ({"attn_logit_softcapping": 50.0}, "eager"),
        ({"text_config": {"attn_logit_softcapping": 50.0}}, "eager"),
        ({"model_type": "gpt_oss"}, "eager"),
    ],
)
def test_which_attention_a_model_gets(config: dict[str, Any], name: str) -> None:
    assert attention_for(config) == name


@pytest.mark.parametrize("kind", ["linear_attention", "conv", "chunked_attention"])
def test_layers_that_keep_more_than_keys_and_values_are_refused(kind: str) -> None:
    with pytest.raises(ModelError, match=f"{kind}.*vLLM"):
        attention_for({"layer_types": ["full_attention", kind]})


@pytest.mark.parametrize("kind", [model_type for model_type, _ in (SHARING | NOT_SHARING).values()])
def test_what_is_compared_here_is_allowed(kind: str) -> None:
    require_architecture({"model_type": kind}, Path("some/folder"))


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"model_type": "mamba"}, "mamba.*full or sliding-window attention.*vllm:PATH"),
        ({"model_type": "bloom"}, "vllm:PATH"),
        ({"model_type": "falcon", "alibi": True}, "vllm:PATH"),
        ({"model_type": "rwkv"}, "vllm:PATH"),
        ({"model_type": "mpt"}, "vllm:PATH"),
        ({"model_type": "llava", "text_config": {"model_type": "llama"}}, "vllm:PATH"),
        ({"model_type": "gemma3", "text_config": {"model_type": "mamba"}}, "vllm:PATH"),
        ({"model_type": "t5"}, "is not a causal language model"),
        ({"model_type": "bart", "is_encoder_decoder": True}, "is not a causal language model"),
        ({"model_type": "bert"}, "is not a causal language model"),
        ({"model_type": "llama9"}, "does not know the architecture llama9"),
        ({}, "has no model_type"),
    ],
)
def test_what_nobody_has_compared_is_refused(config: dict[str, Any], says: str) -> None:
    with pytest.raises(ModelError, match=f"some/folder.*{says}"):
        require_architecture(config, Path("some/folder"))


# --- one pass ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("llama"), "llama")


@pytest.mark.parametrize("beginning", [BEGINNING, []])
def test_logits_are_those_of_a_pass_over_each_prompt_alone(folder: Path, beginning: list[int]) -> None:
    prompts, model, theirs = [beginning + prompt for prompt in PROMPTS], load(folder), reference(folder)
    with torch.inference_mode():
        reader = PrefixReader(model, prompts, PAD)
        chosen = [prompts[index] for index in (4, 0, 2)]
        logits, _, start = reader.read(chosen)
        expected = torch.stack([theirs(torch.tensor([prompt])).logits[0, -1] for prompt in chosen])
    assert torch.allclose(logits, expected, atol=1e-4)
    assert start.tolist() == [5, 14, 0]


def test_how_many_prompts_are_read_together(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted without the shared prefix; at least one."""
    prompts = [BEGINNING + prompt for prompt in PROMPTS]
    reader = PrefixReader(load(folder), prompts, PAD)
    assert reader.count_in_one_pass(prompts) == 5
    monkeypatch.setattr(attention, "MAX_READ_TOKENS", 3 * 15)
    assert reader.count_in_one_pass(prompts) == 3
    assert reader.count_in_one_pass(prompts[:2]) == 2
    monkeypatch.setattr(attention, "MAX_READ_TOKENS", 10)
    assert reader.count_in_one_pass(prompts) == 1


def test_prompts_that_do_not_fit_into_one_pass_are_read_in_several(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, theirs = load(folder), reference(folder)
    monkeypatch.setattr(attention, "MAX_READ_TOKENS", 20)
    watch = Watch(model, monkeypatch)
    rows = run(model, PROMPTS, [row(index, limit=limit) for index, limit in enumerate(LIMITS)], at_once=5)
    assert [one.tokens for one in rows] == [greedy(theirs, *one) for one in zip(PROMPTS, LIMITS, strict=True)]
    assert max(rows * tokens for rows, tokens in watch.read) <= 20
    assert len(watch.read) > 1
