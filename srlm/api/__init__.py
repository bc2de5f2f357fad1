"""The Python API. Each command of `srlm` is a thin layer over one of these functions.

    import srlm

    run = srlm.train("puzzle")
    srlm.evaluate(["M1", "M2"], suites=["verifiable"], run=run)
    srlm.compare(["M1", "M2"], run=run)

Results show themselves as tables in a notebook, and have `to_dict`, `to_markdown` and `to_pandas`. Heavy libraries are
imported by the functions that need them. Progress goes to standard error, unless `quiet=True`.

Left out: `srlm annotate`, `srlm show` and `srlm ledger`, which are made for a terminal or a browser.
"""

from srlm.api.estimates import estimate
from srlm.api.evaluating import compare, evaluate
from srlm.api.exporting import export
from srlm.api.gating import gate, pin_judge
from srlm.api.judging import judge, judge_card, label
from srlm.api.training import doctor, open_run, report, train

__all__ = [
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
