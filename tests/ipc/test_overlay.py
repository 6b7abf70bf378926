"""Files of overlays: read within bounds, and known by what they hold."""

import os
from pathlib import Path

import pytest

from ipc import overlay
from ipc.overlay import OverlayUnusable, digest_of, read_overlay


def descriptors() -> list[str]:
    """Those that this process has open."""
    return [descriptor.name for descriptor in Path("/proc/self/fd").iterdir()]


def test_file_of_the_largest_size_is_read_and_a_larger_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of the real size, it would leave malloc with habits that spoil what other tests measure of this process.
    monkeypatch.setattr(overlay, "FILE_BYTES_MAX", 100)
    file = tmp_path / "file"
    file.write_bytes(bytes(100))
    assert overlay.read_overlay(file) == bytes(100)
    file.write_bytes(bytes(101))

    with pytest.raises(OverlayUnusable, match="more than 100 bytes"):
        overlay.read_overlay(file)


def test_named_pipe_and_folder_keep_nobody_waiting_and_leave_no_descriptor(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    before = descriptors()

    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(OverlayUnusable, match="no regular file"):
            read_overlay(path)
    assert descriptors() == before


def test_digest_is_one_number_of_64_bits_for_each_content() -> None:
    assert digest_of(b"a") == digest_of(b"a") != digest_of(b"b")
    assert len(digest_of(b"a")) == 16
    assert 0 <= int(digest_of(b"a"), 16) < 1 << 64
