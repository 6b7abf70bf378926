"""The service, as `make install-service` puts it onto a machine with a real systemd."""

import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.systemd.host import Host, HostUnavailable
from tests.systemd.installed import UNIT, Installed

ROOT = Path(__file__).parents[2]
CHECKOUT = "/opt/checkout"
"""Where the machine sees it: also users who may not look into the folder that it lies in."""
PREFIX = "/opt/omnishotd"
DEPENDENCIES = "/opt/dependencies"
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
MOVED_PYTHON = "/opt/python"
HOMES = (("root",), ("home",), ("run", "user"))
"""What `ProtectHome=` hides, by the parts of its path (systemd.exec(5))."""


@pytest.fixture(autouse=True)
def _leaves_nothing_behind() -> None:
    """In place of the one for all tests: the processes of the machine come and go, and end with it."""


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """A machine of the module's own. Where none can be had, the tests are skipped and say why."""
    purelib = Path(sysconfig.get_path("purelib"))
    try:
        with Host({CHECKOUT: ROOT, DEPENDENCIES: purelib, MOVED_PYTHON: Path(sys.base_prefix)}) as machine:
            yield machine
    except HostUnavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def installed(host: Host) -> Installed:
    """The service, installed and not yet started."""
    install(host)
    return Installed(host)


@pytest.fixture
def service(installed: Installed) -> Iterator[Installed]:
    """The service, running as the unit says, and with nothing left of what a test changed."""
    installed.host.run("systemctl", "reset-failed")
    if installed.host.show(UNIT, "ActiveState") != ["active"]:
        installed.start()
    yield installed
    if installed.forget_changes():
        installed.host.run("systemctl", "stop", UNIT)


def install(host: Host) -> str:
    """Install the service as its administrator does; return what is said.

    What would be fetched is what is installed here. An environment's .pth file is not read again below it, so the
    checkout that is installed here is not found by it.
    """
    python = f"PYTHON={_interpreter(host)}"
    said = host.run("make", "install-service", "DEPENDENCIES=none", python, folder=CHECKOUT)
    (host.path(PREFIX) / "lib" / VERSION / "site-packages" / "dependencies.pth").write_text(DEPENDENCIES)
    return said


def _interpreter(host: Host) -> Path:
    """Find one that the unit does not hide, as it does all that lies in homes."""
    parts = Path(sys.base_prefix).resolve().parts[1:]
    if not any(parts[: len(home)] == home for home in HOMES):
        return Path(sys.base_prefix, "bin", VERSION)
    of_system = Path("/usr/bin", VERSION)
    if of_system.exists():
        return of_system
    # Seen from elsewhere, it finds all of itself but its own library.
    drop_in = host.path(f"/etc/systemd/system/{UNIT}.d/python.conf")
    drop_in.parent.mkdir(exist_ok=True)
    drop_in.write_text(f"[Service]\nEnvironment=LD_LIBRARY_PATH={MOVED_PYTHON}/lib\n")
    return Path(MOVED_PYTHON, "bin", VERSION)
