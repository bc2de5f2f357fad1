"""Reinforcement learning from self reward: rewards of rollouts, and the audit of each step."""
