"""A path that is no complete checkpoint is refused with what it is."""

import json
from pathlib import Path

import pytest

from srlm.errors import ModelError
from srlm.model_hub import is_model_name, model_folder


def fill(folder: Path, *names: str) -> None:
    """Create empty files, and JSON objects where one is read."""
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        base = json.dumps({"base_model_name_or_path": "it's BASE"})
        file.write_text(base if "adapter" in name else "{}" if name.endswith(".json") else "")


@pytest.mark.parametrize(
    ("files", "given", "says"),
    [
        (["adapter_config.json", "adapter_model.safetensors"], "", ["adapter", "it's BASE", "merge_and_unload"]),
        (["config.json", "model.safetensors", "adapter_config.json"], "", ["adapter", "merge_and_unload"]),
        (["model.gguf"], "", ["model.gguf is a GGUF file", "safetensors", "openai:NAME@http://"]),
        (["config.json", "model.gguf"], "", ["model.gguf is a GGUF file"]),
        (["model.gguf"], "model.gguf", ["model.gguf is a GGUF file", "llama-server -m "]),
        (["checkpoint-9/config.json", "checkpoint-10/config.json"], "", ["checkpoints of a training", "checkpoint-10"]),
        (["checkpoint/config.json", "training.jsonl"], "", ["no config.json", "model/checkpoint"]),
        (["snapshots/a1/config.json"], "", ["no config.json", "snapshots/a1"]),
        (["consolidated.00.pth"], "", ["publisher's own format"]),
        (["config.json", "model.safetensors"], "model.safetensors", ["is a file of a checkpoint", "Give its folder"]),
        (["config.json", "pytorch_model.bin"], "", ["pytorch_model.bin", "can contain code", "save_pretrained"]),
        (["config.json"], "", ["cannot be loaded", "has no weights"]),
        (["notes.txt"], "notes.txt", ["is a file, and a model is a folder"]),
        ([".hidden"], "", ["no config.json", "It needs one"]),
    ],
)
def test_what_is_no_checkpoint_is_told_by_name(tmp_path: Path, files: list[str], given: str, says: list[str]) -> None:
    folder = tmp_path / "model"
    fill(folder, *files)
    assert is_model_name(str(folder / given))
    with pytest.raises(ModelError) as refused:
        model_folder(str(folder / given))
    assert all(part in str(refused.value) for part in [*says, str(folder)]), refused.value


def test_a_link_that_leads_nowhere_is_one(tmp_path: Path) -> None:
    (tmp_path / "gone").symlink_to("nowhere")
    with pytest.raises(ModelError, match="is a link to nowhere, which does not exist"):
        model_folder(str(tmp_path / "gone"))
    (tmp_path / "config.json").symlink_to("blobs/1")
    with pytest.raises(ModelError, match="is a link to blobs/1, which does not exist"):
        model_folder(str(tmp_path))
