"""Rights: what each kind of child may say to the supervisor, and when. Pure.

A worker decodes hostile bytes: whoever takes one over may speak for that worker, and not for the daemon.
"""

from dataclasses import dataclass

from ipc.messages import Beat, Drained, Examine, Examined, FromChild, Kill, Poisoned, Ready, Retired, Unable, Worn
from omnishotd.supervisor.roster import BROKER, CONTROL


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks."""

    kind: str
    is_ready: bool
    """It has said that it serves."""
    is_worn: bool
    """It has asked to be replaced."""


def may_say(speaker: Speaker, message: FromChild) -> bool:
    """Tell whether a message is this child's to send, now."""
    is_worker = speaker.kind not in {BROKER, CONTROL}
    match message:
        case Ready() | Unable():
            return not speaker.is_ready
        case Worn():
            return is_worker and speaker.is_ready and not speaker.is_worn
        case Beat():
            return not is_worker
        case Kill() | Drained() | Retired() | Poisoned():
            return speaker.kind == BROKER
        case Examine():
            return speaker.kind == CONTROL
        case Examined():
            return speaker.is_ready
