"""Data for supervised fine-tuning: seed data, IFT and EFT examples."""
