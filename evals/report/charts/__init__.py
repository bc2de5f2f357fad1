"""Charts of the report, drawn as SVG: one module for each kind."""
