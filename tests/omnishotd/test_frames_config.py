"""The producers' door in the configuration: addresses, keys and the group, all that is wrong told at once."""

import grp
import os
from pathlib import Path

import pytest
import zmq

from omnishotd.config import ConfigurationError, read, resolve

EMPTY = Path(os.devnull)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a daemon's key and an authorised one."""
    for name in ("daemon", "gate"):
        public, secret = zmq.curve_keypair()
        (tmp_path / f"{name}.key").write_bytes(public)
        (tmp_path / f"{name}.secret").write_bytes(secret)
        (tmp_path / f"{name}.secret").chmod(0o600)
    return tmp_path


def assignments(folder: Path, *more: str, endpoint: str = "tcp://127.0.0.1:5555") -> list[str]:
    """A configuration with TCP, and more."""
    return [
        f'frames.endpoints=["{endpoint}"]',
        f"frames.curve_secret_key_file={folder}/daemon.secret",
        f"frames.curve_authorized_keys={folder}",
        *more,
    ]


def problems(*given: str) -> list[str]:
    """All that is told of a configuration."""
    with pytest.raises(ConfigurationError) as caught:
        resolve(EMPTY, {"RUNTIME_DIRECTORY": "/run/o"}, given)
    return [f"{problem.key}: {problem.what}" for problem in caught.value.problems]


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "192.0.2.7", "*", "[::1]", "[2001:db8::7]"])  # noqa: S104 - that it may be said is the point
def test_tcp_may_be_on_any_address_once_there_are_keys(folder: Path, host: str) -> None:
    settings = resolve(EMPTY, {}, assignments(folder, endpoint=f"tcp://{host}:5555"))

    assert settings.frames.endpoints == [f"tcp://{host}:5555"]


@pytest.mark.parametrize("host", ["localhost", "eth0", "::1", "[127.0.0.1]", "", "[]", "127.1", "*.*"])
def test_tcp_on_what_is_no_address_is_refused(folder: Path, host: str) -> None:
    [told] = problems(*assignments(folder, endpoint=f"tcp://{host}:5555"))

    assert told == (
        f"frames.endpoints[0]: 'tcp://{host}:5555' must have an address as 192.0.2.7 or [2001:db8::7], or * for all"
    )


def test_tcp_without_keys_is_refused_on_loopback_too_and_each_missing_key_is_named() -> None:
    assert problems('frames.endpoints=["ipc:///run/a","tcp://127.0.0.1:5555"]') == [
        "frames.curve_secret_key_file: must be set where frames.endpoints has an address with tcp://",
        "frames.curve_authorized_keys: must be set where frames.endpoints has an address with tcp://",
    ]


def test_folder_without_keys_is_accepted(folder: Path) -> None:
    (folder / "none").mkdir()
    settings = resolve(EMPTY, {}, assignments(folder, f"frames.curve_authorized_keys={folder}/none"))

    assert settings.frames.curve_authorized_keys == f"{folder}/none"


def test_files_that_cannot_be_used_are_named_all_at_once(folder: Path) -> None:
    (folder / "daemon.secret").chmod(0o640)
    (folder / "gate.key").write_text("x")

    assert problems(*assignments(folder)) == [
        f"frames.curve_secret_key_file: {folder}/daemon.secret may be read by others than its owner "
        "(mode 0640, must be 0600)",
        f"frames.curve_authorized_keys: {folder}/gate.key must hold a public key, 40 characters of Z85, "
        "and nothing else",
    ]


def test_files_that_are_not_there_are_named(folder: Path) -> None:
    told = problems(
        *assignments(folder, "frames.curve_secret_key_file=/nowhere/s", "frames.curve_authorized_keys=/nowhere")
    )

    assert told == [
        "frames.curve_secret_key_file: '/nowhere/s' cannot be read: No such file or directory",
        "frames.curve_authorized_keys: '/nowhere' cannot be read: No such file or directory",
    ]


def test_keys_are_not_looked_at_without_tcp_nor_by_who_does_not_serve(folder: Path) -> None:
    nowhere = ("frames.curve_secret_key_file=/nowhere/s", "frames.curve_authorized_keys=/nowhere")

    assert resolve(EMPTY, {}, nowhere).frames.curve_authorized_keys == "/nowhere"
    assert read(EMPTY, {}, assignments(folder, *nowhere), is_to_serve=False).configuration.frames.endpoints


def test_group_that_this_process_is_in_is_accepted() -> None:
    own = grp.getgrgid(os.getegid()).gr_name

    assert resolve(EMPTY, {}, (f"frames.socket_group={own}",)).frames.socket_group == own


def test_group_that_is_not_there_is_refused() -> None:
    assert problems("frames.socket_group=nosuchgroup") == ["frames.socket_group: there is no group 'nosuchgroup'"]


def test_group_that_this_process_could_not_give_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = next(one for one in grp.getgrall() if one.gr_gid not in {os.getegid(), *os.getgroups()})
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    assert problems(f"frames.socket_group={other.gr_name}") == [
        f"frames.socket_group: is '{other.gr_name}', must be a group that the daemon's own user is in"
    ]


def test_folder_of_lent_segments_may_be_empty_and_must_be_there_otherwise(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert resolve(EMPTY, {}, ['frames.lent_directory=""']).frames.lent_directory == ""
    assert resolve(EMPTY, {}, [f"frames.lent_directory={tmp_path}"]).frames.lent_directory == str(tmp_path)
    assert problems("frames.lent_directory=shm") == ["frames.lent_directory: is 'shm', must be a whole path, from / on"]
    for missing in (tmp_path / "none", tmp_path / "file"):
        [told] = problems(f"frames.lent_directory={missing}")
        assert told.startswith("frames.lent_directory: '")
        assert told.endswith(" is no folder in which the daemon can open files; empty: none is taken")
