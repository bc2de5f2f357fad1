"""CI regression gate: decide by a policy whether a candidate may replace the baseline.

policy.py           rules on metrics and requirements on the judge; template.yaml: the policy that `gate init` writes
comparison_json.py  schema of the comparison that a decision is made from
bounds.py           one-sided confidence bounds of a paired difference, and the number of prompts needed
decision.py         the rules: pass, regression, inconclusive, or judge broken
judge_checks.py     the policy's requirements on the judge: its card, and missing verdicts
judge_drift.py      pinned verdicts on labelled pairs, and the judge's verdicts on them today
messages.py         the decision in sentences and table cells; output/: terminal, Markdown, JUnit and JSON

docs/explain/gate.md explains how to read it, and has the error rates in simulations.
"""
