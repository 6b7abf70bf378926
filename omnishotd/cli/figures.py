"""Figures: what `omnishotd top` shows of the control plane's JSON, as it reads it.

Another version of the daemon may say more, which is passed over, and may leave out what has a default here. What is a
fixed word there, as a state, is any text here: it is shown and not judged.
"""

import msgspec


class _Figures(msgspec.Struct, frozen=True):
    """A part of a body."""


class Latency(_Figures, frozen=True):
    """Quantiles in milliseconds; None before the first frame."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


class FrameCounts(_Figures, frozen=True):
    """Frames by outcome; received is the sum of the six below it."""

    received: int
    completed: int
    failed: int
    rejected: int
    cancelled: int
    in_flight: int
    queued: int
    retried: int = 0
    lost: int = 0
    payload_bytes: int = 0
    reply_bytes: int = 0


class StageMetrics(_Figures, frozen=True):
    """One stage over all its workers."""

    workers: int
    busy: int
    completed: int
    failed: int
    utilization: float
    recent_latency_ms: Latency = Latency()


class Queue(_Figures, frozen=True):
    """The frames that wait."""

    frames: int
    frames_max: int
    bytes: int
    bytes_max: int
    by_priority: dict[str, int] = {}
    wait_ms: Latency = Latency()


class Restarts(_Figures, frozen=True):
    """Processes that were started again."""

    total: int
    by_cause: dict[str, int]


class Canary(_Figures, frozen=True):
    """The daemon's own pictures through all its stages."""

    passed: int
    failed: int
    age_s: float | None = None
    took_ms: float | None = None


class System(_Figures, frozen=True):
    """Load of the host."""

    cpu_percent: float | None = None
    memory_percent: float | None = None
    load_average: tuple[float, float, float] | None = None


class Alert(_Figures, frozen=True):
    """A threshold that is passed, or was."""

    name: str
    state: str
    value: float
    threshold: float
    since: str
    detail: str = ""

    @property
    def is_firing(self) -> bool:
        """Tell whether it is still passed."""
        return self.state == "firing"


class Metrics(_Figures, frozen=True):
    """`metrics` on the feed."""

    timestamp: str
    frames: FrameCounts
    throughput_fps: float
    error_rate: float
    errors: dict[str, int]
    recent_latency_ms: Latency
    stages: dict[str, StageMetrics]
    queue: Queue | None = None
    restarts: Restarts | None = None
    canary: Canary | None = None
    system: System = System()
    alerts: list[Alert] = []


class Exit(_Figures, frozen=True):
    """How the previous process of a service ended."""

    code: int | None
    signal: str | None
    reason: str
    at: str
    cause: str = ""


class Service(_Figures, frozen=True):
    """One service."""

    name: str
    state: str
    pid: int | None
    restarts: int
    last_exit: Exit | None
    heartbeat_age_ms: float | None
    utilization: float | None = None
    cpu_percent: float | None = None
    pss_bytes: int | None = None


class Services(_Figures, frozen=True):
    """`services` on the feed."""

    status: str
    services: list[Service]


class Trend(_Figures, frozen=True):
    """A straight line through the samples of a window."""

    slope_bytes_per_minute: float
    confidence: float


class ArenaOwner(_Figures, frozen=True):
    """Who holds how much of the arena."""

    owner: str
    bytes: int
    frames: int
    abandoned: int = 0


class Arena(_Figures, frozen=True):
    """The shared memory."""

    total_bytes: int
    used_bytes: int
    high_water_bytes: int
    largest_free_bytes: int
    owners: list[ArenaOwner] = []


class MemoryTotal(_Figures, frozen=True):
    """Sums over all processes."""

    pss_bytes: int


class Memory(_Figures, frozen=True):
    """`memory` on the feed."""

    verdict: str
    total: MemoryTotal
    arena: Arena | None
    trend: Trend | None
    recommendations: list[str]


class Event(_Figures, frozen=True):
    """`events` on the feed: one thing that happened."""

    id: str
    at: str
    event: str
    service: str
    detail: str = ""


class Check(_Figures, frozen=True):
    """Verdict on one part."""

    status: str
    detail: str = ""


class Health(_Figures, frozen=True):
    """Body of `GET /health`."""

    status: str
    version: str | None
    uptime_s: float | None
    checks: dict[str, Check]
