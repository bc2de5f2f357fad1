"""A verdict from an engine: `pointwise` scores one answer 0-5, `pairwise` compares two, `card` rates the judge."""
