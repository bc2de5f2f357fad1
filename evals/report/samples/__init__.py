"""Samples in the report: prompts with their answers and judgements."""
