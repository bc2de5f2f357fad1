"""Scoring of candidates, and selection of the preference pairs or best answers to train on."""
