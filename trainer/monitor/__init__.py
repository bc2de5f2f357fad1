"""Measure each iteration and warn where a threshold is passed."""
