"""srlm: train self-rewarding language models, and say with error bars whether they got better.

Read `srlm.types` first: it is the architecture. Then `trainer.loop`, the algorithm of Yuan et al. 2024
(arXiv 2401.10020), and `evals.suites`, one file a benchmark.
"""

import os

# Some of the libraries report home what is done with them (TRL each trainer, vLLM each start). Whoever wants that sets
# these variables; they are read when the libraries are imported, which is after this.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")

__version__ = "0.1.0"
