"""The judges' prompts, one Markdown file each, written for srlm."""
