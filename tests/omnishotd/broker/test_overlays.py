"""Overlays that the broker keeps: read when it starts, and again where they have changed."""

from pathlib import Path

import pytest

from ipc.messages import Extent
from ipc.overlay import digest_of
from ipc.pixels import Geometry, Layout
from ipc.settings import OverlaySettings
from omnishotd.broker.overlays import Overlays, load_overlays
from stages.limits import Limits
from tests.omnishotd.broker.rig import picture

LIMITS = Limits(max_side=64, max_pixels=64 * 64)


@pytest.fixture
def logo(tmp_path: Path) -> Path:
    file = tmp_path / "logo.jpg"
    file.write_bytes(picture(16))
    return file


def settings_of(file: Path) -> dict[str, OverlaySettings]:
    """As `omnishotd serve` makes them."""
    return {"logo": OverlaySettings(file=str(file), digest=digest_of(file.read_bytes()))}


def load(settings: dict[str, OverlaySettings], old: Overlays | None = None) -> Overlays:
    return load_overlays(settings, LIMITS, old)


def test_overlay_is_told_to_workers_as_its_file_says(logo: Path) -> None:
    settings = settings_of(logo)
    told = load(settings)["logo"].at(Extent(64, 100))

    assert (told.name, told.source, told.format) == ("logo", Extent(64, 100), "jpeg")
    assert told.geometry == Geometry(16, 16, Layout.RGB)
    assert told.digest == int(settings["logo"].digest, 16)
    assert load(settings)["logo"].data == logo.read_bytes()


def test_overlay_that_is_the_same_is_not_read_again(logo: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = settings_of(logo)
    old = load(settings)
    logo.unlink()

    assert load(settings, old)["logo"] is old["logo"]
    assert caplog.records == []


def test_overlay_that_has_changed_is_read_again(logo: Path) -> None:
    old = load(settings_of(logo))
    logo.write_bytes(picture(20))
    new = load(settings_of(logo), old)

    assert new["logo"].geometry.width == 20
    assert new["logo"].digest != old["logo"].digest


def test_overlay_that_is_not_named_any_more_is_forgotten(logo: Path) -> None:
    assert load({}, load(settings_of(logo))) == {}


def test_overlay_that_has_changed_since_the_configuration_was_read_goes_by_what_it_is(logo: Path) -> None:
    """A broker that is started again after a month must not fail for it."""
    settings = settings_of(logo)
    logo.write_bytes(picture(20))
    kept = load(settings)["logo"]

    assert kept.geometry.width == 20
    assert kept.digest == int(digest_of(logo.read_bytes()), 16)


@pytest.mark.parametrize("data", [None, b"no picture", picture(65), picture(16)[:30]])
def test_overlay_that_cannot_be_used_leaves_the_old_one_and_a_line_in_the_log(
    logo: Path, caplog: pytest.LogCaptureFixture, data: bytes | None
) -> None:
    old = load(settings_of(logo))
    settings = {"logo": OverlaySettings(file=str(logo), digest="0123456789abcdef")}
    if data is None:
        logo.unlink()
    else:
        logo.write_bytes(data)

    assert load(settings, old) == old
    assert load(settings) == {}
    said = [record.getMessage() for record in caplog.records]
    assert all(line.startswith(f"overlays.logo.file: {logo} ") for line in said)
    assert [line.rpartition("; ")[2] for line in said] == ["the old one stays", "frames that name it are refused"]
