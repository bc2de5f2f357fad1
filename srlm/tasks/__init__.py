"""Tasks with problems and a checker, for reinforcement learning from self reward (`learn_from: rollouts`).

task.py          Problem and Task
open.py          `open_task`: the task of a configuration
puzzle.py, countdown.py, integration.py, arithmetic.py      srlm's own, of the packages of these names
task_file.py     a task in a Python file of the user's
isolated.py, worker.py                                      checks in a process of their own, with a limit
"""
