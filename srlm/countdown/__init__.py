"""Countdown: make a target from a few numbers by arithmetic. Hard to find, easy to check.

expression.py   exact values of arithmetic expressions that models write
task.py         the puzzle, its two rules, its prompt, its checker
seed_data.py    seed data that a program made: the form of the answer, the form of the verdict
"""
