"""Files of a checkpoint: an index may name only safetensors inside of the folder."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
from srlm.checkpoint_files import weight_files
from srlm.engines.fingerprint import fingerprint
from srlm.errors import ModelError


@pytest.mark.parametrize("name", ["/elsewhere/w.safetensors", "w.pt", "a/../../w.safetensors", "..\\w.safetensors"])
def test_an_index_names_safetensors_inside_of_the_folder(folder: Path, name: str) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": {"a": name}}))
    for read in (weight_files, fingerprint):
        with pytest.raises(ModelError, match=r"only from \.safetensors files inside of the folder"):
            read(folder)
