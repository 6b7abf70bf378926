"""Webhook: alerts arrive, in order, at receivers that fail; and nobody waits for them."""

import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from control.alerts import Alert, AlertState
from control.archive import Archive
from control.observer import Observer
from control.webhook import QUEUE_MAX, Patience, Webhook
from tests.control.receiver import SOON_S, Behaviour, answer, hang, receiving, reset
from tests.control.support import make_settings, make_supervisor
from tests.waiting import eventually

HASTE = Patience(attempts_max=4, attempt_s_max=SOON_S, total_s_max=SOON_S, first_pause_s=0.01, pause_s_max=0.02)


@contextmanager
def sending(url: str, patience: Patience = HASTE) -> Iterator[Webhook]:
    webhook = Webhook(url, patience)
    yield webhook
    webhook.close()
    # An attempt that hangs may take all the time that it has, and what comes after it takes a moment more.
    assert webhook.join(patience.total_s_max + SOON_S)


def make_alert(value: float = 1, state: AlertState = AlertState.FIRING) -> Alert:
    return Alert("queue_length", state, value, 20, "2026-01-01T00:00:00+00:00", "Frames wait.")


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_alert_arrives_as_json_with_its_source_and_host() -> None:
    with receiving() as receiver, sending(receiver.url) as webhook:
        webhook.alert(make_alert(31))
        eventually(lambda: webhook.delivered_count == 1, within_s=SOON_S, what="delivered")

    (path, headers, body) = receiver.taken[0]
    assert path == "/hooks/s3cret?key=hidden"
    assert (headers["Content-Type"], headers["Host"]) == ("application/json", receiver.url.split("/")[2])
    assert headers["Connection"] == "close"
    assert body == {
        "source": "omnishotd",
        "host": os.uname().nodename,
        "alert": {
            "name": "queue_length",
            "state": "firing",
            "value": 31,
            "threshold": 20,
            "since": "2026-01-01T00:00:00+00:00",
            "detail": "Frames wait.",
        },
    }


@pytest.mark.parametrize(
    "failure",
    [answer(500), answer(503), answer(408), answer(429), reset, lambda handler: handler.raw(b"nonsense\r\n\r\n")],
    ids=["500", "503", "408", "429", "reset", "no HTTP"],
)
def test_alert_is_sent_again_after_a_failure_that_may_pass_and_order_is_kept(failure: Behaviour) -> None:
    with receiving(failure, failure, failure) as receiver, sending(receiver.url) as webhook:
        for value in (1, 2, 3):
            webhook.alert(make_alert(value))
        eventually(lambda: webhook.delivered_count == 3, within_s=SOON_S, what="all delivered")

    assert receiver.values == [1, 1, 1, 1, 2, 3]
    assert webhook.failed_count == 0


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 410])
def test_alert_that_is_refused_is_not_sent_again_and_nothing_is_followed(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with receiving() as elsewhere, receiving(answer(status, f"Location: {elsewhere.url}")) as receiver:
        with sending(receiver.url) as webhook:
            webhook.alert(make_alert(1))
            webhook.alert(make_alert(2))
            eventually(lambda: webhook.delivered_count == 1, within_s=SOON_S, what="the second is delivered")

        assert receiver.values == [1, 2]
        assert elsewhere.taken == []
    assert f"was not delivered in 1 attempts: status {status}" in caplog.text


def test_alert_is_given_up_after_its_attempts_and_the_next_one_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    with receiving(*[answer(500)] * HASTE.attempts_max) as receiver, sending(receiver.url) as webhook:
        webhook.alert(make_alert(1))
        webhook.alert(make_alert(2))
        eventually(lambda: webhook.delivered_count == 1, within_s=SOON_S, what="the second is delivered")

    assert receiver.values == [1, 1, 1, 1, 2]
    assert webhook.failed_count == 1
    assert "alert queue_length (firing) was not delivered in 4 attempts: status 500" in caplog.text


def test_alert_is_given_up_when_its_time_is_over() -> None:
    patience = Patience(attempts_max=1000, total_s_max=0.2, first_pause_s=0.01, pause_s_max=0.02)
    begun_s = time.monotonic()
    with sending(f"http://127.0.0.1:{closed_port()}/", patience) as webhook:
        webhook.alert(make_alert())
        eventually(lambda: webhook.failed_count == 1, within_s=SOON_S, what="given up")

    assert time.monotonic() - begun_s < SOON_S / 2


def test_offering_never_waits_and_drops_the_oldest(caplog: pytest.LogCaptureFixture) -> None:
    with receiving(hang) as receiver, sending(receiver.url) as webhook:
        begun_s = time.monotonic()
        webhook.alert(make_alert(0))
        first_took_s = time.monotonic() - begun_s
        eventually(lambda: receiver.taken, within_s=SOON_S, what="the first is under way")
        begun_s = time.monotonic()
        for value in range(1, QUEUE_MAX + 11):
            webhook.alert(make_alert(value))
        others_took_s = time.monotonic() - begun_s

        assert max(first_took_s, others_took_s) < 0.5
        assert webhook.dropped_count == 10
        receiver.is_over.set()
        eventually(lambda: webhook.delivered_count == QUEUE_MAX + 1, within_s=SOON_S, what="the rest is delivered")

    # The first was taken by a receiver that did not answer: it is sent again, before all others.
    assert receiver.values == [0, 0, *range(11, QUEUE_MAX + 11)]
    assert [record.levelno for record in caplog.records if "the oldest is dropped" in record.message] == [logging.ERROR]


def test_undelivered_are_the_one_under_way_and_those_that_wait() -> None:
    with receiving(hang) as receiver, sending(receiver.url) as webhook:
        assert webhook.undelivered == []
        for value in (1, 2, 3):
            webhook.alert(make_alert(value))
        eventually(lambda: receiver.taken, within_s=SOON_S, what="the first is under way")

        assert [alert.value for alert in webhook.undelivered] == [1, 2, 3]
        receiver.is_over.set()
        eventually(lambda: not webhook.undelivered, within_s=SOON_S, what="all delivered")
        assert webhook.delivered_count == 3


def test_alert_that_a_process_could_not_deliver_is_delivered_by_the_next() -> None:
    settings = make_settings()
    descriptor = os.memfd_create("archive-of-test")
    try:
        with receiving(hang) as receiver, sending(receiver.url) as webhook:
            before = Observer(settings, Archive(descriptor))
            before.webhook = webhook
            before.add_reader(webhook)
            now_s = time.monotonic()
            before.take(make_supervisor(at_s=now_s, decode_0="failed"), now_s)
            before.judge(now_s)
            eventually(lambda: receiver.taken, within_s=SOON_S, what="the receiver hangs")

        after = Observer(settings, Archive(descriptor))
        after.restore()
        assert [alert.name for alert in after.untold] == ["pool_failed"]
        after.sample(now_s)
        again = Observer(settings, Archive(descriptor))
        again.restore()
        assert again.untold == after.untold, "kept until a webhook has them"

        with receiving() as receiver, sending(receiver.url) as webhook:
            after.webhook = webhook
            for alert in after.untold:
                webhook.alert(alert)
            eventually(lambda: webhook.delivered_count == 1, within_s=SOON_S, what="delivered")
            eventually(lambda: not webhook.undelivered, within_s=SOON_S, what="nothing is left")
            after.sample(now_s)
        last = Observer(settings, Archive(descriptor))
        last.restore()
        assert last.untold == []
        assert [body["alert"]["name"] for _, _, body in receiver.taken] == ["pool_failed"]
    finally:
        os.close(descriptor)


def test_first_failed_attempt_is_told_once_while_the_alert_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    with receiving(answer(503), answer(503)) as receiver, sending(receiver.url) as webhook:
        webhook.alert(make_alert())
        eventually(lambda: webhook.delivered_count == 1, within_s=SOON_S, what="delivered")

    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.message.endswith(
        "alert queue_length (firing) was not delivered at once, it is tried again: status 503"
    )
    assert "s3cret" not in caplog.text


def test_close_does_not_wait_for_a_receiver_that_hangs_and_tells_what_is_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with receiving(hang) as receiver:
        webhook = Webhook(receiver.url, HASTE)
        webhook.alert(make_alert(1))
        eventually(lambda: receiver.taken, within_s=SOON_S, what="the first is under way")
        webhook.alert(make_alert(2))
        begun_s = time.monotonic()
        webhook.close()
        webhook.alert(make_alert(3))

        assert time.monotonic() - begun_s < 0.5
        assert "1 alerts were not sent before the end" in caplog.text
        receiver.is_over.set()
        assert webhook.join(SOON_S)
    assert receiver.values == [1]


def test_close_ends_a_pause_between_attempts() -> None:
    patience = Patience(first_pause_s=600, pause_s_max=600, total_s_max=6000)
    with receiving(answer(500)) as receiver:
        webhook = Webhook(receiver.url, patience)
        webhook.alert(make_alert())
        eventually(lambda: receiver.taken, within_s=SOON_S, what="the first attempt")
        webhook.close()

        assert webhook.join(SOON_S)


def test_webhook_that_has_nothing_to_send_has_no_thread() -> None:
    webhook = Webhook("http://127.0.0.1:9/")
    webhook.close()

    for _ in range(2 * QUEUE_MAX):
        webhook.alert(make_alert())
    assert webhook.join(0)
    assert webhook.dropped_count == 0
    assert [thread.name for thread in threading.enumerate() if thread.name == "webhook"] == []


def test_secret_parts_of_the_url_are_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with receiving(*[answer(500)] * HASTE.attempts_max, reset, answer(404)) as receiver:
        port = receiver.server_address[1]
        url = f"http://user:pa55word@127.0.0.1:{port}/hooks/s3cret?key=hidden"
        with sending(url) as webhook:
            for value in range(3):
                webhook.alert(make_alert(value))
            eventually(lambda: webhook.failed_count == 2, within_s=SOON_S, what="given up and refused")
    with sending("http://user:pa55word@name.invalid/hooks/s3cret?key=hidden", Patience(attempts_max=1)) as webhook:
        webhook.alert(make_alert())
        # Where no server for names answers, the system asks for a while.
        eventually(lambda: webhook.failed_count == 1, within_s=60, what="no such name")

    shown = caplog.text + repr(webhook._target) + str(webhook._target)
    assert f"http://127.0.0.1:{port}" in shown
    assert "http://name.invalid" in shown
    assert [word for word in ("s3cret", "hidden", "pa55word", "user", "Basic") if word in shown] == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://host/s3cret",
        "http:///s3cret",
        "http://host:0x1/s3cret",
        "http://host:99999/s3cret",
        "http://[::1/s3cret",
        "http://host/s3cret path",
        "http://host/s3crét",
        "http://ho..st/s3cret",
        f"http://{'a' * 64}/s3cret",
    ],
)
def test_url_that_is_none_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="the webhook's URL") as refused:
        Webhook(url)

    assert "s3cr" not in str(refused.value)


def test_pauses_double_up_to_their_bound_and_differ_between_senders() -> None:
    patience = Patience(first_pause_s=1, pause_s_max=10)

    assert [patience.pause_s(attempt, chance=1) for attempt in range(1, 6)] == [1, 2, 4, 8, 10]
    assert [patience.pause_s(attempt, chance=0) for attempt in range(1, 6)] == [0.5, 1, 2, 4, 5]


def test_time_decides_when_an_alert_is_given_up_not_the_number_of_attempts() -> None:
    patience = Patience()

    shortest_s = sum(patience.pause_s(attempt, chance=0) for attempt in range(1, patience.attempts_max))
    assert shortest_s > patience.total_s_max == 120


def test_webhook_that_is_sent_elsewhere_takes_what_waits_along() -> None:
    with receiving(*[answer(503)] * 1000) as old, receiving() as new:
        patience = Patience(attempts_max=1000, attempt_s_max=SOON_S, total_s_max=SOON_S, pause_s_max=0.02)
        with sending(old.url, patience) as webhook:
            webhook.alert(make_alert(1))
            webhook.alert(make_alert(2))
            eventually(lambda: old.taken, within_s=SOON_S, what="the first was tried")
            webhook.redirect(new.url)
            eventually(lambda: webhook.delivered_count == 2, within_s=SOON_S, what="delivered elsewhere")

    assert new.values == [1, 2]


def test_webhook_that_is_turned_off_sends_nothing_until_it_is_turned_on() -> None:
    with receiving() as receiver, sending(receiver.url) as webhook:
        webhook.redirect("")
        webhook.alert(make_alert(1))
        assert webhook.undelivered == []
        webhook.redirect(receiver.url)
        webhook.alert(make_alert(2))
        eventually(lambda: webhook.delivered_count == 1, within_s=SOON_S, what="delivered")

    assert receiver.values == [2]
    assert (webhook.failed_count, webhook.dropped_count) == (0, 0)


def test_webhook_keeps_its_address_when_the_new_one_is_none() -> None:
    with receiving() as receiver, sending(receiver.url) as webhook:
        with pytest.raises(ValueError, match="http"):
            webhook.redirect("ftp://elsewhere")
        webhook.alert(make_alert(1))
        eventually(lambda: webhook.delivered_count == 1, within_s=SOON_S, what="delivered")

    assert receiver.values == [1]
