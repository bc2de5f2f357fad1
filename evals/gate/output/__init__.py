"""Print a gate decision: terminal, JSON, JUnit, Markdown."""
