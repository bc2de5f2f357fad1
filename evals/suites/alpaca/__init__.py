"""AlpacaEval 2.0: win rate against reference answers, raw and length-controlled."""
