"""What the service manager is told, and when, by a clock of the test's own."""

import pytest

from omnishotd.supervisor.herald import Herald, status_of
from omnishotd.supervisor.lifecycle import ServiceState
from omnishotd.supervisor.notify import Notifier
from omnishotd.supervisor.phase import Phase
from omnishotd.supervisor.service import Service
from omnishotd.supervisor.watchdog import Watchdog

DOORS = ["ipc:///run/frames.sock"]


class Systemd(Notifier):
    """A service manager that remembers what it was told."""

    def __init__(self) -> None:
        super().__init__("remembered")
        self.said: list[str] = []

    def _send(self, state: str) -> None:
        self.said.append(state)

    def heard(self, beginning: str) -> int:
        """Count what began so."""
        return sum(state.startswith(beginning) for state in self.said)


def services(**states: ServiceState) -> list[Service]:
    """Make a broker, a control plane and two workers, ready if nothing else is said."""
    kinds = {"broker": [], "control": [], "decode_0": ["decode"], "decode_1": ["decode"]}
    return [
        Service(name, "decode" if stages else name, "", stages, states.get(name, ServiceState.READY))
        for name, stages in kinds.items()
    ]


def herald(manager: Systemd, timeout_s: float | None = None) -> Herald:
    """Make a herald who speaks to this manager."""
    return Herald(manager, Watchdog(timeout_s), DOORS)


@pytest.mark.parametrize(
    ("phase", "states", "status"),
    [
        (Phase.STARTING, {"broker": ServiceState.SPAWNING}, "starting, 3 of 4 services ready"),
        (Phase.SERVING, {}, "serving ipc:///run/frames.sock, 2 of 2 workers ready"),
        (
            Phase.SERVING,
            {"decode_0": ServiceState.BACKOFF},
            "serving ipc:///run/frames.sock, 1 of 2 workers ready",
        ),
        (
            Phase.SERVING,
            {"decode_0": ServiceState.FAILED},
            "serving ipc:///run/frames.sock, 1 of 2 workers ready, decode_0 is given up",
        ),
        (
            Phase.SERVING,
            {"broker": ServiceState.SPAWNING},
            "not serving, 2 of 2 workers ready, broker is started again",
        ),
        (
            Phase.SERVING,
            {"control": ServiceState.FAILED},
            "serving ipc:///run/frames.sock, 2 of 2 workers ready, control is given up",
        ),
        (Phase.DRAINING, {}, "finishing accepted frames"),
        (Phase.STOPPING_WORKERS, {}, "stopping"),
        (Phase.STOPPING_REST, {}, "stopping"),
    ],
)
def test_status_says_how_the_daemon_is(phase: Phase, states: dict[str, ServiceState], status: str) -> None:
    assert status_of(phase, services(**states), ", ".join(DOORS)) == status


def test_status_is_told_only_when_it_is_another() -> None:
    manager = Systemd()
    speaker = herald(manager)
    for states in ({}, {}, {"decode_0": ServiceState.BACKOFF}, {}, {}):
        speaker.offer(0.0, Phase.SERVING, services(**states))

    assert [said.rpartition(", ")[2] for said in manager.said] == [
        "2 of 2 workers ready",
        "1 of 2 workers ready",
        "2 of 2 workers ready",
    ]


@pytest.mark.parametrize(
    "phase", [phase for phase in Phase if phase is not Phase.SERVING], ids=lambda phase: phase.name
)
def test_start_and_stop_ask_for_patience_once_a_second(phase: Phase) -> None:
    manager = Systemd()
    speaker = herald(manager)
    for tenth in range(31):
        speaker.offer(tenth / 10, phase, services())

    assert manager.heard("EXTEND_TIMEOUT_USEC=10000000") == 4


def test_daemon_that_serves_asks_for_no_patience() -> None:
    manager = Systemd()
    speaker = herald(manager)
    for second in range(30):
        speaker.offer(float(second), Phase.SERVING, services())

    assert manager.heard("EXTEND_TIMEOUT_USEC") == 0


@pytest.mark.parametrize("phase", Phase, ids=lambda phase: phase.name)
def test_pings_are_sent_in_every_phase(phase: Phase) -> None:
    manager = Systemd()
    speaker = herald(manager, timeout_s=9.0)
    for second in range(7):
        speaker.offer(float(second), phase, services())

    assert manager.heard("WATCHDOG=1") == 3


def test_refused_configuration_stays_in_the_status_until_the_next_reload() -> None:
    manager = Systemd()
    speaker = herald(manager)
    speaker.reloading()
    speaker.reloaded(Phase.SERVING, services(), "new configuration refused: presets: no")
    speaker.offer(0.0, Phase.SERVING, services(decode_0=ServiceState.BACKOFF))
    refused = manager.said[1:]
    speaker.reloaded(Phase.SERVING, services(), "")

    assert manager.heard("RELOADING=1\nMONOTONIC_USEC=") == 1
    assert all("; new configuration refused: presets: no" in state for state in refused)
    assert refused[0].startswith("READY=1\n")
    assert manager.said[-1].startswith("READY=1\nSTATUS=serving ipc:///run/frames.sock, 2 of 2 workers ready\n")


def test_reload_before_the_daemon_serves_does_not_say_that_it_does() -> None:
    manager = Systemd()
    speaker = herald(manager)
    speaker.reloaded(Phase.STARTING, services(), "")

    assert manager.heard("READY=1") == 0
