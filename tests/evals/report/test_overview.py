"""The configuration of a run on its page."""

import pytest

from evals.report.sections.overview import configuration
from srlm.config import TrainConfig
from srlm.runs import Run


@pytest.mark.parametrize(
    ("instructions", "said"),
    [
        ({}, "4,000 an iteration, written by base"),
        ({"source": "/home/me/prompts.jsonl"}, "an equal share an iteration, from prompts.jsonl"),
        ({"source": "hf:OWNER/NAME:test", "count": 50}, "50 an iteration, from hf:OWNER/NAME:test"),
        ({"source": "puzzle", "count": 1000}, "1,000 an iteration, from puzzle"),
    ],
)
def test_new_instructions_by_their_source(tmp_path, instructions, said):
    settings = TrainConfig.model_validate({"model": "m", "instructions": instructions})
    facts = dict(configuration(Run(tmp_path / "r", settings)).facts)
    assert facts["new instructions"] == said
