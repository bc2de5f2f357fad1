"""A comparison as text for others: a file a format. The JSON is stable, docs/reference/formats.md describes it."""
