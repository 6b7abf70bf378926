"""Safeguards taken out one at a time, each as a plugin for pytest, to see that the tests miss them."""
