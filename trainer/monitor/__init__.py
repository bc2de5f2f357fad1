"""Monitoring of an iteration: metrics, alerts, table, trackers."""
