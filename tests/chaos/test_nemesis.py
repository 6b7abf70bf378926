"""The nemesis on real processes: whom it hits, how, and whom it leaves alone."""

import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from tests.chaos.nemesis import Nemesis
from tests.chaos.plan import Harm, Strike, Target
from tests.waiting import eventually

Process = subprocess.Popen[bytes]


@pytest.fixture
def idlers() -> Iterator[dict[str, Process]]:
    """Processes that wait for their standard input to be closed, in the place of three services."""
    program = "import sys; sys.stdin.read()"
    started = {
        name: subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)
        for name in ("broker", "control", "decode-0", "encode-0")
    }
    yield started
    for process in started.values():
        process.kill()
        process.communicate()


def nemesis(idlers: dict[str, Process], *strikes: Strike, grown_s: float = 0.0) -> Nemesis:
    def pids(kind: str) -> list[int]:
        living = [(name, process.pid) for name, process in idlers.items() if process.poll() is None]
        return [pid for name, pid in living if name.startswith(kind)]

    return Nemesis(pids, strikes, grown_s)


def status(process: Process) -> str:
    return str(psutil.Process(process.pid).status())


@pytest.mark.parametrize(
    ("harm", "number"),
    [(Harm.KILL, signal.SIGKILL), (Harm.SEGV, signal.SIGSEGV), (Harm.ABRT, signal.SIGABRT)],
)
@pytest.mark.parametrize(("target", "name"), [(Target.BROKER, "broker"), (Target.CONTROL, "control")])
def test_target_dies_by_the_signal_of_its_harm_when_the_time_has_come(
    idlers: dict[str, Process], target: Target, name: str, harm: Harm, number: int
) -> None:
    struck = nemesis(idlers, Strike(1.0, target, harm, 0.0))
    struck.strike(0.99)
    assert (idlers[name].poll(), struck.blows) == (None, [])
    struck.strike(1.01)

    assert idlers[name].wait(5) == -number
    assert [blow.pid for blow in struck.blows] == [idlers[name].pid]
    assert [other for other, process in idlers.items() if process.poll() is not None] == [name]


def test_worker_is_chosen_among_those_of_all_stages(idlers: dict[str, Process]) -> None:
    workers = sorted([idlers["decode-0"], idlers["encode-0"]], key=lambda process: process.pid)
    nemesis(idlers, Strike(0.0, Target.WORKER, Harm.KILL, 0.5)).strike(0.0)

    assert workers[1].wait(5) == -signal.SIGKILL
    assert workers[0].poll() is None


def test_pause_ends_when_its_time_is_over(idlers: dict[str, Process]) -> None:
    struck = nemesis(idlers, Strike(1.0, Target.BROKER, Harm.PAUSE, 0.0, pause_s=0.5))
    broker = idlers["broker"]
    struck.strike(1.0)
    eventually(lambda: status(broker) == psutil.STATUS_STOPPED, within_s=5.0, what="it is stopped")
    struck.strike(1.49)
    assert status(broker) == psutil.STATUS_STOPPED
    struck.strike(1.51)

    eventually(lambda: status(broker) != psutil.STATUS_STOPPED, within_s=5.0, what="it goes on")


def test_stop_is_for_good_and_pauses_end_with_the_run(idlers: dict[str, Process]) -> None:
    struck = nemesis(
        idlers, Strike(0.0, Target.BROKER, Harm.STOP, 0.0), Strike(0.0, Target.CONTROL, Harm.PAUSE, 0.0, pause_s=9.0)
    )
    struck.strike(0.0)
    for name in ("broker", "control"):
        eventually(lambda: status(idlers[name]) == psutil.STATUS_STOPPED, within_s=5.0, what="it is stopped")  # noqa: B023
    struck.close()

    eventually(lambda: status(idlers["control"]) != psutil.STATUS_STOPPED, within_s=5.0, what="the pause has ended")
    assert status(idlers["broker"]) == psutil.STATUS_STOPPED


def test_process_that_is_starting_is_not_stopped_for_good_but_killed(idlers: dict[str, Process]) -> None:
    struck = nemesis(
        idlers,
        Strike(0.0, Target.BROKER, Harm.STOP, 0.0),
        Strike(0.0, Target.CONTROL, Harm.KILL, 0.0),
        grown_s=60.0,
    )
    struck.strike(0.0)

    assert [blow.pid for blow in struck.blows] == [None, idlers["control"].pid]
    assert status(idlers["broker"]) != psutil.STATUS_STOPPED


def test_strike_that_finds_nobody_is_told_as_such(idlers: dict[str, Process]) -> None:
    idlers["broker"].kill()
    idlers["broker"].wait(5)
    struck = nemesis(idlers, Strike(0.0, Target.BROKER, Harm.KILL, 0.0))
    struck.strike(0.0)

    assert [blow.pid for blow in struck.blows] == [None]
