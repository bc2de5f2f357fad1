"""How long a run will take on this machine: the tokens that it will compute, divided by a measured speed."""
