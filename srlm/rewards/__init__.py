"""Rewards other than those of the LLM judge: programs, reward models, and combinations of several sources."""
