"""Tasks with problems and a checker, for reinforcement learning from self reward (`learn_from: rollouts`).

    task.py         Problem, Task, and `open_task`
"""
