"""Blind comparison by people: pairs drawn from an evaluation, a page that shows them, votes that are not lost."""
