"""Damaged and unusual checkpoints: each is refused by name before it answers; missing weights are never initialised."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
from safetensors.torch import load_file, save_file

from helpers.checkpoint_changes import Change, indexed, sharded
from helpers.tiny_models import ask, save
from srlm.engines.hf import HFEngine
from srlm.engines.load import load_model, load_tokenizer, load_weights
from srlm.engines.weight_checks import require_whole
from srlm.errors import EngineFailed, ModelError
from srlm.types import Request


def edit(**changes: Any) -> Change:
    """Change a checkpoint's config.json."""

    def change(folder: Path) -> None:
        file = folder / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return change


def weights(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Change:
    """Change a checkpoint's weights."""

    def changed(folder: Path) -> None:
        file = folder / "model.safetensors"
        save_file({name: weight.clone() for name, weight in change(load_file(file)).items()}, file, {"format": "pt"})

    return changed


def renamed(prefix: str) -> Change:
    return weights(lambda held: {prefix + name: weight for name, weight in held.items()})


def without(part: str) -> Change:
    return weights(lambda held: {name: weight for name, weight in held.items() if part not in name})


def with_more(name: str) -> Change:
    return weights(lambda held: held | {name: torch.zeros(1, 32)})


def spoiled(value: float) -> Change:
    def change(held: dict[str, Any]) -> dict[str, Any]:
        held["model.layers.1.mlp.up_proj.weight"][3, 4] = value
        return held

    return weights(change)


def written(name: str, content: str) -> Change:
    return lambda folder: (folder / name).write_text(content)


CODE = '{"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["own.Own", null]}}'
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 123\n"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            renamed("_orig_mod."),
            r"missing are 21 \(lm_head.*left over are 21.*All names begin with _orig_mod\., .*compile",
        ),
        (renamed("module."), "All names begin with module"),
        (renamed("base_model.model."), r"PEFT; save model\.merge_and_unload"),
        (without("layers.1.mlp"), r"missing are 3 \(model\.layers\.1\.mlp\.down_proj"),
        (with_more("value_head.weight"), r"left over are 1 \(value_head\.weight\).*reward model"),
        (with_more("model.layers.0.self_attn.q_proj.lora_A.weight"), "adapter that was not merged"),
        (edit(model_type="qwen3", head_dim=8), "missing are 4.*q_norm"),
        (edit(intermediate_size=48), "of another shape are 6.*64x32 in place of 48x32|of another shape are 6"),
        (edit(num_hidden_layers=1), r"left over are 9 \(model\.layers\.1"),
        (spoiled(float("nan")), r"not finite: model\.layers\.1\.mlp\.up_proj\.weight \(1 in all\)"),
        (spoiled(float("inf")), "not finite"),
        (written("model.safetensors", POINTER), r"model\.safetensors is only a git-lfs pointer.*git lfs pull"),
        (written("model.safetensors", "\x00" * 100), r"model\.safetensors is no complete safetensors file \("),
        (written("tokenizer.json", POINTER), r"tokenizer\.json is only a git-lfs pointer"),
        (written("config.json", POINTER), r"config\.json is only a git-lfs pointer"),
        (sharded(missing=True), r"model-00002-of-00002\.safetensors is missing \(1 of 2"),
        (written("config.json", '{"model_type": "llama",\n"vocab'), r"config\.json, line 2: not JSON"),
        (written("config.json", "[1]"), "must contain an object, and contains a list"),
        (written("config.json", '{"a":' * 99999), "nested too deeply"),
        (written("config.json", f'{{"a": {"1" * 5000}}}'), "a number in it is too long"),
        (written("generation_config.json", "{"), r"generation_config\.json, line 1: not JSON"),
        (written("tokenizer_config.json", "["), r"tokenizer_config\.json, line 1: not JSON"),
        (written("tokenizer_config.json", CODE), "has code of its own for its tokenizer"),
        (edit(dtype="float33"), r"config\.json cannot be used: .*float33|cannot be loaded"),
        (edit(vocab_size=0), "vocab_size is 0.*above 0"),
        (edit(max_position_embeddings="many"), "max_position_embeddings is 'many'"),
        (edit(hidden_size="wide"), r"config\.json cannot be used"),
        (edit(_attn_implementation="kernels-community/flash"), "code from the Hub"),
        (edit(transformers_weights="other.safetensors"), "transformers_weights"),
        (edit(model_type="llama9"), r"transformers [\d.]+, which is installed here, does not know.*llama9.*upgrade"),
        (edit(model_type="own", auto_map={"AutoConfig": "own.Own"}), "never runs code of a checkpoint"),
        (edit(model_type=["llama"]), "has no model_type"),
        (edit(model_type="mamba"), "does not support the architecture mamba.*vLLM"),
        (edit(model_type="bloom"), "does not support the architecture bloom"),
        (edit(alibi=True), "does not support the architecture"),
        (edit(model_type="bert"), "is not a causal language model"),
        (edit(layer_types=["full_attention", "linear_attention"]), "linear_attention.*vLLM"),
        (
            edit(quantization_config={"quant_method": "gptq", "bits": 4}),
            "quantised by gptq, and transformers cannot load it here: .*vLLM",
        ),
        (edit(quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True}), "quantised by bitsandbytes"),
        (indexed("w.bin"), r"names 'w\.bin'.*\.safetensors files inside"),
        (indexed("../w.safetensors"), r"names '\.\./w"),
        (written("adapter_config.json", '{"base_model_name_or_path": "BASE"}'), "adapter.*'BASE'.*merge_and_unload"),
        (
            lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"),
            r"pytorch_model\.bin.*convert",
        ),
    ],
)
def test_what_is_not_a_whole_model_is_refused(folder: Path, change: Change, says: str) -> None:
    change(folder)
    with pytest.raises(ModelError, match=says) as refused:
        engine = HFEngine(folder, name="tiny", device="cpu", dtype="float32")
        list(engine.run([[ask("Hello")]]))
    assert str(folder) in str(refused.value) or "config.json" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("declared", ["x", [1, "x"], 1.5])
def test_an_end_that_is_no_token_is_refused(folder: Path, declared: Any) -> None:
    edit(eos_token_id=declared)(folder)
    (folder / "generation_config.json").unlink()
    with pytest.raises(ModelError, match=r"eos_token_id|config\.json cannot be used|cannot be loaded"):
        list(HFEngine(folder, name="tiny", device="cpu", dtype="float32").run([[ask("Hello")]]))


def test_a_pickle_under_the_name_of_safetensors_is_not_read(folder: Path) -> None:
    torch.save({"a": torch.zeros(1)}, folder / "w.bin")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to("w.bin")
    with pytest.raises(ModelError, match="no complete safetensors file"):
        load_model(folder, torch.float32, "cpu")


def test_whole_models_are_loaded(folder: Path, tmp_path: Path) -> None:
    """Shards, weights in a subfolder, tied weights, and tables that older versions saved."""
    for number, change in enumerate(
        [
            sharded(missing=False),
            indexed("parts/w.safetensors"),
            with_more("model.layers.0.self_attn.rotary_emb.inv_freq"),
        ]
    ):
        change(copy := Path(shutil.copytree(folder, tmp_path / str(number))))
        load_model(copy, torch.float32, "cpu")
    load_model(save(tmp_path / "tied", "llama", tie_word_embeddings=True), torch.float32, "cpu")


class Watched:
    """A class of transformers that notes how it is asked for a model, and gives a whole one on the CPU."""

    def __init__(self, folder: Path, error: Exception | None = None) -> None:
        self.model = load_model(folder, torch.float32, "cpu")
        self.error, self.device_map = error, "none"

    def from_pretrained(self, *_: Any, device_map: str = "none", **__: Any) -> tuple[Any, Any]:
        if self.error:
            raise self.error
        self.device_map = device_map
        found = {"missing_keys": (), "unexpected_keys": (), "mismatched_keys": ()}
        self.model.to = lambda device: self.model
        return self.model, found


@pytest.mark.parametrize(("device", "device_map"), [("cuda:1", "cuda:1"), ("cpu", "none")])
def test_weights_are_read_straight_into_the_memory_of_a_gpu(folder: Path, device: str, device_map: str) -> None:
    kind = Watched(folder)
    load_weights(kind, folder, torch.bfloat16, device, require_whole)
    assert kind.device_map == device_map


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        MemoryError(),
    ],
)
def test_weights_for_which_there_is_no_memory_are_one_message(folder: Path, error: Exception) -> None:
    with pytest.raises(EngineFailed, match=r"take .* GB in bfloat16 and do not fit .* device cuda:0") as one:
        load_weights(Watched(folder, error), folder, torch.bfloat16, "cuda:0", require_whole)
    assert "\n" not in str(one.value)


def test_other_errors_of_the_device_are_not_taken_for_it(folder: Path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded: device-side assert"):
        load_weights(
            Watched(folder, RuntimeError("device-side assert")), folder, torch.bfloat16, "cuda:0", require_whole
        )


@pytest.mark.parametrize("content", ["{", '{"model": {"type": "BPE", "vocab": {}, "merges": [[1, 2]]}}', "[]"])
def test_a_tokenizer_that_cannot_be_read_is_named_with_the_reason(folder: Path, content: str) -> None:
    (folder / "tokenizer.json").write_text(content)
    with pytest.raises(ModelError, match=r"The tokenizer in .*/model cannot be read: .* .*upgrade tokenizers"):
        load_tokenizer(folder)


# --- tokens and rows --------------------------------------------------------------------------------------------------


def with_tokens(folder: Path, special: bool, *tokens: str) -> None:
    tokenizer = load_tokenizer(folder)
    tokenizer.add_tokens(list(tokens), special_tokens=special)
    tokenizer.save_pretrained(folder)


def test_a_token_that_can_be_met_has_a_row(folder: Path) -> None:
    with_tokens(folder, False, "haiku")
    with pytest.raises(
        ModelError, match=r"has \d+ tokens, and the weights are for \d+: 'haiku' would have no embedding"
    ):
        load_tokenizer(folder)


def test_a_token_of_the_template_has_a_row(folder: Path) -> None:
    with_tokens(folder, True, "<|extra|>")
    (folder / "chat_template.jinja").write_text("{{ messages[0].content }}<|extra|>")
    with pytest.raises(ModelError, match=r"'<\|extra\|>' would have no embedding"):
        load_tokenizer(folder)


def test_special_tokens_that_are_never_met_may_have_none(folder: Path) -> None:
    with_tokens(folder, True, "<|extra|>", "<|more|>")
    engine = HFEngine(folder, name="tiny", device="cpu", dtype="float32")
    list(engine.run([[ask("What of <|extra|> and <|more|>?", prefill="<|extra|>")]]))
    edit(vocab_size=1000)(folder)
    with pytest.raises(ModelError, match="of another shape"):
        load_model(folder, torch.float32, "cpu")


# --- the fingerprint --------------------------------------------------------------------------------------------------


def test_a_model_that_is_refused_later_than_at_opening_is_refused_once(folder: Path) -> None:
    """Weights are loaded at the first call that the ledger does not answer; their errors are raised there."""
    spoiled(float("nan"))(folder)
    engine = HFEngine(folder, name="tiny", device="cpu", dtype="float32")
    for choices in ((), ("A", "B")):
        with pytest.raises(ModelError, match="not finite"):
            list(engine.run([[Request(ask("A or B?").messages, choices=choices)]]))
