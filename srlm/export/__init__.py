"""Export of a run for other tools: training data as TRL reads them, and checkpoints for the Hugging Face Hub."""
