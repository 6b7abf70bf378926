"""Names and origins, by themselves."""

import pytest

from control.hosts import Hosts, Origins, as_host


@pytest.mark.parametrize("host", [b"ops.example", b"OPS.example:1", b"[::1]:65535", b"10.0.0.1"])
def test_host_of_a_name_that_is_listed_is_meant(host: bytes) -> None:
    assert Hosts(["Ops.Example", "[::1]", "10.0.0.1"]).are_meant(host)


@pytest.mark.parametrize(
    "host", [b"", b":80", b"ops.example.", b"ops.example:", b"a.ops.example", b"ops.example/", b"\xe4.example", b"[::1"]
)
def test_any_other_host_is_not_meant(host: bytes) -> None:
    assert not Hosts(["ops.example", "[::1]"]).are_meant(host)


@pytest.mark.parametrize("origin", [b"http://ops.example:3000", b"https://OPS.example:3000", b"https://wall.example"])
def test_own_and_listed_origins_may_ask(origin: bytes) -> None:
    assert Origins(["https://wall.example"]).may_ask(origin, b"ops.example:3000")


@pytest.mark.parametrize(
    "origin",
    [
        b"",
        b"null",
        b"ops.example:3000",
        b"http://ops.example",
        b"http://ops.example:30000",
        b"http://ops.example:3000/",
        b"ws://ops.example:3000",
        b"http://wall.example",
        b"https://wall.example:443",
    ],
)
def test_any_other_origin_may_not_ask(origin: bytes) -> None:
    assert not Origins(["https://wall.example"]).may_ask(origin, b"ops.example:3000")


def test_address_is_written_as_in_a_host_header() -> None:
    assert [as_host(address) for address in ("::1", "127.0.0.1", "localhost")] == ["[::1]", "127.0.0.1", "localhost"]
