"""NLP benchmarks through lm-evaluation-harness."""
