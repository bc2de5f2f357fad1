"""Reward-model metrics: a model as a judge of answers that people have ranked."""
