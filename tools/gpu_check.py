"""Check one GPU: equality with the processor, speed, training, and a whole iteration. `make gpu`.

    python tools/gpu_check.py [PART...] --out FOLDER --deadline 460

facts      the machine, and its ceilings
equal      the decode loop gives what it gives on the processor, and the same again when it is repeated
generate   tokens a second, next to transformers' generate and generate_batch, and vLLM where it is installed
profile    the share of time in which the GPU computes while srlm's engine decodes
judge      time of a verdict, expected and sampled
train      optimiser steps of SFT and DPO next to plain TRL's, with their losses, and the memory that is left behind
iteration  `srlm train` from M0 to M2 at the paper's data sizes, seconds by stage

Each part is one JSON line, written as soon as it is known to FOLDER/gpu.jsonl and to standard output. A part that fails
writes its error, and the next one runs. The exit code is 0 if all parts passed and all that must be equal is, 1 if not.
With --tiny every part runs on a processor with random weights, in a minute: tests/test_gpu_check.py.
"""

import argparse
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[1]

LIBRARIES = ("torch", "triton", "transformers", "trl", "accelerate", "peft", "datasets", "tokenizers", "vllm")

if TYPE_CHECKING:
    from gpu.report import Report
    from gpu.setup import Clock, Setup


@dataclass(frozen=True)
class Part:
    """A part of the check, and about how long it takes on one GPU, for the deadline."""

    name: str
    needs_s: float
    per_instruction_s: float = 0.0

    def seconds(self, instructions: int) -> float:
        """Return about how long it takes with so many new instructions."""
        return self.needs_s + self.per_instruction_s * instructions


Measure = Callable[[Part, "Setup", "Report", dict[str, Any]], None]

PARTS = (
    Part("facts", 15),
    Part("equal", 45),
    Part("generate", 100),
    Part("profile", 15),
    Part("judge", 25),
    Part("train", 80),
    Part("iteration", 120, per_instruction_s=0.045),
)


def main(words: Sequence[str] | None = None) -> int:
    """Run the parts that are named, or all; return the exit code."""
    began = time.monotonic()
    options = _options(words)
    options.out = options.out.resolve()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.wheels:
        install(options.wheels, options.out / "packages")
    # For this process and those that it starts; a clone need not be installed.
    added = [str(ROOT), *([str(options.out / "packages")] if options.wheels else [])]
    os.environ["PYTHONPATH"] = os.pathsep.join([*added, *filter(None, [os.environ.get("PYTHONPATH")])])
    sys.path[:0] = [*added, str(ROOT / "tools"), str(ROOT / "tests")]
    os.environ["TQDM_DISABLE"] = "1"
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")  # one GPU: the trainings of `train` run in this process
    from gpu.setup import Clock

    return run(make_setup(options, Clock(options.deadline, began)), options.parts, measure_part)


def run(setup: "Setup", parts: Sequence[str], measure: Measure) -> int:
    """Run these parts one after the other; return 0 if all of them passed."""
    from gpu.device import device_name

    context = {"device": device_name(setup.device), "versions": versions()}
    passed = [run_part(part, setup, measure, context) for part in PARTS if part.name in parts]
    return 0 if all(passed) else 1


def run_part(part: Part, setup: "Setup", measure: Measure, context: dict[str, Any]) -> bool:
    """Run one part, write its line, and return whether it passed."""
    from gpu.report import Report, write_line

    report, clock, error = Report(part.name), setup.clock, None
    began = clock.passed
    configuration: dict[str, Any] = {}
    needed = part.seconds(setup.instructions)
    if needed > clock.left:
        error = f"not begun: it takes about {needed:.0f} s, and the deadline is in {clock.left:.0f} s"
    else:
        try:
            measure(part, setup, report, configuration)
        except (Exception, SystemExit):  # whatever fails here, the next part is to run
            error = traceback.format_exc()[-900:]
    line = report.line(
        error, began_s=round(began, 1), seconds=round(clock.passed - began, 1), configuration=configuration, **context
    )
    write_line(setup.out / "gpu.jsonl", line)
    return bool(line["passed"])


def measure_part(part: Part, setup: "Setup", report: "Report", configuration: dict[str, Any]) -> None:
    """Measure one part with the sizes of a GPU or of a processor, which are added to `configuration`."""
    module = import_module(f"gpu.{part.name}")
    sizes = module.TINY if setup.tiny else module.Sizes()
    configuration |= {"model": setup.folder.name, "seeds": setup.seeds, "instructions": setup.instructions}
    configuration |= {"tiny": setup.tiny, "sizes": asdict(sizes)}
    module.measure(setup, sizes, report)


def versions() -> dict[str, str | None]:
    """Return the versions of Python, srlm and the libraries under it; None for one that is not installed."""
    from srlm.version import __version__

    found: dict[str, str | None] = {"python": sys.version.split()[0], "srlm": __version__}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def install(wheels: Path, target: Path) -> None:
    """Install all wheels of a folder into another one, without a network and without what they need."""
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-compile", "--upgrade"]
    found = sorted(map(str, wheels.glob("*.whl")))
    if not found:
        raise SystemExit(f"--wheels: there is no wheel in {wheels}.")
    subprocess.run([*command, "--target", str(target), *found], check=True)


def make_setup(options: argparse.Namespace, clock: "Clock") -> "Setup":
    """Find or make the model, and return what all parts are given."""
    import torch

    from gpu.models import joined_model, tiny_model
    from gpu.setup import Setup
    from srlm.model_hub import model_folder

    found = torch.cuda.is_available()
    if not found and not options.tiny:
        raise SystemExit("torch finds no GPU. With --tiny every part runs on a processor, in a minute.")
    if options.tiny:
        folder = tiny_model(options.out)
    else:
        folder = joined_model(options.gguf, options.out) if options.gguf else model_folder(options.model)
    return Setup(
        folder=folder,
        out=options.out,
        seeds=options.seeds,
        device="cuda" if found else "cpu",
        tiny=options.tiny,
        instructions=options.instructions,
        vllm_python=options.vllm_python or (None if options.tiny else _python_with_vllm()),
        clock=clock,
    )


def _python_with_vllm() -> str | None:
    """Return a Python that has vLLM: this one, or that of `make test-vllm`; None if neither has it."""
    if find_spec("vllm"):
        return sys.executable
    other = ROOT / ".venv-vllm" / "bin" / "python"
    return str(other) if other.exists() else None


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    names = [part.name for part in PARTS]
    reader = argparse.ArgumentParser(description="Check one GPU, part by part.")
    reader.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(names)}; all, if none is named")
    reader.add_argument("--out", type=Path, default=ROOT / "results" / "runs" / "gpu", help="folder of the results")
    reader.add_argument("--tiny", action="store_true", help="random weights and few of everything, for a processor")
    reader.add_argument("--deadline", type=float, help="seconds after which no part begins that could not end")
    model = reader.add_mutually_exclusive_group()
    model.add_argument("--model", default="smollm2", help="a folder, hf:NAME, or smollm2")
    model.add_argument("--gguf", type=Path, nargs="+", help="a GGUF file, or its parts in order, which are joined")
    reader.add_argument("--wheels", type=Path, help="folder of wheels to install first, without a network")
    reader.add_argument("--seeds", default="embedded", help="instructions and training data, as in srlm train --seeds")
    reader.add_argument("--instructions", type=int, default=1000, help="new instructions of the iteration")
    reader.add_argument(
        "--vllm-python", help="the Python of an environment with vLLM; this or .venv-vllm, if it has it"
    )
    options = reader.parse_args(words)
    if unknown := set(options.parts) - set(names):
        reader.error(f"there is no part {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    options.parts = options.parts or names
    return options


if __name__ == "__main__":
    sys.exit(main())
