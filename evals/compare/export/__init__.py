"""Exports of a comparison, one module a format. The JSON is stable; docs/formats.md describes it."""
