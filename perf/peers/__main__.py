"""`python -m perf.peers`: who is there to be measured, and how to get who is not."""

from perf.contender import NotInstalled
from perf.peers.roster import PEERS


def main() -> None:
    """List them."""
    for peer in PEERS:
        try:
            found = peer.facts().version
        except NotInstalled as error:
            found = f"left out: {error}"
        print(f"{peer.name}: {found}")


if __name__ == "__main__":
    main()
