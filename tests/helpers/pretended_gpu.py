"""A pretended GPU: tensors that say they are on cuda:0, hold their numbers on the processor, and refuse to meet others.

Operations are computed on the processor, so that code whose course hangs on numbers runs as it is. Those that a GPU
would compute are counted, and so is what makes a program wait for it: reading numbers, and uploading them from ordinary
memory. Left out: how long anything takes, and what a kernel does inside.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

DEVICE = torch.device("cuda", 0)

VIEWS = frozenset(
    {"view", "_unsafe_view", "reshape", "_reshape_alias", "transpose", "t", "permute", "expand", "as_strided"}
    | {"slice", "select", "narrow", "unsqueeze", "squeeze", "split", "chunk", "unbind", "alias", "detach", "lift_fresh"}
)
"""Operations without a kernel: they give the same numbers another shape."""

READS = frozenset({"_local_scalar_dense", "nonzero", "masked_select", "_unique2"})
"""Operations whose result the program must know before it goes on."""

COPIES = frozenset({"copy_", "_to_copy"})
INDEXED = frozenset({"index", "index_put_", "index_put"})


@dataclass
class Counts:
    """What a GPU has done: kernels by operation, reads by the program, uploads from its memory."""

    kernels: Counter[str] = field(default_factory=Counter)
    reads: Counter[str] = field(default_factory=Counter)
    uploads: Counter[str] = field(default_factory=Counter)

    def copy(self) -> "Counts":
        return Counts(Counter(self.kernels), Counter(self.reads), Counter(self.uploads))

    def __sub__(self, before: "Counts") -> "Counts":
        return Counts(self.kernels - before.kernels, self.reads - before.reads, self.uploads - before.uploads)


class GpuTensor(torch.Tensor):
    """A tensor on the pretended GPU; `held` has its numbers."""

    held: torch.Tensor
    gpu: "PretendedGpu"

    @staticmethod
    def __new__(cls, held: torch.Tensor, gpu: "PretendedGpu") -> "GpuTensor":
        made: GpuTensor = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device="meta",
            requires_grad=False,
        )
        made.held, made.gpu = held, gpu
        return made

    device = property(lambda self: DEVICE)  # type: ignore[assignment]
    is_cuda = property(lambda self: True)  # type: ignore[assignment]
    is_cpu = property(lambda self: False)  # type: ignore[assignment]

    def __repr__(self, **_: Any) -> str:
        return f"GpuTensor({tuple(self.shape)})"

    def tolist(self) -> Any:
        self.gpu.counts.reads["tolist"] += 1
        return self.held.tolist()

    def numpy(self, **_: Any) -> Any:
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, list):  # torch makes a tensor of it inside, where no mode sees it
            self.gpu.counts.uploads["list as index"] += 1
            key = GpuTensor(torch.tensor(key), self.gpu)
        return super().__getitem__(key)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        first = next(one for one in _leaves((*args, *(kwargs or {}).values())) if isinstance(one, GpuTensor))
        return first.gpu.run(func, args, kwargs or {})


class PretendedGpu(TorchDispatchMode):
    """The device. Tensors are made on it, and counted, while it is the context."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = Counts()

    def take(self, model: torch.nn.Module) -> None:
        """Move a model's weights and tables to the GPU."""
        for module in model.modules():
            for name, weight in module._parameters.items():
                if weight is not None:
                    held = GpuTensor(weight.detach(), self)
                    module._parameters[name] = torch.nn.Parameter(held, requires_grad=False)
            for name, table in module._buffers.items():
                if table is not None:
                    module._buffers[name] = GpuTensor(table, self)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.run(func, args, kwargs or {})

    def run(self, func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Compute an operation as its tensors' devices say, and count it."""
        name, mutable, takes_device = _facts(func)
        tensors = [one for one in _leaves((*args, *kwargs.values())) if isinstance(one, torch.Tensor)]
        ours = [one for one in tensors if isinstance(one, GpuTensor)]
        # A GPU takes a number of the processor along with its kernel, and copies nothing of an empty tensor.
        theirs = [one for one in tensors if not isinstance(one, GpuTensor) and one.dim() > 0 and one.numel() > 0]
        wanted = torch.device(kwargs["device"]).type if kwargs.get("device") is not None else None
        self._count_waits(name, args, ours, theirs, wanted)
        plain = {key: _held(value) for key, value in kwargs.items() if key != "device"}
        out = func(*map(_held, args), **plain, **({"device": "cpu"} if wanted and takes_device else {}))
        if name == "_local_scalar_dense" or not (wanted == "cuda" or (ours and wanted != "cpu")):
            return out
        if name not in VIEWS:
            self.counts.kernels[name] += 1
        if mutable:
            return args[0]
        if isinstance(out, torch.Tensor):
            return GpuTensor(out, self)
        return type(out)(GpuTensor(one, self) if isinstance(one, torch.Tensor) else one for one in out)

    def _count_waits(
        self, name: str, args: Sequence[Any], ours: list[Any], theirs: list[Any], wanted: str | None
    ) -> None:
        reads, uploads = self.counts.reads, self.counts.uploads
        if not ours:
            if theirs and wanted == "cuda":
                uploads[name] += 1
            return
        if theirs and name in COPIES | INDEXED:
            uploads[name] += 1
        elif theirs:
            raise RuntimeError(f"{name}: cuda:0 meets cpu, {[tuple(one.shape) for one in theirs]}")
        if name in READS or wanted == "cpu" or (name == "copy_" and not isinstance(args[0], GpuTensor)):
            reads[name] += 1
        if name in INDEXED and any(one is not None and one.dtype is torch.bool for one in args[1]):
            reads["boolean index"] += 1


@cache
def _facts(func: Any) -> tuple[str, bool, bool]:
    """Return an operation's name, whether it changes its first tensor, and whether it takes a device."""
    schema = func._schema
    return schema.name.removeprefix("aten::"), schema.is_mutable, any(one.name == "device" for one in schema.arguments)


def _leaves(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from value
        else:
            yield value


def _held(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_held(one) for one in value]
    return value.held if isinstance(value, GpuTensor) else value


@contextmanager
def pretended_gpu(monkeypatch: pytest.MonkeyPatch, memory: float = 150.7e9) -> Iterator[PretendedGpu]:
    """Make torch find the pretended GPU, of so many bytes, and compute there what is asked to be."""
    gpu = PretendedGpu()
    monkeypatch.setattr(torch, "inference_mode", torch.no_grad)  # it would hide operations from a mode
    monkeypatch.setattr(torch.cuda, "_lazy_init", lambda: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    properties = SimpleNamespace(total_memory=int(memory), major=9, minor=0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device=None: properties)
    before = torch._C._only_lift_cpu_tensors()  # type: ignore[attr-defined]
    torch._C._set_only_lift_cpu_tensors(True)  # type: ignore[attr-defined]  # torch.tensor(..., device="cuda")
    try:
        with gpu:
            yield gpu
    finally:
        torch._C._set_only_lift_cpu_tensors(before)  # type: ignore[attr-defined]
