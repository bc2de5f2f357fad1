"""MT-Bench: two-turn questions, each answer graded from 1 to 10."""
