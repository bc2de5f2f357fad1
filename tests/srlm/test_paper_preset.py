"""docs/explain/paper.md has every setting of the configuration with its default, and the preset has the paper's."""

import re

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from helpers.paths import ROOT
from srlm.config import TrainConfig
from srlm.config.section import Section
from srlm.config_file import load_config

PAGE = ROOT / "docs" / "explain" / "paper.md"
ROW = re.compile(r"^\| `([a-z_.]+)` \| (.*?) \| (.*?)\| `(.*?)` \| (.*?)\|$", re.MULTILINE)
SILENT = "not in the paper"


def leaves(model: type[BaseModel], values: BaseModel | None, prefix: str = "") -> dict[str, str]:
    """Every setting below a section, with its value in words."""
    found: dict[str, str] = {}
    for name, field in model.model_fields.items():
        value = getattr(values, name) if values is not None else field.default
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            found |= leaves(field.annotation, value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = "needed" if value is PydanticUndefined else str(value)
    return found


ROWS = ROW.findall(PAGE.read_text(encoding="utf-8"))
DEFAULTS = leaves(TrainConfig, None)


def test_every_setting_has_one_row():
    names = [name for name, *_ in ROWS]
    assert sorted(set(DEFAULTS) - set(names)) == []
    assert sorted(set(names) - set(DEFAULTS)) == []
    assert len(names) == len(set(names))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_has_the_default_and_says_where_or_that_it_is_ours(row):
    name, paper, where, default, why = (cell.strip() for cell in row)
    assert default == DEFAULTS[name]
    assert paper
    # What the paper says has its place in it; what it does not say has our reason.
    assert bool(where) != (paper == SILENT)
    assert why or paper != SILENT


@pytest.mark.parametrize("row", [row for row in ROWS if row[1].startswith("`")], ids=lambda row: row[0])
def test_the_preset_has_the_papers_values(row):
    preset = leaves(TrainConfig, load_config("paper", []))
    assert f"`{preset[row[0]]}`" == row[1]


def test_the_preset_by_hand():
    preset = load_config("paper", [])
    assert (preset.model, preset.instructions.writer) == (
        "hf:meta-llama/Llama-2-70b-hf",
        "hf:meta-llama/Llama-2-70b-chat-hf",
    )
    assert preset.seeds.source == "oasst:OpenAssistant/oasst1"
    assert preset.sft.learning_rate * preset.sft.min_lr_rate == pytest.approx(1.1e-6)
    assert preset.dpo.learning_rate * preset.dpo.min_lr_rate == pytest.approx(1e-7)
    assert preset.instructions.seed_shots + preset.instructions.generated_shots == 8
    assert preset.pairs == TrainConfig(model="x").pairs
    # 150 words, and the longest answers of the paper's Table 1, in tokens of four characters.
    assert preset.instructions.sampling.max_tokens >= 150
    assert preset.candidate_sampling.max_tokens > 2552 / 4
