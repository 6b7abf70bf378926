"""What keys do to what is looked at."""

from dataclasses import replace

from omnishotd.cli.figures import Service
from omnishotd.cli.keyboard import Key
from omnishotd.cli.snapshot import Link, Snapshot
from omnishotd.cli.view import Order, View

SNAPSHOT = Snapshot(link=Link(is_up=True), heard_at_s=1.0)


def service(name: str, restarts: int = 0, utilization: float | None = None, pss_bytes: int | None = None) -> Service:
    return Service(name, "ready", 1, restarts, None, 100, utilization=utilization, pss_bytes=pss_bytes)


SERVICES = [
    service("decode-10", restarts=1, utilization=0.5, pss_bytes=300),
    service("decode-2", restarts=1, utilization=0.9, pss_bytes=100),
    service("broker", restarts=0, pss_bytes=200),
    service("control", restarts=3),
]


def names(view: View) -> list[str]:
    return [service.name for service in view.sorted(SERVICES)]


def test_services_are_sorted_by_name_with_numbers_as_numbers() -> None:
    assert names(View()) == ["broker", "control", "decode-2", "decode-10"]
    assert names(View(is_reversed=True)) == ["decode-10", "decode-2", "control", "broker"]


def test_services_with_the_most_come_first_equal_ones_by_name_and_unknown_ones_last() -> None:
    assert names(View(order=Order.BUSY)) == ["decode-2", "decode-10", "broker", "control"]
    assert names(View(order=Order.MEMORY)) == ["decode-10", "broker", "decode-2", "control"]
    assert names(View(order=Order.RESTARTS)) == ["control", "decode-2", "decode-10", "broker"]


def test_services_in_reverse_have_the_least_first_and_unknown_ones_last_still() -> None:
    assert names(View(order=Order.BUSY, is_reversed=True)) == ["decode-10", "decode-2", "broker", "control"]
    assert names(View(order=Order.RESTARTS, is_reversed=True)) == ["broker", "decode-2", "decode-10", "control"]


def test_sort_key_goes_through_all_orders_and_forgets_the_reversal() -> None:
    view, orders = View(is_reversed=True), []
    for _ in Order:
        view = view.after(Key.SORT, SNAPSHOT)
        orders.append(view.order)

    assert orders == [Order.BUSY, Order.MEMORY, Order.RESTARTS, Order.NAME]
    assert not view.is_reversed
    assert view.after(Key.REVERSE, SNAPSHOT).is_reversed


def test_pause_key_holds_the_figures_but_not_the_connection() -> None:
    later = replace(SNAPSHOT, heard_at_s=9.0, link=Link(reason="gone"))
    paused = View().after(Key.PAUSE, SNAPSHOT)

    assert paused.of(later) == replace(SNAPSHOT, link=later.link)
    assert paused.after(Key.PAUSE, later).of(later) is later


def test_keys_key_shows_the_keys_and_hides_them_again() -> None:
    shown = View().after(Key.KEYS, SNAPSHOT)

    assert shown.shows_keys
    assert shown.after(Key.KEYS, SNAPSHOT) == View()
    assert shown.after(Key.QUIT, SNAPSHOT) is shown
