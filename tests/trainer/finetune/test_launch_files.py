"""accelerate reads the recipes of the package."""

import pytest

from trainer.finetune.recipes import RECIPES


@pytest.mark.parametrize("name", RECIPES)
def test_accelerate_reads_it(name):
    from accelerate.commands.config.config_args import load_config_from_file

    text = RECIPES[name].read_text(encoding="utf-8")
    config = load_config_from_file(str(RECIPES[name]))  # refuses keys that it does not know
    assert config.mixed_precision == "bf16"
    assert config.distributed_type in text
