"""Labels of prompts: category, complexity and expected length."""
