"""What one stage of one worker has done since that worker began."""

from ipc.histogram import Histogram
from ipc.telemetry import StageFigures


class StageAccount:
    """Counts, and the time that steps took."""

    def __init__(self) -> None:
        self.completed = 0
        self.failed = 0
        self.busy_us = 0
        self.latency = Histogram()
        """Of finished steps, in microseconds."""

    def figures(self) -> StageFigures:
        """What is told of it."""
        return StageFigures(self.completed, self.failed, self.busy_us, self.latency.snapshot())
