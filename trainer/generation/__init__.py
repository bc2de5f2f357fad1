"""Generate new prompts and candidate answers."""
