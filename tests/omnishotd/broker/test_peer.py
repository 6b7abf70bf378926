"""Who a message is from: two are the same only where key or kernel say so."""

import itertools

import pytest

from omnishotd.broker.peer import Peer, is_local, peer_of_address, peer_of_key
from tests.omnishotd.broker.rig import CAMERA, Rig, full_rig, make_sender

ALICE = peer_of_address("localhost:1000:1000:71")
ALICE_AGAIN = peer_of_address("localhost:1000:100:72")
BOB = peer_of_address("localhost:1001:1000:73")
GATE = peer_of_key("k" * 40, "gate")


@pytest.mark.parametrize(
    ("address", "local"), [("localhost:0:0:1", True), ("127.0.0.1", False), ("::1", False), ("", False)]
)
def test_unix_socket_is_told_from_tcp_by_the_address(address: str, local: bool) -> None:
    assert is_local(address) is local


def test_processes_of_a_user_take_turns_and_share_the_ids_of_a_client() -> None:
    assert ALICE.id != ALICE_AGAIN.id
    assert ALICE.scope("cam", b"1") == ALICE_AGAIN.scope("cam", b"2")


def test_users_keys_and_nameless_connections_have_scopes_of_their_own() -> None:
    peers = (ALICE, ALICE_AGAIN, BOB, GATE)
    named = [peer.scope("cam", b"1") for peer in (ALICE, BOB, GATE)]
    nameless = [peer.scope(None, connection) for peer in peers[:3] for connection in (b"1", b"2")]

    assert not [pair for pair in itertools.combinations(named + nameless, 2) if pair[0] == pair[1]]


@pytest.mark.parametrize("client", ["1001 cam", "uid 1001 cam", "key " + "k" * 40, "cam 1"])
def test_no_client_s_name_reaches_into_another_scope(client: str) -> None:
    others = {peer.scope(name, b"1") for peer in (BOB, GATE) for name in ("cam", "1", None)}

    assert ALICE.scope(client, b"1") not in others
    assert ALICE.scope(client, b"1") != ALICE.scope("cam", b"1")


@pytest.mark.parametrize(("client", "connection"), [(None, b"1"), ("cam", b"2")])
def test_all_ids_of_a_key_are_one_scope(client: str | None, connection: bytes) -> None:
    assert GATE.scope(client, connection) == GATE.scope("other", b"3")


@pytest.mark.parametrize("peer", [ALICE, GATE])
def test_peer_is_named_for_operators(peer: Peer) -> None:
    assert peer.name == ("gate" if peer is GATE else "uid 1000 pid 71")


# ---- in the flow


def test_same_client_and_id_of_another_user_neither_join_nor_get_the_reply() -> None:
    rig = Rig()
    mine, theirs = make_sender(b"a", uid=1000), make_sender(b"b", uid=1001)
    rig.submit("f", sender=mine, client="cam")
    rig.submit("f", sender=theirs, client="cam")
    rig.submit("f", sender=theirs, client="cam", outputs=[])
    rig.finish()

    assert {(told.sender.identity, told.code) for told in rig.told} == {(b"a", "ok"), (b"b", "ok"), (b"b", "CONFLICT")}
    assert len(rig.told) == 3


def test_answered_request_of_one_user_is_not_told_to_another_under_the_same_names() -> None:
    rig = Rig()
    rig.submit("f", sender=make_sender(b"same", uid=1000))
    rig.finish()
    rig.submit("f", sender=make_sender(b"same", uid=1001))

    assert len(rig.told) == 1
    assert len(rig.held) == 1


def test_cancel_of_another_user_under_the_same_names_does_nothing() -> None:
    rig = Rig()
    rig.submit("f", sender=make_sender(b"a", uid=1000), client="cam")
    rig.cancel("f", sender=make_sender(b"b", uid=1001), client="cam")
    rig.finish()

    assert rig.replies("f") == ["ok"]


def test_second_process_of_the_same_client_is_joined_and_gets_the_reply() -> None:
    rig = Rig()
    again = make_sender(b"b", pid=2)
    rig.submit("f", sender=make_sender(b"a", pid=1), client="cam")
    rig.submit("f", sender=again, client="cam")
    rig.finish()

    assert [(told.sender, told.code) for told in rig.told] == [(again, "ok")]


def test_clients_of_one_process_do_not_drop_each_other_s_frames_of_a_stream_of_the_same_name() -> None:
    rig = full_rig()
    for number, client in enumerate(("left", "right", "left")):
        rig.submit(f"{client} {number}", sender=CAMERA, client=client, stream="cam", on_full="latest")

    assert [(told.id, told.code) for told in rig.told] == [("left 0", "DROPPED")]
