"""Rollouts are kept step by step: those of the checkpoint stay, later ones are dropped and written again."""

import pytest

from srlm.errors import TrainingFailed
from srlm.jsonl import parse_lines
from srlm.rollouts import Rollout, StepAudit
from trainer.rollouts.rollout_file import RolloutFile, unfinished_file


def of_step(step):
    return [
        Rollout(f"M2-s{step:05d}-{place:04d}", step, "p", "text\u2028\n", "a", 1.0 * place, 1, 0, None, None, 3, False)
        for place in range(4)
    ]


def test_a_file_goes_on_at_its_checkpoint(tmp_path):
    first = RolloutFile(tmp_path, 2, 0, 0)
    for step in (1, 2, 3):
        first.add(of_step(step))
    file = unfinished_file(tmp_path)
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"id": "M2-s00004-0000", "st')  # a kill in the middle of a line
    again = RolloutFile(tmp_path, 2, 2, 8)
    assert [one.step for one in again.audits] == [1, 2]
    again.add(of_step(3))
    assert file.read_bytes() == whole
    again.finish()
    assert (tmp_path / "rollouts.jsonl").read_bytes() == whole
    assert parse_lines(tmp_path / "audit.jsonl", StepAudit) == first.audits


def test_rollouts_that_are_missing_are_said(tmp_path):
    RolloutFile(tmp_path, 2, 0, 0).add(of_step(1))
    with pytest.raises(TrainingFailed, match="has 4 rollouts up to step 2, and 8 were written. Remove .*training"):
        RolloutFile(tmp_path, 2, 2, 8)
