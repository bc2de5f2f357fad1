"""The command that starts the processes of a training, on machines whose GPUs are pretended."""

import json
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from srlm.console import Progress
from srlm.errors import EngineError, UsageError
from trainer.finetune import launch
from trainer.finetune.launcher import choose_launcher, require_launcher
from trainer.finetune.recipes import FOLDER, RECIPES

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node")
ACCELERATE = (sys.executable, "-m", "accelerate.commands.launch", "--config_file")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    """Variables of a scheduler under which the tests themselves may run."""
    for name in [name for name in os.environ if name.startswith(("SLURM_", "SRUN_", "CUDA_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def gpus(monkeypatch):
    """A function: let torch find so many GPUs."""

    def pretend(count: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return pretend


@pytest.fixture
def slurm(monkeypatch):
    """A function: the environment of a Slurm job on so many nodes."""

    def job(nodes: int, **more: str) -> None:
        variables = {"SLURM_JOB_NUM_NODES": str(nodes), "SLURM_JOB_ID": "123456", "SLURM_JOB_NODELIST": "gpu[1-2]"}
        for name, value in {**variables, **more}.items():
            monkeypatch.setenv(name, value)

    return job


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_on_a_processor_training_runs_in_this_process(gpus, device):
    gpus(0)
    assert choose_launcher(None, device, 16) is None


@pytest.mark.parametrize("device", ["cuda", "auto", "cuda:0"])
def test_one_gpu_gets_a_process_of_its_own(gpus, device):
    gpus(1)
    chosen = choose_launcher(None, device, 16)
    assert (chosen.words, chosen.processes, chosen.note) == ((sys.executable,), 1, "")
    assert chosen.device == device.partition(":")[0]


@pytest.mark.parametrize("device", ["cuda", "auto"])
def test_several_gpus_get_a_process_each(gpus, device):
    gpus(8)
    chosen = choose_launcher(None, device, 16)
    assert chosen.words == (*TORCHRUN, "8")
    assert (chosen.processes, chosen.device, chosen.note) == (8, device, "")
    assert "CUDA_VISIBLE_DEVICES" not in chosen.environment


@pytest.mark.parametrize(
    ("visible", "device", "seen"),
    [
        (None, "cuda:0", "0"),
        (None, "cuda:1", "1"),
        ("4,5", "cuda:1", "5"),
        ("GPU-8f2a, GPU-77b0", "cuda:1", "GPU-77b0"),
    ],
)
def test_a_chosen_gpu_is_the_only_one_that_the_process_sees(gpus, monkeypatch, visible, device, seen):
    gpus(2)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    for setting in (None, "python", "fsdp"):
        chosen = choose_launcher(setting, device, 16)
        assert (chosen.environment["CUDA_VISIBLE_DEVICES"], chosen.device) == (seen, "cuda")
        assert chosen.processes == (None if setting == "python" else 1)


def test_a_batch_that_the_gpus_do_not_divide_is_shared_by_fewer(gpus):
    gpus(6)
    for setting in (None, "fsdp"):
        chosen = choose_launcher(setting, "cuda", 16)
        assert (chosen.processes, chosen.words[-1]) == (4, "4")
        assert chosen.note == (
            "Training uses 4 of 6 GPUs, because its batch_size = 16 is not divisible by more. A batch_size divisible "
            "by 6 uses all."
        )
    alone = choose_launcher(None, "cuda", 1)
    assert (alone.words, alone.environment["CUDA_VISIBLE_DEVICES"], alone.device) == ((sys.executable,), "0", "cuda")


def test_a_gpu_that_does_not_exist_is_refused(gpus):
    gpus(2)
    with pytest.raises(EngineError, match="torch finds 2 GPUs, which count from cuda:0, and not cuda:2"):
        choose_launcher(None, "cuda:2", 16)


@pytest.mark.parametrize("name", ["ddp", "fsdp"])
def test_a_recipe_is_found_by_its_name_and_runs_on_all_gpus(gpus, name):
    gpus(8)
    chosen = choose_launcher(name, "auto", 16)
    assert chosen.words == (*ACCELERATE, str(RECIPES[name]), "--num_processes", "8")
    assert RECIPES[name].is_file()
    assert (chosen.name, chosen.processes) == (name, 8)


def test_options_after_a_recipe_are_those_of_accelerate(gpus):
    gpus(6)
    chosen = choose_launcher("fsdp --num_processes 6 --main_process_port 0", "auto", 16)
    assert chosen.words[-4:] == ("--num_processes", "6", "--main_process_port", "0")
    assert (chosen.processes, chosen.note) == (None, "")


def test_a_recipe_without_a_gpu_is_refused(gpus):
    gpus(0)
    with pytest.raises(UsageError, match="launcher=fsdp trains on GPUs, and with device=cpu there is none here"):
        require_launcher("fsdp", "cpu", 16)


def test_a_recipe_without_its_library_is_refused(gpus, monkeypatch):
    gpus(1)
    monkeypatch.setattr("trainer.finetune.launcher.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"launcher=deepspeed needs the library deepspeed.*pip install deepspeed"):
        require_launcher("deepspeed", "cuda", 16)


def test_a_command_of_the_user_is_started_as_it_is(gpus):
    gpus(8)
    chosen = choose_launcher("torchrun --nproc-per-node 4", "auto", 16)
    assert (chosen.words, chosen.device) == (("torchrun", "--nproc-per-node", "4"), "auto")
    assert chosen.environment == {"SRLM_RECIPES": str(FOLDER)}


def test_srun_gives_a_task_the_cpus_of_the_job(gpus, slurm, monkeypatch):
    """From Slurm 22.05 on srun does not take them over from sbatch by itself."""
    gpus(8)
    slurm(2, SLURM_CPUS_PER_TASK="64")
    assert choose_launcher("srun worker", "cuda", 16).environment["SRUN_CPUS_PER_TASK"] == "64"
    monkeypatch.setenv("SRUN_CPUS_PER_TASK", "32")
    assert "SRUN_CPUS_PER_TASK" not in choose_launcher("srun worker", "cuda", 16).environment


def test_without_a_recipe_a_slurm_job_of_two_nodes_is_told_of_the_other(gpus, slurm):
    gpus(8)
    slurm(2)
    chosen = choose_launcher(None, "cuda", 16)
    assert chosen.words == (*TORCHRUN, "8")
    assert chosen.note == ("The Slurm job has 2 nodes, and training uses one: launcher=ddp or launcher=fsdp uses all.")


STARTED = """\
#!{python}
import json, os, sys
with open(os.path.join({folder!r}, os.environ["SLURM_NODEID"] + ".json"), "w") as file:
    json.dump(sys.argv[1:], file)
"""


@pytest.fixture
def cluster(tmp_path, slurm, monkeypatch):
    """The folder in which a pretended Slurm of two nodes leaves the arguments of what it started on each."""
    programs, started = tmp_path / "bin", tmp_path / "started"
    programs.mkdir()
    started.mkdir()
    python = STARTED.format(python=sys.executable, folder=str(started))
    scripts = {
        "srun": '#!/bin/sh\necho "$@" >&2\nwhile [ "$1" != bash ]; do shift; done\n'
        'SLURM_NODEID=0 "$@" && SLURM_NODEID=1 "$@"\n',
        "scontrol": '#!/bin/sh\n[ "$1 $2 $3" = "show hostnames gpu[1-2]" ] && printf "gpu1\\ngpu2\\n"\n',
        "my python": python,
    }
    for name, text in scripts.items():
        (programs / name).write_text(text, encoding="utf-8")
        (programs / name).chmod(0o755)
    slurm(2, SLURM_CPUS_ON_NODE="64", SLURM_CPUS_PER_TASK="8", PATH=f"{programs}:{os.environ['PATH']}")
    monkeypatch.setattr(sys, "executable", str(programs / "my python"))  # a path with a space in it
    return started


def test_under_slurm_a_recipe_runs_once_on_each_node(gpus, cluster, tmp_path):
    gpus(8)
    chosen = choose_launcher("fsdp --mixed_precision bf16", "auto", 32)
    file = tmp_path / "job of M2.json"
    done = subprocess.run(
        [*chosen.words, "-m", "trainer.worker", str(file)], capture_output=True, text=True, check=True
    )
    assert done.stderr.startswith(
        "--nodes=2 --ntasks=2 --ntasks-per-node=1 --kill-on-bad-exit=1 --cpus-per-task=64 bash -c "
    )
    assert chosen.processes == 16
    for node in (0, 1):
        words = json.loads((cluster / f"{node}.json").read_text(encoding="utf-8"))
        assert words == [
            *ACCELERATE[1:],
            str(RECIPES["fsdp"]),
            *shlex.split("--num_processes 16 --num_machines 2 --machine_rank"),
            str(node),
            *shlex.split("--main_process_ip gpu1 --main_process_port 29956 --mixed_precision bf16 -m trainer.worker"),
            str(file),
        ]


def test_accelerate_reads_the_command_of_a_node(gpus, slurm):
    """Its own reading of the options, and of the recipe below them, up to what torchrun would be given."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils.launch import prepare_multi_gpu_env

    options = shlex.split("--num_processes 16 --num_machines 2 --machine_rank 1 --main_process_ip gpu1")
    words = ["--config_file", str(RECIPES["fsdp"]), *options, "--main_process_port", "29956", "-m", "trainer.worker"]
    read, _, _ = _validate_launch_command(launch_command_parser().parse_args([*words, "job.json"]))
    environment = prepare_multi_gpu_env(read)
    assert (read.nproc_per_node, read.nnodes, read.node_rank) == ("8", "2", 1)
    assert (read.rdzv_backend, read.rdzv_endpoint) == ("static", "gpu1:29956")
    assert (read.module, read.training_script, read.training_script_args) == (True, "trainer.worker", ["job.json"])
    assert environment["ACCELERATE_USE_FSDP"] == "true"


def test_a_batch_that_the_nodes_do_not_divide_is_refused(gpus, slurm):
    gpus(8)
    slurm(4)
    with pytest.raises(UsageError, match=r"launcher=fsdp starts 32 processes, .* and batch_size = 16 is not divisible"):
        require_launcher("fsdp", "cuda", 16)
    assert choose_launcher("fsdp --num_processes 16", "cuda", 16).processes is None


class Started(BaseException):
    """The end of a test, in place of a process."""


@pytest.fixture
def started(monkeypatch):
    """The command, environment and job file of the process that would have been started."""
    found = {}

    def popen(command, env, **rest):
        found.update(command=command, environment=env, job=json.loads(Path(command[-1]).read_text(encoding="utf-8")))
        raise Started

    monkeypatch.setattr(launch.subprocess, "Popen", popen)
    return found


@pytest.mark.parametrize(
    ("count", "device", "command", "inside"),
    [
        (1, "auto", (sys.executable,), "auto"),
        (2, "cuda", (*TORCHRUN, "2"), "cuda"),
        (2, "cuda:1", (sys.executable,), "cuda"),
    ],
)
def test_on_cuda_training_never_runs_in_this_process(gpus, started, sft_job, count, device, command, inside):
    gpus(count)
    with pytest.raises(Started):
        launch.run_job(replace(sft_job(), device=device), None, Progress(quiet=True))
    assert started["command"][:-1] == [*command, "-m", "trainer.worker"]
    assert started["job"]["device"] == inside
    assert started["environment"].get("CUDA_VISIBLE_DEVICES") == ("1" if device == "cuda:1" else None)


def test_one_process_does_not_train_on_several_gpus(gpus, sft_job):
    """TRL's own error would be a ValueError, after the model was loaded."""
    gpus(4)
    with pytest.raises(UsageError, match=r"One process cannot train on the 4 GPUs that it sees.*device=cuda:0"):
        launch.run_job_in_process(replace(sft_job(), device="cuda"), Progress(quiet=True))
