"""Supervised fine-tuning data: seed data, IFT and EFT examples."""
