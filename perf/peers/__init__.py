"""Everybody else: what a user would take in place of omnishotd, at its best settings."""
