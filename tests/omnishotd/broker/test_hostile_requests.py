"""Whatever comes through the door: at most one reply, the account adds up, and the next frame is served."""

import struct
from typing import Any

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ipc.wire import HEADER_BYTES_MAX
from tests.omnishotd.broker.rig import CAMERA, SMALLER, Rig, header, picture

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats()
    | st.text(max_size=70)
    | st.binary(max_size=70)
)
THINGS = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9) | st.integers(-99, 99), inner, max_size=4)
    ),
    max_leaves=12,
)
KEYS = ["v", "op", "id", "client", "stream", "preset", "outputs", "input", "priority", "deadline_ms", "on_full"]


@st.composite
def changed_headers(draw: st.DrawFn) -> bytes:
    """A good header with some keys set to anything, or left out."""
    content: dict[str, Any] = {"v": 1, "id": "f", "outputs": [SMALLER]}
    content |= draw(st.dictionaries(st.sampled_from(KEYS), THINGS, max_size=3))
    for key in draw(st.sets(st.sampled_from(KEYS), max_size=2)):
        content.pop(key, None)
    return bytes(msgpack.packb(content))


@st.composite
def broken_headers(draw: st.DrawFn) -> bytes:
    """A good header with bytes changed, cut off or added."""
    data = bytearray(header("f"))
    for index in draw(st.lists(st.integers(0, len(data) - 1), max_size=4)):
        data[index] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))]) + draw(st.binary(max_size=4))


@st.composite
def broken_pictures(draw: st.DrawFn) -> bytes:
    """A good picture with bytes of its header changed, or cut off."""
    data = bytearray(picture())
    for index in draw(st.lists(st.integers(0, 700), max_size=6)):
        data[index] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)))])


HEADERS = st.binary(max_size=200) | THINGS.map(msgpack.packb) | changed_headers() | broken_headers()
PAYLOADS = st.binary(max_size=300) | broken_pictures() | st.just(picture())


def assert_sane(rig: Rig, parts: list[bytes]) -> None:
    """Send a message, have workers finish what comes of it, and see that all is as it must be."""
    rig.flow.receive(CAMERA, parts, rig.now_us)
    rig.work()
    rig.finish()
    rig.flow.check()
    account = rig.flow.account
    assert len(rig.told) <= 1
    assert account.received + account.malformed <= 1
    rig.told.clear()
    rig.submit("next", sender=CAMERA, client="someone else")
    rig.finish()
    assert rig.replies("next") == ["ok"]
    assert rig.allocator.figures().used_bytes == 0


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=100), max_size=6))
def test_any_parts_get_at_most_one_reply(parts: list[bytes]) -> None:
    assert_sane(Rig(), parts)


@settings(max_examples=400)
@given(HEADERS, PAYLOADS)
def test_any_header_with_any_payload_gets_at_most_one_reply(head: bytes, payload: bytes) -> None:
    assert_sane(Rig(), [head, payload])


DEEP = 1500
NAMED: dict[str, tuple[bytes, str]] = {
    "nested without end": (b"\x91" * HEADER_BYTES_MAX, "BAD_REQUEST"),
    "nested in a key": (msgpack.packb({"v": 1, "id": "x"})[:1] + b"\xa7outputs" + b"\x91" * DEEP, "BAD_REQUEST"),
    "nested outputs": (
        b"\x83\xa1v\x01\xa2id\xa1x\xa7outputs" + b"\x91" * DEEP + b"\x90",
        "BAD_REQUEST",
    ),
    "nested operations": (
        b"\x83\xa1v\x01\xa2id\xa1x\xa7outputs\x91\x81\xaaoperations" + b"\x91" * DEEP + b"\x90",
        "BAD_REQUEST",
    ),
    "not a number": (header("x", deadline_ms=float("nan")), "BAD_REQUEST"),
    "infinite": (header("x", priority=float("inf")), "BAD_REQUEST"),
    "not a number in an operation": (
        header("x", [{"operations": [{"op": "rotate", "angle": float("nan")}]}]),
        "BAD_REQUEST",
    ),
    "huge integer": (header("x", deadline_ms=(1 << 64) - 1), "BAD_REQUEST"),
    "huge side": (header("x", [{"operations": [{"op": "resize", "width": (1 << 63) - 1}]}]), "TOO_LARGE"),
    "no UTF-8 behind an unknown word": (
        header("x", [{"operations": [{"op": "nosuch", "fit": "AB"}]}]).replace(b"\xa2AB", b"\xa2\x80\x80"),
        "BAD_REQUEST",
    ),
    "version to come": (header("x").replace(b"\xa1v\x01", b"\xa1v\x02"), "UNSUPPORTED_VERSION"),
    "version beyond all": (header("x").replace(b"\xa1v\x01", b"\xa1v\xcf" + b"\xff" * 8), "UNSUPPORTED_VERSION"),
    "one key twice": (b"\x83\xa1v\x01\xa2id\xa1x\xa2id\xa1y", "BAD_REQUEST"),
    "length that lies": (b"\xdf\xff\xff\xff\xff", "BAD_REQUEST"),
    "text that lies": (b"\x81\xa1v\xdb\xff\xff\xff\xff", "BAD_REQUEST"),
    "half a surrogate": (b"\x82\xa1v\x01\xa2id\xa3\xed\xa0\x80", "BAD_REQUEST"),
    "timestamp": (b"\x81\xa1v\xd6\xff" + struct.pack(">I", 1), "BAD_REQUEST"),
    "one byte too long": (bytes(HEADER_BYTES_MAX + 1), "BAD_REQUEST"),
}


@pytest.mark.parametrize(("head", "code"), NAMED.values(), ids=NAMED)
def test_header_of_a_known_attack_is_one_error(head: bytes, code: str) -> None:
    rig = Rig()
    rig.flow.receive(CAMERA, [head, picture()], rig.now_us)

    assert [told.code for told in rig.told] == [code]
    assert rig.flow.account.rejected == 1
    assert_sane(Rig(), [head, picture()])
