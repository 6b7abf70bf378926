"""The benchmark: what the daemon costs over the bare library calls. `python -m perf`, from the repository's folder."""
