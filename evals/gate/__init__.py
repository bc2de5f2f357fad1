"""May a candidate take its baseline's place? A policy's rules, decided on a comparison; with words, reports and a code.

    policy.py       what a candidate must show, and its judge: gate.yaml, with one line of doc a field
    template.yaml    the policy that `srlm gate init` writes
    compared.py     the comparison as `srlm compare --format json` prints it: all that a decision is made of
    evidence.py     what a paired difference shows at a one-sided risk, and how many prompts would show it
    decision.py     rules on evidence: pass, regression, inconclusive, or a broken judge
    judged.py       whether the judge is what the policy asks for: its card, its missing verdicts
    calibration.py  labelled pairs with the verdicts that a judge once gave, and what it says of them today
    wording.py      why, in sentences and cells; terminal.py, markdown.py, junit.py, data.py: the same for each reader

docs/explain/gate.md says how to read it, and what the risks are in simulations.
"""
