"""What a schema cannot say: rules that join several keys, the environment, or the producers' protocol."""

import grp
import ipaddress
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from ipc.keys import KeyUnusable, read_public_keys, read_secret_key
from ipc.token import TokenUnusable, read_token
from omnishotd.config.overlays import unnameable
from omnishotd.config.problems import Problem, shown
from omnishotd.config.schema import PRESET_NAME, Configuration, Frames
from stages.limits import Limits
from stages.outputs import faults

SOCKET_PATH_BYTES_MAX: Final = 107
"""sockaddr_un holds 108 bytes, the last of them zero (unix(7))."""

PRESETS_BYTES_MAX: Final = 64 << 10
"""All settings go to each process in one message of at most 128 KiB, see `ipc.channel`."""

URL_LENGTH_MAX: Final = 2000

_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)")
_ORIGIN: Final = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?")
_IPV6: Final = 6
_STAGES: Final = ("decode", "transform", "encode")
_RUNTIME: Final = "$RUNTIME_DIRECTORY"


def expanded(endpoint: str, runtime: Path) -> str:
    """Put the runtime directory in its place in an address."""
    return endpoint.replace(_RUNTIME, str(runtime))


def problems(configuration: Configuration, runtime: Path) -> Iterator[Problem]:
    """Yield all that is wrong with values which are each well formed."""
    yield from _endpoints(configuration, runtime)
    yield from _pools(configuration)
    yield from _sizes(configuration)
    yield from _control(configuration)
    yield from _webhook(configuration)
    yield from unnameable(configuration.overlays)
    yield from _presets(configuration)


def limits(configuration: Configuration) -> Limits:
    """Return what pictures are held against."""
    return Limits(max_side=configuration.frames.max_side, max_pixels=configuration.frames.max_pixels)


def unreadable(configuration: Configuration) -> Iterator[Problem]:
    """Yield which files that the daemon needs cannot be read by this process, or do not hold what they should."""
    token_file = configuration.control.token_file
    if token_file:
        try:
            read_token(Path(token_file))
        except TokenUnusable as error:
            yield Problem("control.token_file", str(error))
        except OSError as error:
            yield Problem("control.token_file", f"{shown(token_file)} cannot be read: {error.strerror}")
    yield from _group(configuration.frames.socket_group)
    yield from _lent(configuration.frames.lent_directory)
    yield from _keys(configuration.frames)


def _group(name: str) -> Iterator[Problem]:
    if not name:
        return
    try:
        group_id = grp.getgrnam(name).gr_gid
    except KeyError:
        yield Problem("frames.socket_group", f"there is no group {shown(name)}")
        return
    if group_id not in {os.getegid(), *os.getgroups()} and os.geteuid() != 0:
        yield Problem("frames.socket_group", f"is {shown(name)}, must be a group that the daemon's own user is in")


def _lent(directory: str) -> Iterator[Problem]:
    if not directory:
        return
    key = "frames.lent_directory"
    if not directory.startswith("/"):
        yield Problem(key, f"is {shown(directory)}, must be a whole path, from / on")
    elif not Path(directory).is_dir() or not os.access(directory, os.X_OK):
        yield Problem(key, f"{shown(directory)} is no folder in which the daemon can open files; empty: none is taken")


def _keys(frames: Frames) -> Iterator[Problem]:
    if not any(map(_is_tcp, frames.endpoints)):
        return
    for key, value, read in (
        ("curve_secret_key_file", frames.curve_secret_key_file, read_secret_key),
        ("curve_authorized_keys", frames.curve_authorized_keys, read_public_keys),
    ):
        if not value:
            continue
        try:
            read(Path(value))
        except KeyUnusable as error:
            yield Problem(f"frames.{key}", str(error))
        except OSError as error:
            yield Problem(f"frames.{key}", f"{shown(error.filename or value)} cannot be read: {error.strerror}")


def _endpoints(configuration: Configuration, runtime: Path) -> Iterator[Problem]:
    seen = set()
    for index, endpoint in enumerate(configuration.frames.endpoints):
        key = f"frames.endpoints[{index}]"
        address = expanded(endpoint, runtime)
        what = _address_fault(address)
        if what is not None:
            yield Problem(key, what)
        elif address in seen:
            yield Problem(key, f"{shown(endpoint)} is there twice")
        seen.add(address)
    if any(map(_is_tcp, configuration.frames.endpoints)):
        for key in ("curve_secret_key_file", "curve_authorized_keys"):
            if not getattr(configuration.frames, key):
                yield Problem(f"frames.{key}", "must be set where frames.endpoints has an address with tcp://")


def _is_tcp(endpoint: str) -> bool:
    return endpoint.startswith("tcp://")


def _address_fault(address: str) -> str | None:
    scheme, _, rest = address.partition("://")
    if scheme == "ipc":
        if not rest.startswith("/") or rest.endswith("/"):
            return f"{shown(address)} must name a socket by its absolute path"
        length = len(rest.encode())
        if length > SOCKET_PATH_BYTES_MAX:
            return f"path of the socket has {length} bytes, must have at most {SOCKET_PATH_BYTES_MAX}"
        return None
    if scheme == "tcp":
        host, _, port = rest.rpartition(":")
        if not port.isdecimal() or not 1 <= int(port) <= 65_535:
            return f"{shown(address)} must end in a port, 1 to 65535"
        if host != "*" and not _is_numeric(host):
            return f"{shown(address)} must have an address as 192.0.2.7 or [2001:db8::7], or * for all"
        return None
    return f"{shown(address)} must begin with ipc:// or tcp://"


def _is_numeric(host: str) -> bool:
    """Tell whether a host is an address, that of IPv6 in brackets."""
    is_six = host.startswith("[") and host.endswith("]")
    try:
        address = ipaddress.ip_address(host[1:-1] if is_six else host)
    except ValueError:
        return False
    return is_six == (address.version == _IPV6)


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return address.is_loopback


def _pools(configuration: Configuration) -> Iterator[Problem]:
    owner: dict[str, int] = {}
    for index, pool in enumerate(configuration.pipeline.pools):
        key = f"pipeline.pools[{index}].stages"
        if "".join(pool.stages) not in "".join(_STAGES) or len(set(pool.stages)) < len(pool.stages):
            yield Problem(key, f"{', '.join(pool.stages)} must be neighbours in the order {', '.join(_STAGES)}")
        for stage in dict.fromkeys(pool.stages):
            if stage in owner:
                yield Problem(key, f"{stage} is in pools[{owner[stage]}] already, each stage belongs to one pool")
            owner.setdefault(stage, index)
    missing = [stage for stage in _STAGES if stage not in owner]
    if missing:
        yield Problem("pipeline.pools", f"no pool runs {' or '.join(missing)}")


def _sizes(configuration: Configuration) -> Iterator[Problem]:
    frames, pipeline, memory = configuration.frames, configuration.pipeline, configuration.memory
    # A frame in work holds its own bytes and, at the least, the pixels they become: RGB, 3 bytes each.
    needed = frames.max_frame_bytes + 3 * frames.max_pixels
    if memory.arena_mb << 20 < needed:
        yield Problem(
            "memory.arena_mb",
            f"is {memory.arena_mb}, must be at least {-(-needed >> 20)} to hold one frame of frames.max_pixels",
        )
    if pipeline.queue_max_bytes < frames.max_frame_bytes:
        yield Problem(
            "pipeline.queue_max_bytes",
            f"is {pipeline.queue_max_bytes}, must be at least frames.max_frame_bytes, {frames.max_frame_bytes}",
        )


def _control(configuration: Configuration) -> Iterator[Problem]:
    control = configuration.control
    host = control.host
    is_local = host in {"localhost", "::1"} or _is_loopback(host)
    if not is_local and not _is_address(host):
        yield Problem("control.host", f"{shown(host)} is no address, as 127.0.0.1 or ::1, and not localhost")
    elif not is_local and not control.token_file:
        yield Problem("control.token_file", f"must be set where control.host, {shown(host)}, is no loopback address")
    for index, name in enumerate(control.allowed_hosts):
        if not _HOST.fullmatch(name):
            yield Problem(f"control.allowed_hosts[{index}]", f"{shown(name)} is no host name, without a port")
    for index, origin in enumerate(control.cors_origins):
        if not _ORIGIN.fullmatch(origin):
            yield Problem(f"control.cors_origins[{index}]", f"{shown(origin)} is no origin, as https://ops.example")


def _webhook(configuration: Configuration) -> Iterator[Problem]:
    url = configuration.alerts.webhook_url
    if not url:
        return
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or len(url) > URL_LENGTH_MAX or not url.isprintable() or " " in url or not url.isascii():
        # Not shown: such addresses often hold a secret.
        yield Problem("alerts.webhook_url", "must be an address that begins with http:// or https://")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _presets(configuration: Configuration) -> Iterator[Problem]:
    size_bytes = 0
    for name, preset in configuration.presets.items():
        if not PRESET_NAME.fullmatch(name):
            yield Problem("presets", f"{shown(name)} must be 1 to 64 letters, digits, dots, hyphens or underscores")
            continue
        try:
            encoded = msgspec.msgpack.encode(preset.outputs)
            size_bytes += len(encoded)
            for fault in faults(encoded, limits(configuration), configuration.overlays):
                where, _, what = fault.message.partition(": ")
                yield Problem(f"presets.{name}.{where}", what)
        except OverflowError:
            yield Problem(f"presets.{name}.outputs", "holds a number of more than 64 bits")
    if size_bytes > PRESETS_BYTES_MAX:
        yield Problem("presets", f"take {size_bytes} bytes as they travel, at most {PRESETS_BYTES_MAX} may be")
