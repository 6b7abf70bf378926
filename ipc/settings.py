"""Settings as processes get them: plain frozen values, already checked.

`omnishotd.config` reads and checks the configuration and documents each key; a test holds the two to the same fields.
Workers import this module and not pydantic.
"""

from typing import Any, Literal

import msgspec

from ipc.stage import STAGES, Stage


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A section of the configuration."""


class FramesSettings(_Section, frozen=True, kw_only=True):
    """The producers' door."""

    endpoints: list[str]
    socket_mode: int
    socket_group: str
    """Group of ipc:// sockets; empty: the daemon's own."""
    curve_secret_key_file: str
    """Path of the daemon's own key; empty where no producer comes over TCP."""
    curve_authorized_keys: str
    """Folder of the public keys that may connect over TCP."""
    max_frame_bytes: int
    max_pixels: int
    max_side: int
    rate_per_second: float
    lent_directory: str = ""
    """Where the segments lie that producers lend; empty: nothing is borrowed."""


class PoolSettings(_Section, frozen=True, kw_only=True):
    """A set of equal workers and the neighbouring stages that each of them runs."""

    stages: list[str]
    workers: int

    @property
    def name(self) -> str:
        """Name of the pool, as `decode` or `decode+transform`."""
        return "+".join(self.stages)


class PipelineSettings(_Section, frozen=True, kw_only=True):
    """Bounds of the work in hand."""

    max_concurrent_jobs: int
    queue_limit: int
    queue_max_bytes: int
    queue_timeout_ms: int
    stage_timeout_ms: int
    drain_timeout_ms: int
    pools: list[PoolSettings]
    whole_frame_pixels_max: int | Literal["auto"] = 0
    """Pictures of no more pixels pass all stages in the worker that decodes them: messages would cost too much. `auto`:
    those that do not take too long."""

    @property
    def stages(self) -> list[str]:
        """All stages, in the order of the pipeline."""
        return list(dict.fromkeys(stage for pool in self.pools for stage in pool.stages))

    def stages_run_by(self, pool: PoolSettings) -> list[Stage]:
        """List what workers of a pool do: their own stages, and all of them to whole frames where they decode."""
        if self.whole_frame_pixels_max and Stage.DECODE in pool.stages:
            return list(STAGES)
        return [Stage(stage) for stage in pool.stages]

    def stages_known_by(self, pool: PoolSettings) -> list[Stage]:
        """List what they may be asked to do: who transforms can decode, for overlays, and does it to heavy frames."""
        run = self.stages_run_by(pool)
        return [Stage.DECODE, *run] if Stage.TRANSFORM in run and Stage.DECODE not in run else run

    def is_for_heavy_frames(self, stages: list[str]) -> bool:
        """Tell whether a pool of these stages sees heavy frames only: light ones stay with those who decode them."""
        return self.whole_frame_pixels_max == "auto" and Stage.DECODE not in stages


class SupervisorSettings(_Section, frozen=True, kw_only=True):
    """When to end a service that hangs, and when to stop starting it again."""

    restarts_max: int
    restart_window_s: float
    hang_timeout_ms: int
    """How long the loop of the broker or of the control plane may be silent."""

    @property
    def beat_interval_ms(self) -> int:
        """How often they give a sign of life: so often that a short pause right before one is not taken for a hang."""
        return min(1000, self.hang_timeout_ms // 4)


class MemorySettings(_Section, frozen=True, kw_only=True):
    """Memory that is set apart, and bounds of what a process may take besides."""

    arena_mb: int
    worker_limit_mb: int
    broker_limit_mb: int
    recycle_after_frames: int
    """0: never."""
    recycle_above_mb: int
    """Of a worker at rest; 0: never."""


class SandboxSettings(_Section, frozen=True, kw_only=True):
    """What workers are kept from."""

    mode: Literal["auto", "required", "off"]


class ControlSettings(_Section, frozen=True, kw_only=True):
    """The operators' door."""

    host: str
    port: int
    token_file: str
    """Path of the file that holds the token; empty where none is asked for."""
    cors_origins: list[str]
    allowed_hosts: list[str]
    rate_limit_per_minute: int


class AlertSettings(_Section, frozen=True, kw_only=True):
    """When operators are alerted. A threshold of 0 turns its alert off."""

    memory_percent: float
    response_ms: float
    error_percent: float
    queue_length: int
    webhook_url: str


class OverlaySettings(_Section, frozen=True, kw_only=True):
    """A picture of the configuration that `composite` lays on others."""

    file: str
    """Absolute path."""
    digest: str
    """Of the file as it was when the configuration was read, in hexadecimal: another one is another overlay."""


class Settings(_Section, frozen=True, kw_only=True):
    """All of it."""

    runtime_directory: str
    frames: FramesSettings
    pipeline: PipelineSettings
    supervisor: SupervisorSettings
    memory: MemorySettings
    sandbox: SandboxSettings
    control: ControlSettings
    alerts: AlertSettings
    presets: dict[str, dict[str, Any]]
    """By name: `{"outputs": [...]}` as a producer would send it; the broker checks it with the protocol's own types."""
    overlays: dict[str, OverlaySettings] = msgspec.field(default_factory=dict)

    def without_secrets(self) -> "Settings":
        """What processes get that have no use for the operators' secrets: workers decode bytes that nobody trusts."""
        return msgspec.structs.replace(
            self,
            control=msgspec.structs.replace(self.control, token_file=""),
            alerts=msgspec.structs.replace(self.alerts, webhook_url=""),
        )
