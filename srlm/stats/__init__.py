"""Statistics of evaluations: confidence intervals, paired tests, agreement, and metrics of reward models.

Pure functions from numpy arrays to frozen dataclasses. Nothing here reads a file, loads a model or draws a random
number without a seed. Where the data are insufficient, the result is nan: never an exception, never a narrow interval.

    intervals.py      a rate or a mean with its interval, clustered by prompt
    paired.py         two models on the same prompts: difference, permutation test, sign test, Holm's adjustment
    bradley_terry.py  Elo of several models from pairwise games
    power.py          prompts that a difference needs, and the smallest difference that prompts can show
    agreement.py      inter-annotator agreement: Cohen's kappa
    correlation.py    Spearman's rank correlation with its interval
    reward_model.py   a judge against human rankings: the five metrics of arXiv 2401.10020, Table 4
    random_judge.py   the same metrics of a judge with random scores
    l1_logistic.py    small logistic regressions with an L1 penalty, many at once
    student_t.py      quantiles of Student's t, without SciPy
"""
