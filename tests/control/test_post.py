"""Post: one request has one deadline, whatever the receiver does, and only what is proven is believed."""

import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from control.post import HEAD_BYTES_MAX, Refused, Target, Unanswered, post
from tests.control.receiver import (
    SOON_S,
    Behaviour,
    Handler,
    answer,
    drip,
    endless_body,
    endless_headers,
    endless_interim,
    hang,
    receiving,
)


@pytest.mark.parametrize("behaviour", [hang, drip])
def test_receiver_that_never_answers_holds_one_attempt_for_a_bounded_time(behaviour: Behaviour) -> None:
    with receiving(behaviour) as receiver:
        begun_s = time.monotonic()
        with pytest.raises(Unanswered, match=r"no answer within 0\.3 s"):
            post(Target.of(receiver.url), b"{}", 0.3)

        assert time.monotonic() - begun_s < SOON_S / 2


@pytest.mark.parametrize("behaviour", [endless_headers, endless_interim])
def test_receiver_that_never_ends_its_head_is_left_after_a_bounded_number_of_bytes(behaviour: Behaviour) -> None:
    with receiving(behaviour) as receiver, pytest.raises(Unanswered, match=r"more than 16384 bytes|buffer too long"):
        post(Target.of(receiver.url), b"{}", SOON_S)


def test_answer_is_taken_from_its_head_however_long_its_body() -> None:
    with receiving(endless_body) as receiver:
        post(Target.of(receiver.url), b"{}", SOON_S)

    assert len(receiver.taken) == 1


def test_interim_answers_are_passed_over() -> None:
    def early(handler: Handler) -> None:
        handler.raw(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        answer(404)(handler)

    with receiving(early) as receiver, pytest.raises(Refused, match="status 404"):
        post(Target.of(receiver.url), b"{}", SOON_S)


def test_head_that_is_too_long_is_no_answer() -> None:
    def long(handler: Handler) -> None:
        handler.raw(b"HTTP/1.1 200 OK\r\nX-Long: " + b"z" * (2 * HEAD_BYTES_MAX) + b"\r\n\r\n")

    with receiving(long) as receiver, pytest.raises(Unanswered):
        post(Target.of(receiver.url), b"{}", SOON_S)


def test_user_and_password_of_the_url_are_sent_as_authorization() -> None:
    with receiving() as receiver:
        post(Target.of(receiver.url.replace("//", "//me:p%40ss@")), b"{}", SOON_S)

    assert receiver.taken[0][1]["Authorization"] == "Basic bWU6cEBzcw=="


@pytest.mark.parametrize(
    ("url", "authority", "port"),
    [
        ("http://host/x", "host", 80),
        ("https://host", "host", 443),
        ("https://host:443/", "host", 443),
        ("http://[::1]:8080/", "[::1]:8080", 8080),
        ("http://bücher.example/", "xn--bcher-kva.example", 80),
    ],
)
def test_target_names_its_host_as_http_wants_it(url: str, authority: str, port: int) -> None:
    target = Target.of(url)

    assert (target.authority, target.port) == (authority, port)


def make_certificate(folder: Path) -> tuple[Path, Path]:
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1 "
    words += "-addext subjectAltName=IP:127.0.0.1"
    subprocess.run(
        ["/usr/bin/openssl", *words.split(), "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    return key, certificate


def test_receiver_behind_tls_is_believed_only_with_a_certificate_of_a_known_authority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with receiving() as receiver:
        receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
        receiver.scheme = "https"
        with pytest.raises(Unanswered, match="CERTIFICATE_VERIFY_FAILED"):
            post(Target.of(receiver.url), b"{}", SOON_S)
        assert receiver.taken == []

        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        post(Target.of(receiver.url), b"{}", SOON_S)

    assert len(receiver.taken) == 1


def test_handshake_gets_only_what_is_left_of_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The receiver takes the connection and never says a word of TLS; reading the authorities has taken its time."""
    allowed_s: list[float | None] = []

    class Context(ssl.SSLContext):
        def wrap_socket(self, sock: socket.socket, *args: Any, **options: Any) -> ssl.SSLSocket:
            allowed_s.append(sock.gettimeout())
            return super().wrap_socket(sock, *args, **options)

    def slowly() -> ssl.SSLContext:
        until_s = time.monotonic() + 0.2
        while time.monotonic() < until_s:
            pass
        return Context(ssl.PROTOCOL_TLS_CLIENT)

    monkeypatch.setattr(ssl, "create_default_context", slowly)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Unanswered, match=r"no answer within 0\.5 s"):
        post(Target.of(f"https://127.0.0.1:{silent.getsockname()[1]}/"), b"{}", 0.5)

    (handshake_s,) = allowed_s
    assert handshake_s is not None
    assert handshake_s <= 0.3
