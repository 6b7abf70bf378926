"""Encoders: from pixels to the bytes of a finished picture, one format a module."""
