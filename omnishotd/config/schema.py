"""Every key of the configuration: meaning, type, bounds and default. The same keys as `ipc.settings`."""

import os
import re
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from omnishotd.config.problems import shown

DEFAULT_ENDPOINT: Final = "ipc://$RUNTIME_DIRECTORY/frames.sock"
JPEG_SIDE_MAX: Final = 65_500
"""More than libjpeg accepts in one direction."""

WHOLE_FRAME_PIXELS_MAX: Final = 1 << 30

PRESET_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""An overlay's name is of the same form."""

DEFAULT_PRESETS: Final[dict[str, Any]] = {
    "thumbnail": {
        "outputs": [
            {
                "operations": [{"op": "auto_orient"}, {"op": "resize", "width": 300, "height": 300}],
                "format": "jpeg",
                "quality": 80,
            }
        ]
    }
}

Stage = Literal["decode", "transform", "encode"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _octal(value: object) -> str:
    # TOML reads 0660 without quotes as a fault, and 660 as a number that is another mode: only text is clear.
    if isinstance(value, str) and re.fullmatch(r"0?[0-7]{3}", value) and int(value, 8) & 0o600 == 0o600:
        return value
    raise ValueError(f'is {shown(value)}, must be text, an octal mode that lets its owner read and write, as "0660"')


def _auto_or_pixels(value: object) -> object:
    # Said once, and not once for each of two types.
    if value == "auto" or (type(value) is int and 0 <= value <= WHOLE_FRAME_PIXELS_MAX):
        return value
    raise ValueError(f'is {shown(value)}, must be "auto" or a whole number from 0 to {WHOLE_FRAME_PIXELS_MAX}')


class Frames(_Section):
    """The producers' door."""

    endpoints: Annotated[list[str], Field(min_length=1, max_length=8)] = Field(
        default=[DEFAULT_ENDPOINT],
        description="ZeroMQ addresses where frames are taken: ipc://, or tcp://, which needs keys",
    )
    socket_mode: Annotated[str, BeforeValidator(_octal)] = Field(
        default="0660", description="File mode of ipc:// sockets, octal, in quotes: who may send frames"
    )
    socket_group: str = Field(
        default="", max_length=32, description="Group of ipc:// sockets, by name; empty: the daemon's own"
    )
    curve_secret_key_file: str = Field(
        default="",
        description="File that holds the daemon's secret key, as `omnishotd keys new` makes it; tcp:// needs it",
    )
    curve_authorized_keys: str = Field(
        default="", description="Folder of the public keys, *.key, that may connect over TCP; tcp:// needs it"
    )
    max_frame_bytes: int = Field(
        default=16 * 1024 * 1024, ge=1024, le=1 << 30, description="Largest frame, as it arrives, in bytes"
    )
    max_pixels: int = Field(default=50_000_000, ge=1, le=1_000_000_000, description="Most pixels of one picture")
    max_side: int = Field(default=16_383, ge=1, le=JPEG_SIDE_MAX, description="Longest side of a picture, in pixels")
    rate_per_second: float = Field(
        default=0.0,
        ge=0,
        le=100_000,
        allow_inf_nan=False,
        description="Frames a second that one producer may send; 0: no limit",
    )
    lent_directory: str = Field(
        default="/dev/shm",  # noqa: S108 - the kernel's fixed place of POSIX shared memory
        max_length=1024,
        description="Folder of the shared memory in which producers on this host may lend frames; empty: none is taken",
    )


class Pool(_Section):
    """A set of equal workers and the neighbouring stages that each of them runs."""

    stages: Annotated[list[Stage], Field(min_length=1, max_length=3)]
    workers: int = Field(ge=1, le=256)


def cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0))


def default_pools(core_count: int) -> list[Pool]:
    """Choose workers for a number of cores.

    Decoding and encoding take turns as the dearest stage, so each gets a worker a core; shrinking costs a fraction.
    """
    return [
        Pool(stages=["decode"], workers=min(core_count, 32)),
        Pool(stages=["transform"], workers=min((core_count + 1) // 2, 16)),
        Pool(stages=["encode"], workers=min(core_count, 32)),
    ]


class Pipeline(_Section):
    """Bounds of the work in hand."""

    max_concurrent_jobs: int = Field(
        default_factory=lambda: 8 * min(cores(), 32),
        ge=1,
        le=1024,
        description="Frames in work at a time; default: 8 a core",
    )
    queue_limit: int = Field(default=256, ge=1, le=100_000, description="Frames that wait at most; more get BUSY")
    queue_max_bytes: int = Field(
        default=128 * 1024 * 1024, ge=1024, le=1 << 36, description="Bytes of waiting frames at most; more get BUSY"
    )
    queue_timeout_ms: int = Field(
        default=30_000, ge=1, le=600_000, description="How long a frame without a deadline of its own may take"
    )
    stage_timeout_ms: int = Field(
        default=5_000, ge=10, le=600_000, description="How long a stage may work on one frame before it is killed"
    )
    drain_timeout_ms: int = Field(
        default=15_000, ge=0, le=600_000, description="How long a stop waits for accepted frames to be answered"
    )
    whole_frame_pixels_max: Annotated[
        Annotated[int, Field(ge=0, le=WHOLE_FRAME_PIXELS_MAX)] | Literal["auto"], BeforeValidator(_auto_or_pixels)
    ] = Field(
        default="auto",
        description="Pictures of at most so many pixels pass all stages in the worker that decodes them; 0: none; "
        "auto: all whose work takes less than 50 ms",
    )
    pools: Annotated[list[Pool], Field(min_length=1, max_length=3)] = Field(
        default_factory=lambda: default_pools(cores()),
        description="Worker processes: which neighbouring stages each pool runs, and how many workers it has; "
        "default: from the number of cores",
    )


class Supervisor(_Section):
    """When to end a service that hangs, and when to stop starting it again."""

    restarts_max: int = Field(
        default=10, ge=0, le=1000, description="Restarts of one pool within the window; after that the pool has failed"
    )
    restart_window_s: float = Field(
        default=30.0, ge=1, le=3600, allow_inf_nan=False, description="Length of that window, in seconds"
    )
    hang_timeout_ms: int = Field(
        default=5_000,
        ge=500,
        le=600_000,
        description="How long broker or control plane may be silent before it is killed and started again",
    )


class Memory(_Section):
    """Memory that is set apart, and bounds of what a process may take besides."""

    arena_mb: int = Field(
        default=256, ge=16, le=65_536, description="Shared memory for pixels in work, in MiB, reserved at start"
    )
    worker_limit_mb: int = Field(
        default=1024,
        ge=128,
        le=65_536,
        description="What a worker may take besides, in MiB; a frame that needs more fails",
    )
    broker_limit_mb: int = Field(
        default=1024,
        ge=128,
        le=1 << 20,
        description="What the broker may take besides, in MiB; it is restarted at that",
    )
    recycle_after_frames: int = Field(
        default=0,
        ge=0,
        le=1 << 40,
        description="Frames after which a worker is replaced, a tenth more or less; 0: never",
    )
    recycle_above_mb: int = Field(
        default=512,
        ge=0,
        le=65_536,
        description="A worker that holds more private memory at rest, in MiB, is replaced; 0: never",
    )


class Sandbox(_Section):
    """What workers are kept from."""

    mode: Literal["auto", "required", "off"] = Field(
        default="auto",
        description="Shut workers in: `auto`, as far as the kernel can; `required`, or do not start; `off`",
    )


class Control(_Section):
    """The operators' door."""

    host: str = Field(
        default="127.0.0.1", description="Address of the HTTP server; any but a loopback address needs a token"
    )
    port: int = Field(default=3000, ge=0, le=65_535, description="Port of the HTTP server; 0: any that is free")
    token_file: str = Field(
        default="",
        description="File that holds the operators' token, 32 to 512 letters, digits, dots, hyphens or underscores, "
        "and is readable by its owner only; without it nobody is asked for a token, and nothing can be changed",
    )
    cors_origins: Annotated[list[str], Field(max_length=16)] = Field(
        default=[], description="Origins, as https://ops.example, whose pages may read the control plane"
    )
    allowed_hosts: Annotated[list[str], Field(min_length=1, max_length=16)] = Field(
        default=["localhost", "127.0.0.1", "[::1]"],
        description="Names under which the control plane answers, besides `control.host`",
    )
    rate_limit_per_minute: int = Field(
        default=600,
        ge=0,
        le=1_000_000,
        description="Requests a minute of one address, /health not counted; 0: no limit, nor one on orders",
    )


class Alerts(_Section):
    """When operators are alerted. A threshold of 0 turns its alert off."""

    memory_percent: float = Field(
        default=80.0, ge=0, le=100, allow_inf_nan=False, description="Memory of the host in use, in percent"
    )
    response_ms: float = Field(
        default=1000.0, ge=0, le=600_000, allow_inf_nan=False, description="95 % of the frames of the last 10 s, in ms"
    )
    error_percent: float = Field(
        default=5.0, ge=0, le=100, allow_inf_nan=False, description="Failed frames of the last 10 s, in percent"
    )
    queue_length: int = Field(default=20, ge=0, le=100_000, description="Waiting frames")
    webhook_url: str = Field(
        default="", description="Where alerts are sent as JSON, by POST; http:// or https://; empty: nowhere"
    )


class Preset(_Section):
    """What to make of a frame, under a name."""

    outputs: list[Any] = Field(description="As in a request")


class Overlay(_Section):
    """A picture that `composite` lays on others, under a name."""

    file: str = Field(min_length=1, description="Path of the picture, in any format that is taken as a frame")


def _default_presets() -> dict[str, Preset]:
    return {name: Preset(**preset) for name, preset in DEFAULT_PRESETS.items()}


class Configuration(_Section):
    """All of it."""

    frames: Frames = Field(default_factory=Frames)
    pipeline: Pipeline = Field(default_factory=Pipeline)
    supervisor: Supervisor = Field(default_factory=Supervisor)
    memory: Memory = Field(default_factory=Memory)
    sandbox: Sandbox = Field(default_factory=Sandbox)
    control: Control = Field(default_factory=Control)
    alerts: Alerts = Field(default_factory=Alerts)
    presets: dict[str, Preset] = Field(
        default_factory=_default_presets,
        description="Named lists of outputs, as a request would carry them; default: `thumbnail`, "
        "turned upright and cut to 300x300, JPEG of quality 80",
    )
    overlays: dict[str, Overlay] = Field(
        default={},
        description="Pictures that `composite` lays on others, by name, 16 at most of 4 MiB each; "
        "in the configuration file, the path may be relative to its folder",
    )
