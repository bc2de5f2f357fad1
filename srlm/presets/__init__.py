"""Configurations that ship with srlm, one YAML file each."""
