"""Two processes train as one: DDP, and FSDP2 by the shipped recipe, for full fine-tuning and LoRA.

Each of the two launchers trains all jobs, one after the other (`tests/helpers/recipes.py`), with gloo. Real kills are
in test_resume_distributed.py.
"""

import json
import math
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import helpers.recipes
from srlm.config.finetune import DPOConfig, SFTConfig
from srlm.console import Progress
from trainer.finetune.job import JOB, DPOJob, SFTJob
from trainer.finetune.launch import run_job_in_process
from trainer.finetune.recipes import RECIPES

pytestmark = pytest.mark.slow

SETTINGS = {
    "batch_size": 8,
    "per_device_train_batch_size": 2,
    "learning_rate": 1e-3,
    "max_length": 256,
    "dropout": 0,
    "save_steps": 2,
}
LORA = {"rank": 2, "alpha": 8}
EVERY_TERM = {"nll_coef": 0.2, "label_smoothing": "agreement", "replay": 5}
SNAPSHOTS = {"stopping": {"judge": "smollm2", "every": 2}}
BIN = Path(sys.executable).parent
LAUNCHERS = {
    "ddp": f"{BIN}/torchrun --standalone --nproc-per-node 2",
    "fsdp": f"{BIN}/accelerate launch --config_file {RECIPES['fsdp']} --num_processes 2 --main_process_port 0",
}


@dataclass(frozen=True)
class Trained:
    """A finished training."""

    folder: Path

    def values(self, name: str) -> list[float]:
        lines = (self.folder.parent / "training.jsonl").read_text(encoding="utf-8").splitlines()
        return [entry[name] for entry in map(json.loads, lines) if "loss" in entry]

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        return load_file(self.folder / "model.safetensors")

    @property
    def snapshot(self) -> "Trained":
        """The model after two steps."""
        return Trained(self.folder.parent / "kept" / "step-2")


@pytest.fixture(scope="module")
def jobs(tiny_model, perturbed_model, examples, pairs, tmp_path_factory):
    """A function: jobs by their names, each in a folder of its own. Those named `broken` are interrupted in between."""

    def dpo(folder: Path, **changes) -> DPOJob:
        config = DPOConfig(**SETTINGS, epochs=2, **changes)
        data = (tuple(pairs), tuple(examples), config)
        return DPOJob(perturbed_model, folder, *data, "cpu", "float32", 7, "M2", consistency=0.9)

    def make(how: str) -> dict[str, SFTJob | DPOJob]:
        base = tmp_path_factory.mktemp(how)

        def folder(name: str) -> Path:
            place = base / name / "checkpoint"
            place.mkdir(parents=True)
            if name.startswith("broken"):
                (place.parent / "interrupt").write_text("3", encoding="utf-8")
            return place

        sft = SFTJob(tiny_model, folder("sft"), tuple(examples), SFTConfig(**SETTINGS), "cpu", "float32", 7, "M1")
        return {
            "sft": sft,
            "full": dpo(folder("full")),
            "lora": dpo(folder("lora"), lora=LORA),
            "terms": dpo(folder("terms"), **EVERY_TERM, **SNAPSHOTS),
            "broken-full": dpo(folder("broken-full")),
            "broken-lora": dpo(folder("broken-lora"), lora=LORA),
        }

    return make


@pytest.fixture(scope="module")
def alone(jobs) -> dict[str, Trained]:
    """The jobs, trained in this process without an interruption."""
    made = {name: job for name, job in jobs("alone").items() if not name.startswith("broken")}
    for job in made.values():
        run_job_in_process(job, Progress(quiet=True))
    return {name: Trained(job.folder) for name, job in made.items()}


@pytest.fixture(scope="module", params=["ddp", "fsdp"])
def together(request, jobs) -> dict[str, Trained]:
    """The jobs, trained in two processes."""
    made = jobs(request.param)
    files = [job.folder.parent / "job.json" for job in made.values()]
    for file, job in zip(files, made.values(), strict=True):
        file.write_bytes(JOB.dump_json(job))
    command = [*shlex.split(LAUNCHERS[request.param]), helpers.recipes.__file__, *files]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"}
    ended = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "begins again" not in ended.stdout
    return {name: Trained(job.folder) for name, job in made.items()}


@pytest.mark.parametrize("name", ["sft", "full", "lora", "terms"])
def test_two_processes_have_the_losses_and_weights_of_one(together, alone, name):
    one, two = alone[name], together[name]
    assert two.values("loss") == pytest.approx(one.values("loss"), rel=1e-4)
    assert two.values("grad_norm") == pytest.approx(one.values("grad_norm"), rel=1e-3)
    assert len(one.values("loss")) > 2
    require_same_weights(one, two)


def test_snapshots_are_whole_models(together, alone):
    require_same_weights(alone["terms"].snapshot, together["terms"].snapshot)


def require_same_weights(one: Trained, two: Trained) -> None:
    before, after = one.weights, two.weights
    assert before.keys() == after.keys()
    for name in before:
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["full", "lora"])
def test_the_first_loss_of_dpo_is_log_2(together, name):
    assert together[name].values("loss")[0] == pytest.approx(math.log(2), abs=1e-6)


@pytest.mark.parametrize("name", ["full", "lora"])
def test_an_interrupted_training_is_resumed_to_the_same_weights(together, name):
    whole, broken = together[name], together[f"broken-{name}"]
    assert broken.values("loss") == whole.values("loss")
    assert all(torch.equal(tensor, whole.weights[key]) for key, tensor in broken.weights.items())
