"""Causes: why a process of a service ended, as it is counted. The reason in words goes beside it."""

from enum import StrEnum


class Cause(StrEnum):
    """Why a process ended. Users' programs read these words."""

    CRASH = "crash"
    """A signal that we did not send."""
    EXIT = "exit"
    """It ended by itself, with whatever status."""
    TIME_LIMIT = "time_limit"
    """Killed: it worked on one frame for too long."""
    PROTOCOL = "protocol"
    """Killed: what it said was no message."""
    UNREACHABLE = "unreachable"
    """Killed: it did not read what it was sent."""
    NOT_READY = "not_ready"
    """Killed: it was not ready in time."""
    HUNG = "hung"
    """Killed: its loop had stopped."""
    RECYCLED = "recycled"
    """Told to end: it was worn, and has a successor."""
    BROKER_DIED = "broker_died"
    """Killed: what it held belonged to a broker that is gone."""
    STOPPED = "stopped"
    """It was told to end."""
