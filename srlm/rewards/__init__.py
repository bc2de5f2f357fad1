"""Rewards beside the LLM judge: programs, reward models, and combinations of several sources."""
