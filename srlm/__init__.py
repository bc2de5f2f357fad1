"""srlm: train self-rewarding language models, and say with error bars whether they got better.

Read `srlm.types` first: it is the architecture. Then `trainer.loop`, the algorithm of Yuan et al. 2024
(arXiv 2401.10020), and `evals.suites`, one file a benchmark.
"""

__version__ = "0.1.0"
