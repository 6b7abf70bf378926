"""omnishotd, a host daemon for pictures. This module runs in every process: keep it empty but for the version."""

__version__ = "0.1.0"
