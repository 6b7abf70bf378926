"""A service: one child's place in the daemon, which outlives its processes."""

from collections import Counter
from dataclasses import dataclass, field

from ipc.causes import Cause
from ipc.telemetry import LastExit, ServiceFigures
from omnishotd.supervisor.children import ChildProcess
from omnishotd.supervisor.lifecycle import ServiceEvent, ServiceState, advance


@dataclass(slots=True, eq=False)
class Service:
    """A child that the supervisor keeps alive.

    One process is in charge. A worn one goes on until its successor is ready, and then finishes what it holds, so that
    for a while there are two.
    """

    name: str
    kind: str
    """`broker`, `control`, or the name of the worker's pool: what shares a restart policy."""
    module: str
    stages: list[str] = field(default_factory=list)
    state: ServiceState = ServiceState.STOPPED
    """Of the process in charge."""
    child: ChildProcess | None = None
    """The process in charge."""
    successor: ChildProcess | None = None
    """Started to replace it, and not ready yet."""
    retiring: ChildProcess | None = None
    """Was in charge, and finishes what it holds."""
    restart_at_s: float | None = None
    """When it is to be started again; in BACKOFF."""
    succeed_at_s: float | None = None
    """When it may be given a successor; None if its process is not worn, or has one."""
    died_of: Cause | None = None
    """What ended the process in whose place none was started yet."""
    restarts: Counter[Cause] = field(default_factory=Counter)
    """By what had ended the process before."""
    last_exit: LastExit | None = None

    @property
    def is_worker(self) -> bool:
        """Whether it is a stage worker."""
        return bool(self.stages)

    @property
    def processes(self) -> list[ChildProcess]:
        """All of its processes."""
        return [child for child in (self.child, self.successor, self.retiring) if child is not None]

    @property
    def is_live(self) -> bool:
        """Whether it has a process."""
        return self.child is not None or self.successor is not None or self.retiring is not None

    @property
    def incarnation(self) -> int:
        """Number of the process in charge; 0 if there is none."""
        return self.child.incarnation if self.child is not None else 0

    def advance(self, event: ServiceEvent) -> None:
        """Change the state. The only place that does."""
        self.state = advance(self.state, event)

    def take_charge(self, child: ChildProcess) -> None:
        """Put a process in charge, in place of one that is gone or retires, and count it as a restart if it is one."""
        self.child = child
        self.restart_at_s = None
        self.succeed_at_s = None
        if self.died_of is not None:
            self.restarts[self.died_of] += 1
            self.died_of = None

    def figures(self, deaths_lately: int) -> ServiceFigures:
        """Describe it for telemetry; `deaths_lately` is counted for all services of its kind."""
        return ServiceFigures(
            name=self.name,
            kind=self.kind,
            state=self.state.value,
            pid=self.child.pid if self.child is not None else None,
            started_at_s=self.child.started_at_s if self.child is not None else None,
            restarts=self.restarts.total(),
            last_exit=self.last_exit,
            incarnation=self.incarnation,
            restarts_by_cause=dict(self.restarts),
            deaths_lately=deaths_lately,
        )


@dataclass(frozen=True, slots=True)
class Member:
    """A process, and whose it is."""

    service: Service
    child: ChildProcess
