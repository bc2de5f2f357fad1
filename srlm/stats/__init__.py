"""What may be concluded from numbers: intervals, paired tests, and how well a judge ranks.

Pure functions from numpy arrays to frozen dataclasses. Nothing here reads a file, knows a model or draws a
random number without a seed. Where the data cannot answer, the answer is nan: never an exception, never a
narrow interval.

    intervals.py      one rate or mean, with its interval, clustered by prompt
    paired.py         two models on the same prompts: difference, permutation, sign and signed-rank test, Holm
    bradley_terry.py  several models from games of two: strengths on the scale of Elo
    power.py          how many prompts a difference needs, and what so many prompts can show
    agreement.py      two raters of the same items: Cohen's kappa
    reward_model.py   a judge against human rankings: the five metrics of arXiv 2401.10020, Table 4
    chance.py         the same metrics of judges that draw their scores
    association.py    whether two figures go together: rank correlation
    logistic.py       small logistic regressions with an L1 penalty, many at once
    student.py        the quantiles of Student's t, without SciPy
"""
