"""The shipped recipes of accelerate, on processors: trainings in this process, and in processes of a launcher.

accelerate ignores a recipe for GPUs where it finds none. Here it is told of some and given a processor in their place,
so that the branches of accelerate, transformers and TRL, and FSDP itself, are those of GPUs, with gloo for NCCL.

    accelerate launch --config_file RECIPE --num_processes 2 tests/helpers/recipes.py [-m trainer.worker] JOB...

trains one job after the other in each process, because a new process spends seconds on imports. A job whose folder
contains the file `interrupt` ends at the optimiser step that this names, and is then resumed.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from unittest import mock

import torch.distributed

from srlm.console import Progress, Step
from trainer.finetune.launcher_settings import uses_fsdp
from trainer.finetune.recipes import RECIPES


class Interrupted(BaseException):
    """The end of a training, in place of a signal."""


class InterruptingProgress(Progress):
    """Progress that records the optimiser steps, and ends the training at one of them."""

    def __init__(self, at: int | None) -> None:
        super().__init__(quiet=True)
        self.at = at
        self.steps: list[int] = []

    @contextmanager
    def step(self, label: str, total: float | None) -> Iterator[Step]:
        def advance(count: float) -> None:
            self.steps.append(round(step.done))
            if self.steps[-1] == self.at:
                raise Interrupted

        step = Step(advance)
        yield step


def settings(name: str) -> dict[str, str]:
    """The environment variables that `accelerate launch` sets for a recipe's processes."""
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env

    given = launch_command_parser().parse_args(["--config_file", str(RECIPES[name]), "script.py"])
    arguments, *_ = _validate_launch_command(given)
    if arguments.use_deepspeed:
        arguments.deepspeed_fields_from_accelerate_config = ""
        _, found = prepare_deepspeed_cmd_env(arguments)
    else:
        found = prepare_multi_gpu_env(arguments)
    return {key: value for key, value in found.items() if os.environ.get(key) != value}


@contextmanager
def gpus_pretended() -> Iterator[None]:
    """Make accelerate take its branch for several GPUs, if the settings are FSDP's. A process group must exist."""
    from accelerate.state import DistributedType, PartialState

    if not uses_fsdp():
        yield
        return
    several = ("gloo", DistributedType.MULTI_GPU)
    with (
        mock.patch.object(PartialState, "_prepare_backend", lambda *_, **__: several),
        mock.patch.dict(os.environ, {"ACCELERATE_TORCH_DEVICE": "cpu"}),
    ):
        yield


@contextmanager
def recipe(name: str) -> Iterator[None]:
    """Train in this process as in the only one that a launcher has started with a recipe."""
    from accelerate.state import AcceleratorState

    alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1"}
    with mock.patch.dict(os.environ, {**settings(name), **alone}):
        store = torch.distributed.HashStore()  # type: ignore[attr-defined, unused-ignore]
        torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
        try:
            with gpus_pretended():
                yield
        finally:
            AcceleratorState._reset_state(reset_partial_state=True)
            torch.distributed.destroy_process_group()


def main(jobs: list[Path]) -> int:
    """Train the jobs with the settings of this process's launcher; return the first exit status that is not 0."""
    from trainer.finetune import load_model
    from trainer.finetune.job import JOB
    from trainer.finetune.launch import run_job_in_process
    from trainer.worker import main as work

    torch.distributed.init_process_group("gloo", timeout=timedelta(seconds=600))
    if uses_fsdp() and os.environ["RANK"] != "0":
        # The first process reads the weights for all.
        load_model.load_model = mock.Mock(side_effect=AssertionError("weights are read by a second process"))
    for job in jobs:
        if (job.parent / "interrupt").exists():
            at = int((job.parent / "interrupt").read_text(encoding="utf-8"))
            try:
                run_job_in_process(JOB.validate_json(job.read_bytes()), InterruptingProgress(at))
            except Interrupted:
                pass
            else:
                raise AssertionError(f"{job} was not interrupted")
        if code := work(job):
            return code
    return 0


if __name__ == "__main__":
    with gpus_pretended():
        sys.exit(main([Path(one) for one in sys.argv[1:] if one.endswith(".json")]))
