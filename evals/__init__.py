"""Evaluation of models: suites, and the comparison, gate and report of their results.

evaluate        prepare suites, estimate their calls, run them
suites/         one package per suite; `SUITES` is the list of them
suite           the `Suite` class: everything that the rest knows of a suite
labels/         category, complexity and expected length of prompts
compare/        tables with intervals and tests, exports, other tools' files, model cards and trackers
gate/           decision by a policy whether a model may replace another
report/         the HTML page of a run

The other modules are shared by several suites: models and their answers, pairwise judging, metrics, stored results,
samples.
"""
