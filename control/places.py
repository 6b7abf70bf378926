"""Places: how many HTTP connections there may be at once. Pure.

Subscribers of the feed have places of their own. When all are taken, the connection that has waited longest without a
request being answered makes room: who opens connections and does nothing with them keeps nobody out.
"""

from typing import Final, Generic, Protocol, TypeVar

PLACES_MAX: Final = 128


class Occupant(Protocol):
    """A connection."""

    @property
    def is_busy(self) -> bool:
        """Whether a request is being answered."""

    def make_room(self) -> None:
        """Go, at once."""


Connection = TypeVar("Connection", bound=Occupant)


class Places(Generic[Connection]):
    """The connections that are open, in the order of their last request."""

    def __init__(self, count_max: int) -> None:
        self._count_max = count_max
        self._occupants: dict[Connection, None] = {}

    def take(self, connection: Connection) -> bool:
        """Take a place. False if all are taken by others whose requests are being answered."""
        if len(self._occupants) >= self._count_max:
            idle = next((other for other in self._occupants if not other.is_busy), None)
            if idle is None:
                return False
            self.leave(idle)
            idle.make_room()
        self._occupants[connection] = None
        return True

    def renew(self, connection: Connection) -> None:
        """Put who was answered just now behind all others."""
        if connection in self._occupants:
            del self._occupants[connection]
            self._occupants[connection] = None

    def leave(self, connection: Connection) -> None:
        """Give the place back, if it has one."""
        self._occupants.pop(connection, None)
