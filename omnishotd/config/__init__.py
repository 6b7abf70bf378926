"""The configuration: what may be said, where it is said, what is wrong with it, and what it comes to."""

from omnishotd.config.problems import ConfigurationError, Problem
from omnishotd.config.resolution import Resolution, read, resolve

__all__ = ["ConfigurationError", "Problem", "Resolution", "read", "resolve"]
