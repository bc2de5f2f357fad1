"""Train self-rewarding language models and measure, with confidence intervals, whether they improved.

The functions of `srlm.api` are here as well: `srlm.train`, `srlm.judge` and so on. They are imported when they are
first used, so that `import srlm` loads no other library.

To read the code, begin with `srlm.types`, which is the architecture. Then read `trainer.loop`, the algorithm of Yuan et
al. 2024 (arXiv 2401.10020), and `evals.suites`, one folder a benchmark.
"""

import os
from typing import TYPE_CHECKING, Any

from srlm.version import __version__

if TYPE_CHECKING:
    from srlm.api import (
        compare,
        doctor,
        estimate,
        evaluate,
        export,
        gate,
        judge,
        judge_card,
        label,
        open_run,
        pin_judge,
        report,
        train,
    )

# TRL and vLLM send usage statistics unless these variables are set before they are imported. A value of the user's
# stays.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")

__all__ = [
    "__version__",
    "compare",
    "doctor",
    "estimate",
    "evaluate",
    "export",
    "gate",
    "judge",
    "judge_card",
    "label",
    "open_run",
    "pin_judge",
    "report",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import a function of `srlm.api` when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'srlm' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module("srlm.api"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
