"""View: what of a snapshot is looked at, and how each key changes that. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from omnishotd.cli.figures import Service
from omnishotd.cli.keyboard import Key
from omnishotd.cli.snapshot import Snapshot


class Order(StrEnum):
    """By what services are sorted."""

    NAME = "name"
    BUSY = "busy"
    MEMORY = "memory"
    RESTARTS = "restarts"


@dataclass(frozen=True, slots=True)
class View:
    """How the screen is set."""

    order: Order = Order.NAME
    is_reversed: bool = False
    held: Snapshot | None = None
    """What is shown while it is paused."""
    shows_keys: bool = False

    def after(self, key: Key, snapshot: Snapshot) -> "View":
        """Return the view after a key was pressed while `snapshot` was the latest."""
        match key:
            case Key.SORT:
                orders = list(Order)
                return replace(self, order=orders[(orders.index(self.order) + 1) % len(orders)], is_reversed=False)
            case Key.REVERSE:
                return replace(self, is_reversed=not self.is_reversed)
            case Key.PAUSE:
                return replace(self, held=None if self.held is not None else snapshot)
            case Key.KEYS:
                return replace(self, shows_keys=not self.shows_keys)
            case Key.QUIT:
                return self

    def of(self, snapshot: Snapshot) -> Snapshot:
        """Return what is shown: while it is paused the figures of then, and the connection of now."""
        return snapshot if self.held is None else replace(self.held, link=snapshot.link)

    def sorted(self, services: Sequence[Service]) -> list[Service]:
        """Sort services: names from the first on, amounts from the most on, equal amounts by name."""
        by_name = sorted(services, key=_by_name)
        if self.order is Order.NAME:
            return by_name[::-1] if self.is_reversed else by_name
        order = self.order
        # Sorting keeps the order of equals, in reverse as well. What has no figure comes last, either way.
        known = [service for service in by_name if _amount(service, order) is not None]
        known.sort(key=lambda service: _amount(service, order) or 0, reverse=not self.is_reversed)
        return known + [service for service in by_name if _amount(service, order) is None]


def _by_name(service: Service) -> list[tuple[str, int]]:
    # decode-2 before decode-10.
    return [(word, int(number or 0)) for word, number in re.findall(r"(\D*)(\d*)", service.name)]


def _amount(service: Service, order: Order) -> float | None:
    match order:
        case Order.BUSY:
            return service.utilization
        case Order.MEMORY:
            return service.pss_bytes
        case _:
            return service.restarts
