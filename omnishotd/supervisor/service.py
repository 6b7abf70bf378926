"""A service: one child's place in the daemon, which outlives its processes."""

from collections import Counter
from dataclasses import dataclass, field

from ipc.causes import Cause
from ipc.telemetry import LastExit, ServiceFigures
from omnishotd.supervisor.children import ChildProcess
from omnishotd.supervisor.lifecycle import LIVE_STATES, ServiceEvent, ServiceState, advance


@dataclass(slots=True, eq=False)
class Service:
    """A child that the supervisor keeps alive."""

    name: str
    kind: str
    """`broker`, `control`, or the name of the worker's pool: what shares a restart policy."""
    module: str
    stages: list[str] = field(default_factory=list)
    state: ServiceState = ServiceState.STOPPED
    child: ChildProcess | None = None
    incarnation: int = 0
    started_at_s: float | None = None
    restart_at_s: float | None = None
    """When it is to be started again; in BACKOFF."""
    kill_at_s: float | None = None
    """When it will have had time enough to become ready, or to end."""
    kill_reason: str = ""
    """Why we killed it, if we did."""
    kill_cause: Cause | None = None
    """The same, as it is counted."""
    restarts: Counter[Cause] = field(default_factory=Counter)
    """By what had ended the process before."""
    last_exit: LastExit | None = None

    @property
    def is_worker(self) -> bool:
        """Whether it is a stage worker."""
        return bool(self.stages)

    @property
    def is_live(self) -> bool:
        """Whether it has a process."""
        return self.state in LIVE_STATES

    def advance(self, event: ServiceEvent) -> None:
        """Change the state. The only place that does."""
        self.state = advance(self.state, event)

    def figures(self, deaths_lately: int) -> ServiceFigures:
        """Describe it for telemetry; `deaths_lately` is counted for all services of its kind."""
        return ServiceFigures(
            name=self.name,
            kind=self.kind,
            state=self.state.value,
            pid=self.child.pid if self.child is not None else None,
            started_at_s=self.started_at_s if self.child is not None else None,
            restarts=self.restarts.total(),
            last_exit=self.last_exit,
            incarnation=self.incarnation if self.child is not None else 0,
            restarts_by_cause=dict(self.restarts),
            deaths_lately=deaths_lately,
        )
