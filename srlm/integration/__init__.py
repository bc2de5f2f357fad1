"""Integration: find an antiderivative. Hard to find, easy to check by taking the derivative.

expression.py   functions of x that models write, as a tree; nothing is evaluated
checker.py      the derivative by SymPy, compared with the integrand at random points
terms.py        terms with a known antiderivative, of which integrands and seed data are made
task.py         integrands, their prompt and their splits
seed_data.py    seed data that a program made: the form of the answer, the form of the verdict
"""
