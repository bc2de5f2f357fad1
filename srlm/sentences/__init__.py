"""A task on real text whose truth a program knows: one sentence with five given words. See docs/explain/sentences.md."""
