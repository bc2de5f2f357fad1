"""The check of a GPU: how parts fail, stop and must agree; and all of them on a processor, with random weights."""

import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import pytest

import gpu_check
from gpu import models
from gpu.report import Report
from gpu.setup import Clock, Setup
from helpers.paths import ROOT

PARTS = [part.name for part in gpu_check.PARTS]


@pytest.fixture
def setup(tmp_path):
    return Setup(
        folder=tmp_path / "model",
        out=tmp_path,
        seeds="embedded",
        device="cpu",
        tiny=True,
        instructions=4,
        vllm_python=None,
        clock=Clock(),
    )


def lines_of(folder):
    return [json.loads(line) for line in (folder / "gpu.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_part_that_fails_writes_its_error_and_what_it_had_and_the_next_runs(setup, capsys):
    def measure(part, setup, report, configuration):
        report.add("first", seconds=1.5)
        configuration["rows"] = 2
        if part.name == "equal":
            raise RuntimeError("the device is lost")

    assert gpu_check.run(setup, ["facts", "equal", "generate"], measure) == 1
    found = lines_of(setup.out)
    assert [line["part"] for line in found] == ["facts", "equal", "generate"]
    assert [line["passed"] for line in found] == [True, False, True]
    assert "the device is lost" in found[1]["error"]
    assert found[1]["measured"] == {"first": {"seconds": 1.5}}
    assert found[1]["configuration"] == {"rows": 2}
    assert found[1]["versions"]["torch"]
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == found


@pytest.mark.parametrize(("same", "required", "code"), [(3, True, 0), (2, True, 1), (2, False, 0)])
def test_the_exit_code_says_whether_what_must_be_equal_is(setup, same, required, code):
    def measure(part, setup, report, configuration):
        report.compare("answers", same, 3, required=required)

    assert gpu_check.run(setup, ["equal"], measure) == code
    (line,) = lines_of(setup.out)
    assert line["equalities"]["answers"]["holds"] is line["passed"] is (code == 0)
    assert line["equalities"]["answers"]["share"] == same / 3


def test_nothing_compared_does_not_count_as_equal():
    report = Report("equal")
    report.compare("answers", 0, 0)
    assert not report.line(None)["passed"]


def test_a_number_that_is_not_finite_fails_the_part(setup):
    def measure(part, setup, report, configuration):
        report.add("steps", losses=[0.5, float("nan")], best=float("inf"), count=3)

    assert gpu_check.run(setup, ["train"], measure) == 1
    (line,) = lines_of(setup.out)
    assert line["error"] == "not a finite number: steps.losses[1], steps.best"
    assert line["measured"]["steps"] == {"losses": [0.5, None], "best": None, "count": 3}


def test_a_part_that_would_not_end_before_the_deadline_does_not_begin(setup):
    begun = []

    def measure(part, setup, report, configuration):
        begun.append(part.name)

    late = replace(setup, instructions=1000, clock=Clock(deadline=30))
    assert gpu_check.run(late, PARTS, measure) == 1
    assert begun == [part.name for part in gpu_check.PARTS if part.seconds(1000) <= 30]
    assert "not begun: it takes about 165 s" in lines_of(setup.out)[-1]["error"]


def test_the_parts_of_a_model_file_are_joined_in_order(tmp_path, monkeypatch):
    whole = bytes(range(256)) * 3
    halves = [tmp_path / "model.2", tmp_path / "model.1"]  # by the order given, not by name
    for half, part in zip(halves, (whole[:300], whole[300:]), strict=True):
        half.write_bytes(part)
    seen = []

    def convert(source, target):
        seen.append(source.read_bytes())
        target.mkdir()
        (target / "config.json").touch()

    monkeypatch.setattr("srlm.model_hub.convert_gguf", convert)
    assert models.joined_model(halves, tmp_path) == tmp_path / "model"
    models.joined_model(halves, tmp_path)  # a second check reads what the first one wrote
    assert seen == [whole]


def test_two_tokens_are_a_near_tie_if_their_logits_are_close(tmp_path, monkeypatch):
    import torch

    from gpu import equal
    from helpers import tiny_models

    tiny_models.save(tmp_path, "llama")
    prompt = [2, 5, 6, 7]
    with torch.inference_mode():
        logits = tiny_models.reference(tmp_path)(torch.tensor([[*prompt, 9]])).logits[0, -1].tolist()
    apart = abs(logits[3] - logits[4])
    for limit, near in ((apart * 1.01, True), (apart * 0.99, False)):
        monkeypatch.setattr(equal, "NEAR_TIE", limit)
        assert equal._is_near_tie(tiny_models.load(tmp_path), prompt, [9, 3, 8], [9, 4, 8]) is near


def test_all_are_answered_where_memory_runs_out(setup, monkeypatch):
    import torch

    from gpu import equal
    from srlm.engines import decoding

    caps, tried, generate = [], [], decoding.generate

    def generate_in_little_memory(model, prompts, rows, *, max_rows, **rest):
        tried.append(max_rows)
        if len(caps) == 1 and max_rows > 2:
            raise torch.OutOfMemoryError
        generate(model, prompts, rows, max_rows=max_rows, **rest)

    monkeypatch.setattr(decoding, "generate", generate_in_little_memory)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", caps.append)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=100e9))
    report = Report("equal")
    tiny = replace(setup, folder=models.tiny_model(setup.out))
    equal._out_of_memory(tiny, equal.Sizes(crowd=8, crowd_tokens=4), report)
    assert caps == [pytest.approx(equal.CAP_GB / 100), 1.0]
    assert tried[-1] == 2
    found = report.measured["out of memory"]
    assert found["rows_after"] == 2 < found["rows_before"]
    assert report.equalities["requests answered under the cap"].holds


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["speed"], "there is no part speed; there are facts, equal"),
        (["facts", "--model", "a", "--gguf", "b"], "not allowed with argument"),
    ],
)
def test_wrong_options_are_refused(words, said, capsys):
    with pytest.raises(SystemExit) as stopped:
        gpu_check.main(words)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_every_part_on_a_processor(tmp_path):
    # A wheel of one module, installed without a network as on a machine that reaches none.
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "carried-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("carried.py", "")
        wheel.writestr("carried-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: carried\nVersion: 1.0\n")
        wheel.writestr("carried-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("carried-1.0.dist-info/RECORD", "")
    out = tmp_path / "out"
    command = [sys.executable, ROOT / "tools" / "gpu_check.py", "--tiny", "--out", out, "--wheels", wheels]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (out / "packages" / "carried.py").exists()
    lines = {line["part"]: line for line in lines_of(out)}
    assert list(lines) == PARTS
    for part, line in lines.items():
        assert line["passed"], line
        assert line["error"] is None
        assert line["device"] == "processor"
        assert line["versions"]["torch"]
        assert line["configuration"]["tiny"] is True
        assert all(one["holds"] for one in line["equalities"].values()), part
        for name, value in numbers(line["measured"]):
            if name.endswith(("share", "in_use", "share_of_tokens", "share_on_scores")):
                assert 0 <= value <= 1, name
            if name.endswith("tokens_per_s"):
                assert value > 0, name

    def measured(part):
        return lines[part]["measured"]

    assert measured("facts")["ceilings"]["tflops"] > 0
    equal = lines["equal"]["equalities"]
    assert sum(one["of"] == one["same"] == 13 for one in equal.values()) == 5  # the architectures
    # The same device is on both sides here.
    assert {one["share"] for name, one in equal.items() if "float32" in name and "narrower" not in name} == {1}
    # What is compared with srlm's engine was really measured.
    for way in ("srlm, 2 rows", "transformers generate, batch 2", "transformers generate_batch"):
        assert measured("generate")[way]["tokens"] > 0, way
    assert "installed" in measured("generate")["vllm"]
    assert measured("profile")["decoding"]["steps"] > 0
    assert measured("judge")["expected"]["completion_tokens"] == 1
    assert 1 <= measured("judge")["sampled"]["completion_tokens"] <= 4
    for kind in ("sft", "dpo"):
        step = measured("train")[f"{kind} next to TRL's, micro-batches of 2"]
        assert step["srlm_s"] > 0
        assert step["trl_s"] > 0
        assert step["losses_apart"] < 1e-4
    alone = measured("train")["sft, dropout 0.0, recompute false"]
    assert alone["left_gb_after_collection"] < 1e-6
    iteration = measured("iteration")
    assert iteration["M2/candidates by M1"]["calls"] == 16
    assert iteration["M2/verdicts by M1"]["seconds"] > 0
    assert iteration["training of M2"]["first_loss"] == pytest.approx(0.693147, abs=1e-3)
    assert iteration["whole"]["exit_code"] == 0


def numbers(found, name=""):
    """Every number of a line, with its place."""
    if isinstance(found, dict):
        for key, value in found.items():
            yield from numbers(value, f"{name}.{key}")
    elif isinstance(found, int | float) and not isinstance(found, bool):
        yield name, found
