"""The self-rewarding loop, M0 -> M1 -> M2 -> M3. Start reading at `trainer.loop`."""
