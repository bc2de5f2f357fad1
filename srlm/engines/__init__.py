"""Text out of a model. `engine.py` is the protocol, `open.py` turns "openai:NAME" into an engine."""
