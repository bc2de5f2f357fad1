"""Training of self-rewarding language models: `trainer.loop` is the algorithm, and its folders are its steps."""
