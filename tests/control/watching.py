"""A board of alerts, a clock, and all that was told."""

from control.alerts import Alert, AlertBoard, AlertState
from control.readings import Readings
from ipc.settings import Settings
from tests.control.support import make_settings

STEP_S = 0.5


class Watching:
    """A board, a clock, and all that was told."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.board = AlertBoard(settings or make_settings())
        self.now_s = 1000.0
        self.told: list[Alert] = []

    def see(self, readings: Readings, for_s: float = 0.0) -> list[Alert]:
        """Look at the same readings for a while, beginning now. Returns what was told meanwhile."""
        told = []
        for _ in range(round(for_s / STEP_S) + 1):
            told += self.board.judge(readings, self.now_s, f"at {self.now_s:g}")
            self.now_s += STEP_S
        self.told += told
        return told


def states(alerts: list[Alert]) -> list[tuple[str, AlertState]]:
    return [(alert.name, alert.state) for alert in alerts]
