"""Presets: the configurations of srlm, one YAML file each."""
