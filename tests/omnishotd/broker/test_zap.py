"""Who is let in over TCP: the holders of keys that are known, and nobody whose question has another form."""

import pytest
import zmq
from zmq.utils import z85

from ipc.sockets import ZAP_DOMAIN
from omnishotd.broker.zap import judge

KEY, OTHER = (zmq.curve_keypair()[0] for _ in range(2))
QUESTION = [b"1.0", b"7", ZAP_DOMAIN, b"192.0.2.7", b"routing id", b"CURVE", z85.decode(KEY)]


def test_holder_of_a_known_key_is_let_in_under_it() -> None:
    verdict = judge(QUESTION, {KEY.decode()})

    assert verdict.is_let_in
    assert verdict.answer == [b"1.0", b"7", b"200", b"OK", KEY, b""]


@pytest.mark.parametrize("keys", [set(), {OTHER.decode()}, {""}], ids=["none", "another", "an empty one"])
def test_holder_of_an_unknown_key_is_not_and_can_be_told_to_the_operator(keys: set[str]) -> None:
    verdict = judge(QUESTION, keys)

    assert not verdict.is_let_in
    assert verdict.answer == [b"1.0", b"7", b"400", b"unknown key", b"", b""]
    assert (verdict.address, verdict.key) == ("192.0.2.7", KEY.decode())


@pytest.mark.parametrize(
    "question",
    [
        [],
        QUESTION[:2],
        QUESTION[:6],
        [*QUESTION, b"more"],
        [b"2.0", *QUESTION[1:]],
        [*QUESTION[:2], b"other", *QUESTION[3:]],
        [*QUESTION[:5], b"NULL"],
        [*QUESTION[:5], b"PLAIN", b"name", b"word"],
        [*QUESTION[:6], z85.decode(KEY)[:-1]],
        [*QUESTION[:3], b"\xff\xfe", *QUESTION[4:6], b""],
    ],
    ids=["empty", "cut off", "no key", "two", "version", "domain", "NULL", "PLAIN", "short", "no address"],
)
def test_question_of_another_form_is_answered_with_a_refusal(question: list[bytes]) -> None:
    verdict = judge(question, {KEY.decode(), ""})

    assert not verdict.is_let_in
    assert verdict.answer[2] == b"400"
