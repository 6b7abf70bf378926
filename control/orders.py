"""Orders: what an operator has a process do about its memory, as JSON, and what came of it."""

from http import HTTPStatus
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from control.replies import Refusal, Refused
from ipc.messages import Examined

ORDER_BYTES_MAX: Final = 4096
SERVICE_PATTERN: Final = "^[a-z0-9+-]{1,64}$"


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `POST /api/memory-analysis/{service}/{action}`."""

    seconds: Annotated[float, Meta(ge=1, le=60)] = 10.0
    """Of a snapshot: how long allocations are traced."""


class Site(msgspec.Struct, frozen=True):
    """Memory that was allocated at one line while a snapshot was traced, and is still in use."""

    where: str
    bytes: int
    blocks: int


class Outcome(msgspec.Struct, frozen=True):
    """What came of an order."""

    service: str
    took_ms: int
    """How long the process did nothing else."""
    rss_before_bytes: int
    rss_after_bytes: int
    collected: int
    """Of a collection: objects that were found in cycles and are gone."""
    sites: list[Site]
    """Of a snapshot: largest first."""


_decoder: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)


def read_order(body: bytes) -> Order:
    """Read the body of a request. Raises `Refused`."""
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Refused(Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, f"body: {error}")) from None
    except msgspec.DecodeError as error:
        raise Refused(Refusal(HTTPStatus.BAD_REQUEST, f"body: {error}")) from None


def outcome_of(answer: Examined) -> Outcome:
    """Show an answer to operators."""
    return Outcome(
        service=answer.service,
        took_ms=answer.took_ms,
        rss_before_bytes=answer.rss_before_bytes,
        rss_after_bytes=answer.rss_after_bytes,
        collected=answer.collected,
        sites=[Site(site.where, site.bytes, site.blocks) for site in answer.sites],
    )
