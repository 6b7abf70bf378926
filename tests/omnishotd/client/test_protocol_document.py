"""PROTOCOL.md, held against the code: its examples are true, its tables complete."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgpack  # type: ignore[import-untyped]  # has no types of its own
import msgspec
import pytest

from ipc.errors import FREES_ID, ErrorCode
from ipc.wire import HEADER_BYTES_MAX, LENT_BYTES_MAX, LENT_OFFSET_MAX, Lent, Request, decode_request
from omnishotd.broker.segments import OPEN_MAX, OPEN_OF_USER_MAX
from omnishotd.client.errors import FrameRefused
from omnishotd.client.messages import Picture, Reply, Result, read_reply
from omnishotd.client.ring import stride_bytes
from stages.encodings import FORMATS
from stages.limits import Limits
from stages.outputs import parse_outputs
from stages.probe import FORMATS as FORMATS_IN
from tests.omnishotd.client.scripted_daemon import ScriptedDaemon, ok

ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "PROTOCOL.md").read_text()
BARE_PRODUCER = ROOT / "tests" / "system" / "bare_producer.py"


def blocks(language: str) -> list[str]:
    """Fenced blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)


def section(title: str) -> str:
    """What stands under a heading, up to the next one."""
    found = re.search(rf"^#+ {title}\n(.*?)(?=^#)", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found is not None, title
    return found.group(1)


def first_column(title: str) -> dict[str, str]:
    """Rows of the table under a heading, by each word in backquotes of the first column."""
    rows = {}
    for line in section(title).splitlines():
        if line.startswith("| `"):
            for word in re.findall(r"`([A-Za-z_]+)`", line.split("|")[1]):
                rows[word] = line
    return rows


def from_hex(block: str) -> bytes:
    """Bytes of an annotated dump."""
    return bytes.fromhex("".join(line.partition("#")[0] for line in block.splitlines()))


def test_examples_bytes_are_their_maps() -> None:
    maps: list[Any] = [json.loads(block) for block in blocks("json")]
    dumps = [from_hex(block) for block in blocks("hex")]

    assert [msgpack.unpackb(dump) for dump in dumps] == [maps[0], maps[1], maps[3]]
    assert f"header, {len(dumps[0])} bytes" in section("A worked example")
    assert f"header, {len(dumps[2])} bytes" in section("A worked example")


def test_examples_request_is_taken_by_the_broker() -> None:
    request = decode_request(from_hex(blocks("hex")[0]))

    assert (request.id, request.client) == ("frame-42", "camera-7")


def test_examples_lent_frame_is_taken_by_the_broker_and_fills_its_place() -> None:
    request = decode_request(from_hex(blocks("hex")[2]))
    assert request.lent is not None
    assert request.input is not None
    geometry = request.input.raw_geometry
    assert geometry is not None

    assert request.lent.bytes == geometry.bytes
    assert request.lent.offset == stride_bytes(request.lent.bytes)


def test_examples_replies_are_read_by_the_client() -> None:
    answered = read_reply([from_hex(blocks("hex")[1]), b"x" * 14822])
    refused = read_reply([msgpack.packb(json.loads(blocks("json")[2]))])

    assert isinstance(answered.content, Result)
    assert answered.content.outputs[0] == Picture("jpeg", 300, 300, 85, b"x" * 14822)
    assert isinstance(refused, Reply)
    assert isinstance(refused.content, FrameRefused)


def test_examples_refusal_is_what_the_stages_say() -> None:
    told = json.loads(blocks("json")[2])["error"]
    with pytest.raises(Exception, match=re.escape(told["message"])):
        parse_outputs(msgspec.msgpack.encode([{"qualty": 85}]), Limits(max_side=100, max_pixels=100))


def test_every_key_of_a_request_is_listed() -> None:
    assert set(first_column("Requests")) == set(Request.__struct_fields__)
    assert f"at most {HEADER_BYTES_MAX} bytes" in section("Requests")


def test_every_key_and_bound_of_what_is_lent_is_listed() -> None:
    rows = first_column("Lent pictures")

    assert set(rows) == set(Lent.__struct_fields__)
    assert (LENT_OFFSET_MAX, LENT_BYTES_MAX) == (1 << 48, 1 << 40)
    assert "2^48" in rows["offset"]
    assert "2^40" in rows["bytes"]
    assert f"{OPEN_OF_USER_MAX} segments of a user and {OPEN_MAX} in all" in section("Lent pictures")


def test_every_error_code_is_listed_and_those_that_free_the_name_are_told() -> None:
    assert set(first_column("Error codes")) == set(ErrorCode)
    told = re.search(r"^5\. After (.*?) the name is free", section("Delivery"), re.MULTILINE | re.DOTALL)
    assert told is not None
    assert set(re.findall(r"`([A-Z_]+)`", told.group(1))) == set(FREES_ID)


def test_every_format_is_listed() -> None:
    assert set(re.findall(r"`(\w+)`", first_column("Outputs")["format"])) - {"format"} == set(FORMATS)
    taken = re.findall(r"^\| ([A-Za-z]+) \|", section("Pictures in"), re.MULTILINE)
    assert [name.lower() for name in taken] == ["format", *FORMATS_IN, "raw"]


def test_bare_producer_gets_its_picture_from_the_document_alone(played: ScriptedDaemon, tmp_path: Path) -> None:
    source, target = tmp_path / "in.jpg", tmp_path / "out.jpg"
    source.write_bytes(b"a jpeg")
    played.answer = lambda seen: ok(seen, b"a thumbnail")
    command = [sys.executable, "-P", str(BARE_PRODUCER), played.endpoint, str(source), "300", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)

    assert target.read_bytes() == b"a thumbnail"
    assert json.loads(done.stdout)["status"] == "ok"
    decode_request(msgpack.packb(played.take().header))
