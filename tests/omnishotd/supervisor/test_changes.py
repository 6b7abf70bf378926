"""What a new configuration changes in place, and what of it has to wait for a restart."""

import os
from pathlib import Path

import msgspec
import pytest

from ipc.settings import Settings
from omnishotd.config import resolve
from omnishotd.supervisor.changes import IN_PLACE, compare
from tests.photographs import photograph_jpeg


def settings(*assignments: str) -> Settings:
    """Read a configuration of defaults and these."""
    return resolve(Path(os.devnull), {"RUNTIME_DIRECTORY": "/run/o"}, assignments)


def test_same_configuration_changes_nothing() -> None:
    changes = compare(settings(), settings())

    assert changes.settings == settings()
    assert (changes.applied, changes.waiting) == ([], [])


def test_what_can_change_in_place_is_taken_over_together() -> None:
    said = (
        "alerts.queue_length=7",
        "alerts.webhook_url=http://ops.example",
        "frames.rate_per_second=5",
        'presets={small={outputs=[{format="jpeg"}]}}',
    )
    changes = compare(settings(), settings(*said))

    assert changes.settings == settings(*said)
    assert changes.applied == ["frames.rate_per_second", "alerts.queue_length", "alerts.webhook_url", "presets"]
    assert changes.waiting == []


def test_overlays_change_in_place_by_the_bytes_of_their_files(tmp_path: Path) -> None:
    file = tmp_path / "logo.jpg"
    said = f"overlays.logo.file={file}"
    file.write_bytes(photograph_jpeg(16))
    before = settings(said)
    file.write_bytes(photograph_jpeg(17))
    changes = compare(before, settings(said))

    assert changes.applied == ["overlays"]
    assert changes.settings == settings(said) != before


def test_what_cannot_change_stays_and_is_named() -> None:
    old = settings()
    changes = compare(old, settings("memory.arena_mb=300", "control.port=4000", "alerts.queue_length=7"))

    assert changes.settings == settings("alerts.queue_length=7")
    assert changes.applied == ["alerts.queue_length"]
    assert changes.waiting == ["memory.arena_mb", "control.port"]


def test_other_runtime_directory_needs_a_restart() -> None:
    changes = compare(settings(), msgspec.structs.replace(settings(), runtime_directory="/run/other"))

    assert changes.waiting == ["runtime_directory"]


@pytest.mark.parametrize("key", sorted(IN_PLACE))
def test_key_that_changes_in_place_is_a_key(key: str) -> None:
    section, _, name = key.partition(".")
    value = getattr(settings(), section)

    assert not name or name in value.__struct_fields__
