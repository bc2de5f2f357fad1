"""Results that another tool left: as if the suite had been run here, with what its file lacks said to be missing.

files.py      whose file it is, and all of several files together
alpaca.py     AlpacaEval's annotations.json
mt_bench.py   FastChat's model_judgment/*.jsonl
nlp.py        lm-eval's results_*.json, with the samples beside it
"""
