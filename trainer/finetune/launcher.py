"""The command that starts the processes of a training, from the settings `launcher` and `device`.

    launcher    started
    null        CPU and MPS: nothing, training runs in this process. CUDA: `python` for one GPU, torchrun for several
    ddp, fsdp, deepspeed    a recipe (`trainer/finetune/recipes`), by `accelerate launch`
    anything else           the command itself

On CUDA training never runs in this process. A process keeps its CUDA context and what it has cached until it ends, and
vLLM refuses a GPU of which less than its share is free. And a process that sees several GPUs is one for DataParallel to
transformers, which TRL refuses.

With `device=cuda:1` the processes see that GPU alone. In a Slurm job a recipe runs on all nodes, by `srun`, and the
`srun` of any other command gives each task the CPUs that the job asked for. Left out: other schedulers, whose command
the user writes.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from srlm.errors import UsageError
from trainer.finetune.recipes import FOLDER, RECIPES

NODES, JOB_ID = "SLURM_JOB_NUM_NODES", "SLURM_JOB_ID"
TASK_CPUS = "SRUN_CPUS_PER_TASK"
"""CPUs of a task for srun. From Slurm 22.05 on, srun does not take over the `--cpus-per-task` of the job."""

FIRST_PORT, PORTS = 29500, 1000
"""Ports on which the processes of several nodes find each other, chosen by the number of the Slurm job."""


@dataclass(frozen=True)
class Launcher:
    """A command to which `-m trainer.worker FILE` is appended.

    Attributes:
        words: program and arguments.
        name: its name in messages.
        device: device of the training in the started processes.
        environment: variables that are set for it.
        processes: number of processes that it starts; None if the command decides it.
        note: a line for the user about GPUs that are not used; "" if there is none.
    """

    words: tuple[str, ...]
    name: str
    device: str
    environment: Mapping[str, str] = field(default_factory=dict)
    processes: int | None = None
    note: str = ""


def choose_launcher(setting: str | None, device: str, batch_size: int) -> Launcher | None:
    """Return how the processes of a training are started; None if it runs in this process.

    Args:
        setting: `launcher` of the configuration.
        device: `device` of the configuration.
        batch_size: examples per optimiser step, an equal share of which each process takes.

    Raises:
        UsageError: a recipe is set and its GPUs or its library are missing.
        EngineError: torch does not find the device.
    """
    words = shlex.split(setting) if setting is not None else []
    recipe = words[0] if words and words[0] in RECIPES else None
    if words and recipe is None:
        return Launcher(tuple(words), words[0], *_seen(device))
    gpus = _gpus(device)
    if recipe is not None:
        return _by_recipe(recipe, words[1:], device, gpus, batch_size)
    if not gpus:
        return None
    nodes = _nodes()
    count = _even(gpus, batch_size)
    note = _unused(count, gpus, batch_size)
    if nodes > 1:
        note = f"The Slurm job has {nodes} nodes, and training uses one: launcher=ddp or launcher=fsdp uses all. {note}"
    if count == 1:
        # Not torchrun: even one of its processes would be wrapped for DDP, with a second copy of the gradients.
        return Launcher((sys.executable,), "python", *_seen("cuda:0" if gpus > 1 else device), 1, note.strip())
    command = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count))
    return Launcher(command, "torchrun", *_seen(device), count, note.strip())


def require_launcher(setting: str | None, device: str, batch_size: int) -> None:
    """Check that a training could be started, before anything is written.

    Raises:
        UsageError: the command does not exist, or a recipe cannot be used here.
    """
    chosen = choose_launcher(setting, device, batch_size)
    if chosen is not None and shutil.which(chosen.words[0], path=search_path()) is None:
        name = chosen.words[0]
        raise UsageError(f"launcher: {name} cannot be started: no such command. Install it, or correct the setting.")


def search_path() -> str:
    """Return the PATH for launchers: they are installed next to this interpreter, which the PATH need not contain."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def _by_recipe(recipe: str, options: list[str], device: str, gpus: int, batch_size: int) -> Launcher:
    """Return the command of a recipe; `options` are passed to `accelerate launch` after ours, so they decide."""
    if not gpus:
        raise UsageError(
            f"launcher={recipe} trains on GPUs, and with device={device} there is none here. Set launcher=null to "
            "train in this process."
        )
    if recipe == "deepspeed" and find_spec("deepspeed") is None:
        raise UsageError(
            "launcher=deepspeed needs the library deepspeed, which is not installed here: pip install deepspeed"
        )
    own_number = any(one.partition("=")[0] in {"--num_processes", "--num-processes"} for one in options)
    nodes = _nodes()
    # On one machine fewer processes leave GPUs unused. On several they could leave a node without any.
    count = _even(gpus, batch_size) if nodes == 1 else gpus * nodes
    if batch_size % count and not own_number:
        raise UsageError(
            f"launcher={recipe} starts {count} processes, one for each of {gpus} GPUs on each of {nodes} nodes, and "
            f"batch_size = {batch_size} is not divisible by {count}. Set a batch_size that is, or use fewer nodes."
        )
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(RECIPES[recipe])]
    command += ["--num_processes", str(count)]
    if nodes > 1:
        command = _on_all_nodes(command, options, nodes)
    else:
        command += options
    where, environment = _seen(device)
    note = "" if own_number or nodes > 1 else _unused(count, gpus, batch_size)
    return Launcher(tuple(command), recipe, where, environment, None if own_number else count, note)


def _on_all_nodes(command: list[str], options: list[str], nodes: int) -> list[str]:
    """Return the command that runs `command` once on each node of the Slurm job. Each node knows its own number."""
    port = FIRST_PORT + int(os.environ.get(JOB_ID, "0")) % PORTS
    script = (
        'first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)\n'
        f"exec {shlex.join(command)} --num_machines {nodes} "
        f'--machine_rank "$SLURM_NODEID" --main_process_ip "$first" --main_process_port {port} '
        f'{shlex.join(options)} "$@"'
    )
    tasks = [f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", "--kill-on-bad-exit=1"]
    if cpus := os.environ.get("SLURM_CPUS_ON_NODE"):
        tasks.append(f"--cpus-per-task={cpus}")  # one task a node takes all that the job has there
    return ["srun", *tasks, "bash", "-c", script, "train"]


def _gpus(device: str) -> int:
    """Return the number of GPUs that a training on this device may use; 0 if it is not CUDA."""
    import torch

    from srlm.engines.device import pick_device

    chosen = pick_device(device)
    if not chosen.startswith("cuda"):
        return 0
    return 1 if ":" in chosen else torch.cuda.device_count()


def _even(gpus: int, batch_size: int) -> int:
    """Return the largest number of processes with a GPU each that divides the batch."""
    return max(count for count in range(1, gpus + 1) if batch_size % count == 0)


def _unused(count: int, gpus: int, batch_size: int) -> str:
    if count == gpus:
        return ""
    return (
        f"Training uses {count} of {gpus} GPUs, because its batch_size = {batch_size} is not divisible by more. A "
        f"batch_size divisible by {gpus} uses all."
    )


def _seen(device: str) -> tuple[str, dict[str, str]]:
    """Return the device in the started processes, and their environment.

    A GPU with a number is the only one that they see, as the first. Its number counts the GPUs that this process sees.
    """
    environment = {"SRLM_RECIPES": str(FOLDER)}
    if TASK_CPUS not in os.environ and (cpus := os.environ.get("SLURM_CPUS_PER_TASK")):
        environment[TASK_CPUS] = cpus
    kind, _, index = device.partition(":")
    if kind != "cuda" or not index:
        return device, environment
    visible = [one.strip() for one in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if one.strip()]
    if visible and int(index) >= len(visible):
        raise UsageError(
            f"device={device}, but CUDA_VISIBLE_DEVICES has only {len(visible)} GPUs, which count from cuda:0."
        )
    return kind, {**environment, "CUDA_VISIBLE_DEVICES": visible[int(index)] if visible else index}


def _nodes() -> int:
    """Return the number of nodes of the Slurm job in which this process runs; 1 outside of one."""
    return int(os.environ.get(NODES, "1"))
