"""How work is shared out, as operators see it beside the services."""

import os
from collections.abc import Iterator

import pytest

from control.archive import Archive
from control.observer import Observer
from control.services import Distribution
from ipc.telemetry import FusionFigures, LaneFigures
from tests.control.support import make_broker, make_settings, make_supervisor


@pytest.fixture
def observer() -> Iterator[Observer]:
    descriptor = os.memfd_create("archive-of-test")
    yield Observer(make_settings(), Archive(descriptor))
    os.close(descriptor)


def test_distribution_is_null_until_the_broker_has_told(observer: Observer) -> None:
    observer.take(make_supervisor(), 0)

    assert observer.services().distribution is None


def test_distribution_is_what_the_broker_tells_in_milliseconds(observer: Observer) -> None:
    fusion = FusionFigures(hand_over_us=250, spread_us_min=25_000, whole=7, by_stages=2)
    lanes = LaneFigures(heavy_us=50_000, waiting=3, working=1, kept_bytes=4096, is_shared=True)
    observer.take(make_supervisor(), 0)
    observer.take(make_broker(fusion=fusion, lanes=lanes), 0)

    assert observer.services().distribution == Distribution(
        whole_frame_pixels_max=make_settings().pipeline.whole_frame_pixels_max,
        whole=7,
        by_stages=2,
        hand_over_ms=0.25,
        spread_from_ms=25.0,
        heavy_from_ms=50.0,
        heavy_waiting=3,
        heavy_in_work=1,
        light_about=True,
        arena_kept_bytes=4096,
    )
