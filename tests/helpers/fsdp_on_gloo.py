"""Run a training's process with FSDP on processors: `LAUNCHER tests/helpers/fsdp_on_gloo.py -m trainer.worker JOB`.

accelerate ignores FSDP's settings where it finds no GPU. Here it is told of one, and given a processor in its place, so
that all else is what a recipe asks for: the same branches of accelerate, transformers and TRL, and FSDP itself.
"""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import torch


def pretend_gpus() -> Any:
    """Return a patch after which accelerate takes its branch for several GPUs. A process group must exist."""
    from accelerate.state import DistributedType, PartialState

    found = ("gloo", DistributedType.MULTI_GPU)
    return mock.patch.object(PartialState, "_prepare_backend", lambda *_, **__: found)


if __name__ == "__main__":
    torch.distributed.init_process_group("gloo", timeout=timedelta(seconds=100))
    from trainer.worker import main

    with pretend_gpus(), mock.patch.dict("os.environ", {"ACCELERATE_TORCH_DEVICE": "cpu"}):
        sys.exit(main(Path(sys.argv[-1])))
