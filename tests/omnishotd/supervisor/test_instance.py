"""One instance: locks of real files and addresses of real sockets."""

import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

from ipc.settings import Settings
from omnishotd.supervisor.instance import CHILDREN_TIMEOUT_S, Instance, StartupError, listen
from tests.control.support import make_settings
from tests.waiting import eventually

PROGRAM = """
import sys
import threading
import time
from pathlib import Path
import msgspec
from ipc.settings import Settings
from omnishotd.supervisor.instance import Instance
instance = Instance(msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=Settings))
print("locked", flush=True)
sys.stdin.read()
"""


def settings_for(directory: Path, *sockets: Path) -> Settings:
    settings = make_settings()
    frames = msgspec.structs.replace(settings.frames, endpoints=[f"ipc://{path}" for path in sockets])
    return msgspec.structs.replace(settings, runtime_directory=str(directory), frames=frames)


def refused(settings: Settings) -> StartupError:
    with pytest.raises(StartupError) as caught:
        Instance(settings)
    return caught.value


def test_instance_makes_its_directory_for_itself_alone(runtime_directory: Path) -> None:
    directory = runtime_directory / "deep" / "er"
    instance = Instance(settings_for(directory, directory / "frames.sock"))

    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / "lock").stat().st_mode & 0o777 == 0o600
    assert instance.endpoint("work.sock") == f"ipc://{directory}/work.sock"
    instance.close()


def test_second_instance_in_a_directory_is_refused_with_75(runtime_directory: Path) -> None:
    instance = Instance(settings_for(runtime_directory))
    error = refused(settings_for(runtime_directory))

    assert error.exit_status == 75
    assert str(runtime_directory) in error.reason
    instance.close()


def test_second_instance_on_an_endpoint_is_refused_and_lets_go_of_its_own_directory(runtime_directory: Path) -> None:
    shared, other = runtime_directory / "frames.sock", runtime_directory / "other"
    instance = Instance(settings_for(runtime_directory, shared))
    error = refused(settings_for(other, shared))
    assert error.exit_status == 75
    assert str(shared) in error.reason
    instance.close()

    Instance(settings_for(other, shared)).close()


def test_instance_after_another_has_closed_is_let_in(runtime_directory: Path) -> None:
    Instance(settings_for(runtime_directory)).close()

    Instance(settings_for(runtime_directory)).close()


def test_lock_goes_with_its_process_however_that_ends(runtime_directory: Path, tmp_path: Path) -> None:
    settings = settings_for(runtime_directory)
    packed = tmp_path / "settings"
    packed.write_bytes(msgspec.msgpack.encode(settings))
    command = [sys.executable, "-P", "-c", PROGRAM, str(packed)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        assert refused(settings).exit_status == 75
        holder.kill()
        holder.wait()

        eventually(lambda: let_in(settings), within_s=5, what="the lock is free")


def child_that_lives_on(instance: Instance) -> subprocess.Popen[bytes]:
    """A process that was given what every child is given, and does not die with its parent."""
    return subprocess.Popen(["/bin/sleep", "1000"], pass_fds=[instance.children_lock])


def test_instance_is_not_let_in_while_a_child_of_an_earlier_one_lives(
    runtime_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omnishotd.supervisor.instance.CHILDREN_TIMEOUT_S", 0.3)
    settings = settings_for(runtime_directory)
    instance = Instance(settings)
    with child_that_lives_on(instance) as child:
        instance.close()
        began_s = time.monotonic()
        error = refused(settings)
        took_s = time.monotonic() - began_s
        child.kill()

    assert error.exit_status == 75
    assert error.reason == f"processes of an earlier omnishotd still live in {runtime_directory}"
    assert took_s >= 0.3
    Instance(settings).close()


def test_instance_is_let_in_as_soon_as_the_last_child_of_an_earlier_one_is_gone(runtime_directory: Path) -> None:
    settings = settings_for(runtime_directory)
    instance = Instance(settings)
    with child_that_lives_on(instance) as child:
        instance.close()
        ender = threading.Timer(0.2, child.kill)
        began_s = time.monotonic()
        ender.start()
        Instance(settings).close()
        took_s = time.monotonic() - began_s
        ender.join()

    assert 0.2 <= took_s < CHILDREN_TIMEOUT_S


def let_in(settings: Settings) -> bool:
    try:
        Instance(settings).close()
    except StartupError:
        return False
    return True


def test_directory_that_cannot_be_made_is_refused_with_73(runtime_directory: Path) -> None:
    in_the_way = runtime_directory / "file"
    in_the_way.touch()
    error = refused(settings_for(in_the_way / "below"))

    assert error.exit_status == 73
    assert str(in_the_way / "below") in error.reason


def test_endpoint_in_a_folder_that_is_not_there_is_refused_with_73_and_lets_go(runtime_directory: Path) -> None:
    error = refused(settings_for(runtime_directory, runtime_directory / "nowhere" / "frames.sock"))

    assert error.exit_status == 73
    Instance(settings_for(runtime_directory)).close()


def test_directory_of_another_user_is_refused_with_73(runtime_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = runtime_directory.stat().st_uid
    monkeypatch.setattr("os.geteuid", lambda: owner + 1)
    error = refused(settings_for(runtime_directory))

    assert error.exit_status == 73
    assert f"uid {owner}" in error.reason


def test_tcp_endpoints_need_no_lock(runtime_directory: Path) -> None:
    settings = settings_for(runtime_directory)
    frames = msgspec.structs.replace(settings.frames, endpoints=["tcp://127.0.0.1:5555"])
    instance = Instance(msgspec.structs.replace(settings, frames=frames))

    assert {path.name for path in runtime_directory.iterdir()} == {"lock", "children.lock"}
    instance.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_listen_takes_any_free_port(host: str) -> None:
    with listen(host, 0) as listener, socket.create_connection(listener.getsockname()[:2], timeout=5):
        assert listener.getsockname()[1] > 0
        assert not listener.get_inheritable()


def test_listen_on_a_taken_port_is_refused_with_69_and_the_setting() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(StartupError) as caught:
            listen("127.0.0.1", port)

    assert caught.value.exit_status == 69
    assert f"127.0.0.1:{port}" in caught.value.reason
    assert "control.port" in caught.value.reason


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_listen_on_an_address_that_is_not_ours_is_refused_with_69(host: str) -> None:
    with pytest.raises(StartupError) as caught:
        listen(host, 0)

    assert caught.value.exit_status == 69
