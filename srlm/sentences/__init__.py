"""A task on real text that a program checks: a sentence with five given words. See docs/explain/sentences.md."""
