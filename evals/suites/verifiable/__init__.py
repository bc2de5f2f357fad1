"""Benchmarks whose answers a program checks: IFEval, Countdown, puzzles."""
