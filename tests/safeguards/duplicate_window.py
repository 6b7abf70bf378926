"""Without the duplicate window: a request that is sent again is executed again."""

from tests.safeguards.removal import remove

remove(
    "omnishotd.broker.duplicates",
    safeguard="        return self._in_flight.get(key) or self._answered.get(key)\n",
    instead="        return None\n",
)
