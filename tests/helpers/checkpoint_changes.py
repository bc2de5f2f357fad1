"""Changes of where the weights of a checkpoint are, for tests of what reads it."""

import json
from collections.abc import Callable
from pathlib import Path

from safetensors.torch import load_file, save_file

Change = Callable[[Path], object]


def indexed(name: str) -> Change:
    """Move the weights to a file that an index names."""

    def change(folder: Path) -> None:
        held = load_file(folder / "model.safetensors")
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        (folder / "model.safetensors").rename(place)
        index = {"metadata": {"total_size": 1}, "weight_map": dict.fromkeys(held, name)}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))

    return change


def sharded(missing: bool) -> Change:
    def change(folder: Path) -> None:
        held = load_file(folder / "model.safetensors")
        names = {name: f"model-0000{1 + number % 2}-of-00002.safetensors" for number, name in enumerate(held)}
        for shard in set(names.values()):
            part = {name: weight for name, weight in held.items() if names[name] == shard}
            save_file(part, folder / shard, {"format": "pt"})
        (folder / "model.safetensors").unlink()
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": names}))
        if missing:
            (folder / "model-00002-of-00002.safetensors").unlink()

    return change
