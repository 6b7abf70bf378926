"""Fuzzing: files changed at random, led by what code they reach, against the probe and the decoders."""
