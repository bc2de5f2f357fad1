"""A synthetic task small enough to observe self-rewarding training: puzzles, their seed data, an untrained model.

A puzzle is hard to solve and easy to check, for a program and for a model. So a model can improve its solutions by its
own judgements, and a program can measure by how much. See docs/explain/puzzle.md.
"""
