"""Seeds and evaluation instructions that ship with srlm, all written for it (see docs/reference/data.md)."""
