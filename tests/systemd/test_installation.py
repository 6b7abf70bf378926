"""`make install-service` on a machine of its own: what it writes, what it leaves alone, and what it takes away."""

import stat
from pathlib import Path

import pytest

from tests.systemd.conftest import CHECKOUT, PREFIX, VERSION, install
from tests.systemd.installed import CONFIGURATION, GROUP, TOKEN, UNIT, Installed

EXPOSURE_MAX = 12
"""In tenths, as systemd-analyze counts a threshold."""
COMMAND = "/usr/local/bin/omnishotd"
SYSUSERS = "/etc/sysusers.d/omnishotd.conf"


def mode(installed: Installed, path: str) -> int:
    """Return a file's permissions."""
    return stat.S_IMODE(installed.file(path).stat().st_mode)


def tree(folder: Path) -> list[Path]:
    """Return all that lies there, itself as well."""
    return sorted([folder, *folder.rglob("*")])


def test_unit_is_understood_and_shut(installed: Installed) -> None:
    complaints = installed.host.run("systemd-analyze", "verify", UNIT)
    verdict = installed.host.run(
        *("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager"),
        f"/etc/systemd/system/{UNIT}",
    )

    assert complaints == ""
    assert "Overall exposure level" in verdict


def test_installation_gives_unit_group_command_configuration_and_a_secret_token(installed: Installed) -> None:
    load, enabled = installed.host.show(UNIT, "LoadState", "UnitFileState")

    assert (load, enabled) == ("loaded", "disabled")
    assert installed.host.run("getent", "group", GROUP).startswith(f"{GROUP}:")
    assert installed.host.run("omnishotd", "--version").startswith("omnishotd ")
    assert installed.host.run("omnishotd", "config", "check") == f"valid ({CONFIGURATION})\n"
    assert (mode(installed, TOKEN), mode(installed, CONFIGURATION)) == (0o600, 0o644)
    assert len(installed.file(TOKEN).read_text().strip()) >= 32


@pytest.mark.parametrize("change", ["kept", "removed"])
def test_installation_again_leaves_what_is_the_administrators(installed: Installed, change: str) -> None:
    token, configuration = installed.file(TOKEN), installed.file(CONFIGURATION)
    before = token.read_text()
    if change == "removed":
        token.unlink()
    installed.configure(lambda text: text + "# mine\n")
    said = install(installed.host)
    is_mine = configuration.read_text().endswith("# mine\n")
    installed.forget_changes()

    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert (token.read_text() == before) == (change == "kept")
    assert is_mine
    assert f"left {CONFIGURATION} as it is" in said
    assert ("left" if change == "kept" else "wrote") + f" {TOKEN}" in said


def test_command_of_another_installation_is_left_alone(installed: Installed) -> None:
    command = installed.file(COMMAND)
    before = command.read_text()
    command.write_text("#!/bin/sh\necho of another\n")
    said = install(installed.host)
    kept = installed.host.run("omnishotd")
    command.write_text(before)

    assert kept == "of another\n"
    assert f"left {COMMAND} as it is" in said


def test_package_gets_all_but_a_token_below_its_folder(installed: Installed) -> None:
    settings = ["DEPENDENCIES=none", "DESTDIR=/tmp/package", "PREFIX=/usr/lib/omnishotd"]
    installed.host.run(
        "setpriv", "--reuid=65534", "--clear-groups", "make", "install-service", *settings, folder=CHECKOUT
    )
    package = installed.file("/tmp/package")  # noqa: S108 - inside the machine
    files = {
        f"/{path.relative_to(package)}" for path in package.rglob("*") if path.is_file() and "lib" not in path.parts
    }

    assert files == {f"/etc/systemd/system/{UNIT}", SYSUSERS, CONFIGURATION, COMMAND}
    assert "ExecStart=/usr/lib/omnishotd/bin/python " in (package / "etc/systemd/system" / UNIT).read_text()
    assert (package / "usr/lib/omnishotd/bin/python").is_symlink()


@pytest.mark.parametrize("action", ["install", "uninstall"])
@pytest.mark.parametrize("prefix", ["/srv/system", "/srv/environment", "/srv/marked", "/srv/file", "/srv/nowhere"])
def test_folder_that_no_installation_made_is_refused_and_stays_as_it_is(
    installed: Installed, action: str, prefix: str
) -> None:
    for name in ("system/bin", "environment/pyvenv.cfg", "marked/.omnishotd", "file"):
        file = installed.file(f"/srv/{name}")
        file.parent.mkdir(exist_ok=True)
        file.touch()
    if not installed.file("/srv/nowhere").is_symlink():
        installed.file("/srv/nowhere").symlink_to("none")
    before = tree(installed.file(prefix))
    said = installed.host.run(
        "env", "DEPENDENCIES=none", f"PREFIX={prefix}", f"{CHECKOUT}/systemd/service.sh", action, status=1
    )

    assert said == (
        f"omnishotd: PREFIX={prefix}: {prefix} is there and was not made by an installation of omnishotd: "
        "no pyvenv.cfg or no .omnishotd in it\n"
    )
    assert tree(installed.file(prefix)) == before
    assert installed.file(f"/etc/systemd/system/{UNIT}").exists()


@pytest.mark.parametrize("action", ["install", "uninstall"])
@pytest.mark.parametrize("prefix", ["/", "//", "/.", "omnishotd", "/srv/../usr"])
def test_path_that_names_no_folder_of_its_own_is_refused(installed: Installed, action: str, prefix: str) -> None:
    said = installed.host.run(
        *(
            "env",
            "DEPENDENCIES=none",
            "DESTDIR=/tmp/refused",
            f"PREFIX={prefix}",
            f"{CHECKOUT}/systemd/service.sh",
            action,
        ),
        status=1,
    )

    assert said == f"omnishotd: PREFIX={prefix}: must be the absolute path of a folder for omnishotd alone\n"
    assert not installed.file("/tmp/refused").exists()  # noqa: S108 - inside the machine


def test_empty_folder_is_taken_and_one_that_an_installation_made_is_taken_away(installed: Installed) -> None:
    settings = ["DEPENDENCIES=none", "DESTDIR=/tmp/empty", "PREFIX=/srv/omnishotd"]
    home = installed.file("/tmp/empty/srv/omnishotd")  # noqa: S108 - inside the machine
    home.mkdir(parents=True)
    installed.host.run("make", "install-service", *settings, folder=CHECKOUT)
    made = {path.name for path in home.iterdir()}
    installed.host.run("make", "uninstall-service", *settings, folder=CHECKOUT)

    assert made >= {"pyvenv.cfg", ".omnishotd", "bin"}
    assert not home.exists()


@pytest.mark.parametrize("version", ["the same", "another"])
def test_environment_is_made_anew_only_for_another_version_of_python(installed: Installed, version: str) -> None:
    libraries = installed.file(PREFIX) / "lib"
    (libraries / VERSION / "site-packages" / "of_others.py").touch()
    if version == "another":
        (libraries / VERSION).rename(libraries / "python3.1")
    install(installed.host)
    kept = [path.parts[-3] for path in libraries.rglob("of_others.py")]

    assert kept == ([VERSION] if version == "the same" else [])
    assert [path.name for path in libraries.iterdir()] == [VERSION]
    assert installed.host.run("omnishotd", "--version").startswith("omnishotd ")


def test_update_of_a_running_service_asks_for_a_restart(service: Installed) -> None:
    said = install(service.host)
    service.host.run("systemctl", "stop", UNIT)

    assert said.splitlines()[-1] == (
        "omnishotd: the service runs, and each process that it starts from here on is a new one; "
        "now: systemctl restart omnishotd"
    )


def test_removal_leaves_what_is_the_administrators(installed: Installed) -> None:
    installed.host.run("make", "uninstall-service", folder=CHECKOUT)
    gone = [
        path for path in (PREFIX, COMMAND, SYSUSERS, f"/etc/systemd/system/{UNIT}") if installed.file(path).exists()
    ]
    left = [path for path in (CONFIGURATION, TOKEN) if installed.file(path).exists()]
    load = installed.host.show(UNIT, "LoadState")
    install(installed.host)

    assert (gone, load) == ([], ["not-found"])
    assert left == [CONFIGURATION, TOKEN]


def test_only_root_can_install_into_the_system(installed: Installed) -> None:
    said = installed.host.run(
        *("setpriv", "--reuid=65534", "--clear-groups", f"{CHECKOUT}/systemd/service.sh", "install"), status=1
    )

    assert said == "omnishotd: only root can install a service; or set DESTDIR\n"
