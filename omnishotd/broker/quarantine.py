"""Quarantine: payloads that killed their workers are refused for a while, under whatever name they come. Pure."""

from collections import OrderedDict
from typing import Final

AGE_US_MAX: Final = 600_000_000
COUNT_MAX: Final = 10_000


class Quarantine:
    """Remembers payloads by digest, see `omnishotd.broker.admission`."""

    def __init__(self) -> None:
        self._until_us: OrderedDict[int, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until_us)

    def add(self, digest: int, now_us: int) -> None:
        """Refuse payloads of this digest from now on."""
        self._until_us[digest] = now_us + AGE_US_MAX
        self._until_us.move_to_end(digest)
        if len(self._until_us) > COUNT_MAX:
            self._until_us.popitem(last=False)

    def holds(self, digest: int, now_us: int) -> bool:
        """Tell whether payloads of this digest are refused."""
        while self._until_us:
            oldest, until_us = next(iter(self._until_us.items()))
            if until_us > now_us:
                break
            del self._until_us[oldest]
        return digest in self._until_us
