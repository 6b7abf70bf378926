"""Chaos: a daemon whose processes are killed and stopped all the time, and an account of what its producers saw."""
