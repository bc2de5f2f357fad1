"""Outputs of a gate decision: terminal, Markdown, JSON, JUnit."""
