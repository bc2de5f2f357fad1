"""Score candidates and select preference pairs."""
