"""The evaluation suites, and what is read off their results. Start reading at `evals.suites.alpaca.run`."""
