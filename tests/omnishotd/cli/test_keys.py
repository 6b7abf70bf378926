"""`omnishotd keys`: pairs that both sides can read, and that nothing overwrites."""

import os
import stat
from pathlib import Path

import pytest
import zmq
from click.testing import CliRunner, Result

from ipc.keys import read_public_keys, read_secret_key
from omnishotd.cli import main


def keys(*arguments: str) -> Result:
    """Run the command, without a process."""
    return CliRunner().invoke(main, ["keys", "new", *arguments])


def test_pair_is_what_daemon_and_client_read(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        ended = keys("camera-7", "--dir", str(tmp_path / "made"))
    finally:
        os.umask(before)
    folder = tmp_path / "made"
    secret = read_secret_key(folder / "camera-7.secret")

    assert ended.exit_code == 0
    assert read_public_keys(folder) == {zmq.curve_public(secret.encode()).decode(): "camera-7"}
    assert stat.S_IMODE((folder / "camera-7.secret").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "camera-7.key").stat().st_mode) == 0o644
    assert {path.name for path in folder.iterdir()} == {"camera-7.secret", "camera-7.key"}


def test_what_is_printed_names_the_files_the_settings_and_the_public_key_only(tmp_path: Path) -> None:
    told = keys("camera-7", "--dir", str(tmp_path)).output
    public = (tmp_path / "camera-7.key").read_text().strip()

    for needed in (
        f'frames.curve_secret_key_file = "{tmp_path}/camera-7.secret"',
        "frames.curve_authorized_keys",
        f"OMNISHOTD_SERVER_KEY='{public}'",
        f"OMNISHOTD_KEY_FILE='{tmp_path}/camera-7.secret'",
        "reload",
    ):
        assert needed in told
    assert (tmp_path / "camera-7.secret").read_text().strip() not in told


@pytest.mark.parametrize("there", ["camera-7.secret", "camera-7.key"])
def test_file_that_is_there_is_never_replaced_and_no_half_of_a_pair_is_left(tmp_path: Path, there: str) -> None:
    (tmp_path / there).write_text("precious")
    ended = keys("camera-7", "--dir", str(tmp_path))

    assert ended.exit_code == 73
    assert f"{tmp_path / there} is there already, and is not replaced" in ended.output
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(there, "precious")]


def test_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "camera-7.secret").symlink_to(tmp_path / "elsewhere")

    assert keys("camera-7", "--dir", str(tmp_path)).exit_code == 73
    assert not (tmp_path / "elsewhere").exists()


def test_name_is_this_host_s_unless_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "gate.example.org")

    assert keys("--dir", str(tmp_path)).exit_code == 0
    assert (tmp_path / "gate.key").exists()


@pytest.mark.parametrize("name", ["../camera", ".camera", "a b", "x" * 65])
def test_name_that_could_be_no_producer_s_is_wrong_usage(tmp_path: Path, name: str) -> None:
    ended = keys(name, "--dir", str(tmp_path))

    assert ended.exit_code == 2
    assert "NAME: " in ended.output
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = keys("camera-7", "--dir", str(tmp_path / "file" / "below"))

    assert ended.exit_code == 73
    assert str(tmp_path / "file" / "below") in ended.output
