"""What the doctor says of a processor, and of the demos on it."""

from dataclasses import replace

import pytest
import torch

from srlm.demo_times import DEMOS, DemoTime
from srlm.diagnostics import run_checks
from srlm.processor import Processor, measure_processor

SLOW = Processor(2, "AVX2", None, 40.0, 70.0, 1.2)


def test_this_processor_is_measured_and_threads_stay():
    threads = torch.get_num_threads()
    found = measure_processor()
    assert torch.get_num_threads() == threads
    assert found.cores >= 1 and found.instructions
    assert min(found.one_core, found.all_cores, found.all_cores_bfloat16) > 0


def test_a_processor_is_described_in_a_line():
    assert str(SLOW) == "2 cores, AVX2, no bfloat16 of its own; 70 GFLOP/s in float32 (40 on one core), 1 in bfloat16"
    assert "float32 here" in SLOW.advice
    assert "bfloat16 by AMX" in str(replace(SLOW, bfloat16="AMX"))
    assert "takes bfloat16" in replace(SLOW, bfloat16="AMX").advice


def test_a_demo_takes_its_time_where_it_was_measured_and_longer_on_a_slower_processor():
    demo = DemoTime("make demo", 100, 80.0, one_core=True, share=0.5)
    assert demo.on(replace(SLOW, one_core=80.0)) == pytest.approx(100)
    assert demo.on(SLOW) == pytest.approx(150)
    assert replace(demo, one_core=False).on(SLOW) == pytest.approx(50 + 50 * 80 / 70)


def test_the_doctor_has_a_line_for_the_processor_and_one_for_the_demos(tmp_path):
    found = {check.name: check for check in run_checks(tmp_path, load=False)}
    assert "GFLOP/s in float32" in found["processor"].detail
    assert all(f"{demo.target}: about " in found["demos here"].detail for demo in DEMOS)
