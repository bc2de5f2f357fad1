"""Head-to-head: each model's answers against every other model's, judged in both orders."""
