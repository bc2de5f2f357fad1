"""Exports of a comparison, one module a format. The JSON is stable; docs/reference/formats.md describes it."""
