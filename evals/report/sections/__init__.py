"""Sections of the report's page, in the order of `evals.report.page`."""
