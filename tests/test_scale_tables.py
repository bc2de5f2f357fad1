"""The tables of docs/explain/scale.md are those of tools/scale_tables.py, and the preset paper says what they say."""

import importlib.util
import re
import sys

import pytest

from helpers.paths import ROOT
from srlm.config.finetune import DPOConfig
from srlm.config_file import load_config
from trainer.finetune.memory import USED_SHARE, Placement, training_memory

_spec = importlib.util.spec_from_file_location("scale_tables", ROOT / "tools" / "scale_tables.py")
assert _spec is not None
assert _spec.loader is not None
scale = importlib.util.module_from_spec(_spec)
sys.modules["scale_tables"] = scale  # its frozen dataclasses look themselves up
_spec.loader.exec_module(scale)

PRESET = load_config("paper", [])


def test_the_page_has_the_tables():
    text = scale.PAGE.read_text(encoding="utf-8")
    assert text == scale.page(text), "run python tools/scale_tables.py"


def test_a_number_that_was_changed_by_hand_is_found():
    text = scale.PAGE.read_text(encoding="utf-8")
    changed = text.replace("| 138.0 |", "| 135.0 |")
    assert changed != text
    assert scale.page(changed) == text
    with pytest.raises(SystemExit, match="no place for the table time"):
        scale.page(text.replace("<!-- end of time -->", ""))


def fits(gpus: int, memory: float, *, batch: int = 16, adapters: bool = False) -> bool:
    """Llama 2 70B with the preset's pairs, one at a time on each GPU."""
    assert batch % gpus == 0
    placement = Placement(shards=gpus, adapters=adapters)
    need = training_memory(scale.LLAMA_70B, placement, 2 * PRESET.dpo.max_length).total
    return need <= USED_SHARE * memory


def test_the_paper_preset_needs_what_its_header_says():
    header = (ROOT / "srlm" / "presets" / "paper.yaml").read_text(encoding="utf-8").partition("\nmodel:")[0]
    words = " ".join(header.replace("\n#", "").split())
    assert "needs 16 GPUs of 141 GB; or 32 of 80 GB, with batches of 32" in words
    assert "or eight of 80 GB for adapters" in words
    assert (PRESET.sft.batch_size, PRESET.dpo.batch_size, PRESET.launcher) == (16, 16, "fsdp")
    assert fits(16, 141e9)
    assert fits(32, 80e9, batch=32)
    assert fits(8, 80e9, adapters=True)
    assert not fits(8, 141e9)
    assert not fits(16, 80e9)
    said = re.search(r"The run writes (\d+) TB", words)
    assert said is not None
    assert float(said[1]) == pytest.approx(scale.disk_bytes(scale.LLAMA_70B.parameters, 4) / 1e12, rel=0.05)


def test_the_setups_are_trainings_with_the_default_settings_or_the_presets():
    for setup in scale.SETUPS:
        dpo = PRESET.dpo if setup.shape is scale.LLAMA_70B else DPOConfig()
        assert setup.max_length == dpo.max_length
        assert setup.batch in (dpo.batch_size, setup.gpus)  # another one only where each GPU needs an example
        assert setup.batch % setup.gpus == 0


def test_the_shapes_are_those_of_their_models():
    """Parameters by layer: attention, feed-forward network, two normalisations; and the embeddings."""
    for shape in scale.NAMES:
        attention = shape.width * (2 * shape.heads_width + 2 * shape.kv_width)
        layer = attention + 3 * shape.width * shape.inner_width + 2 * shape.width
        assert shape.parameters == shape.layers * layer + shape.embeddings + shape.width


@pytest.mark.parametrize(("seconds", "words"), [(4.4, "4 s"), (90, "1.5 min"), (5400, "1.5 h")])
def test_durations_in_words(seconds, words):
    assert scale.duration(seconds) == words
