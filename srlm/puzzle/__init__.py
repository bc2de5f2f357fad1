"""A world small enough to watch self-rewarding work in: puzzles, their seeds, and a model that begins with nothing.

A puzzle is hard to solve and easy to check, for a program and for a model, so a model can get better at the first by
its own judgement in the second, and a program can say by how much. docs/explain/puzzle.md tells the whole story.
"""
