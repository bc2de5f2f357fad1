"""Charts of the report, each drawn as SVG."""
