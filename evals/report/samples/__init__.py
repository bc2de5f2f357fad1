"""Samples of the report: prompts with their answers and judgements."""
