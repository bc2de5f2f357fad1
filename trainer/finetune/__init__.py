"""Fine-tune a model with TRL: SFT and DPO."""
