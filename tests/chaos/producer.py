"""A producer's process: `python -m tests.chaos.producer`, until its standard input is closed."""

import argparse
import sys
from pathlib import Path
from typing import Final

from tests.chaos.bare_producer import BareProducer
from tests.chaos.client_producer import ClientProducer
from tests.chaos.history import HistoryWriter
from tests.chaos.pace import Pace

KINDS: Final[dict[str, type[ClientProducer] | type[BareProducer]]] = {"client": ClientProducer, "bare": BareProducer}


class Arguments(argparse.Namespace):
    """The command line."""

    kind: str
    name: str
    index: int
    producers: int
    seed: int
    rate: float
    endpoint: str
    history: Path


def main() -> int:
    """Produce. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.producer", description="Be one producer of a run.")
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--name", required=True)
    for name, kind in (("index", int), ("producers", int), ("seed", int), ("rate", float), ("history", Path)):
        parser.add_argument(f"--{name}", type=kind, required=True)
    parser.add_argument("--endpoint", required=True)
    arguments = parser.parse_args(namespace=Arguments())
    history = HistoryWriter(arguments.history)
    pace = Pace(arguments.index, arguments.producers, arguments.rate)
    KINDS[arguments.kind](arguments.endpoint, arguments.name, arguments.seed, pace, history).run()
    history.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
