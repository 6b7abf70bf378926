"""The broker: the only process that sees producers, owner of every extent and every lease."""
