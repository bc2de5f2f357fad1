"""accelerate reads the configuration files that the documentation names."""

import pytest

from helpers.paths import ROOT

FOLDER = ROOT / "docs" / "scale"


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.yaml")))
def test_accelerate_reads_it(name):
    from accelerate.commands.config.config_args import load_config_from_file

    text = (FOLDER / name).read_text(encoding="utf-8")
    config = load_config_from_file(str(FOLDER / name))  # refuses keys that it does not know
    assert config.mixed_precision == "bf16"
    assert config.distributed_type in text
