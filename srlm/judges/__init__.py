"""A verdict out of an engine: `pointwise` scores one answer 0-5, `pairwise` compares two, `card` says what a judge is worth."""
