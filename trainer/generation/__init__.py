"""Generation of new prompts and of candidate answers."""
