"""`omnishotd top` as plain text, and how it ends."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from omnishotd.cli import main
from tests.daemon import Daemon
from tests.omnishotd.cli.bodies import METRICS, SERVICES, alert, event
from tests.omnishotd.cli.peer import WORD, Peer
from tests.omnishotd.cli.session import WITHIN_S, top
from tests.waiting import eventually


@pytest.fixture
def peer() -> Iterator[Peer]:
    with Peer() as started:
        yield started


def asked(url: str, *options: str) -> Result:
    return CliRunner().invoke(main, ["top", "--url", url, *options])


@pytest.mark.parametrize("options", [(), ("--once",), ("--count", "1"), ("--once", "--interval", "60")])
def test_top_off_a_terminal_prints_one_block_of_plain_text(peer: Peer, options: tuple[str, ...]) -> None:
    peer.news["alerts"] = [alert("queue_length", "firing", "31 frames wait; the threshold is 20.")]
    peer.news["events"] = [event(1, "worker_exited", "decode-1", "killed by SIGKILL")]

    ended = asked(peer.url, *options)

    assert (ended.exit_code, ended.stderr) == (0, "")
    assert ended.stdout.replace("\n", "").isprintable()
    assert all(line == line.rstrip() for line in ended.stdout.splitlines())
    assert ended.stdout.count("omnishotd 0.1.0  ok") == 1
    assert f"received {METRICS['frames']['received']:,}" in " ".join(ended.stdout.split())
    assert all(service["name"] in ended.stdout for service in SERVICES["services"])
    assert "31 frames wait; the threshold is 20." in ended.stdout
    assert "worker_exited decode-1: killed by SIGKILL" in ended.stdout


def test_top_prints_a_block_each_interval_as_often_as_it_is_told_to(peer: Peer) -> None:
    ended = asked(peer.url, "--interval", "0.1", "--count", "3")

    assert ended.exit_code == 0
    assert ended.stdout.count("\n\nomnishotd 0.1.0") == 2
    assert {order["interval_ms"] for order in peer.orders if "interval_ms" in order} == {100, 2000}


def test_top_with_an_interval_goes_on_until_it_is_interrupted_and_tells_of_a_loss(peer: Peer) -> None:
    started = subprocess.Popen(
        top(peer.url, "--interval", "0.1"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    with started:
        for line in started.stdout:
            if "omnishotd 0.1.0  ok" in line:
                peer.stop()
            if "Connection refused" in line:
                break
        started.send_signal(signal.SIGINT)
        _, said = started.communicate(timeout=WITHIN_S)

    assert line.startswith("disconnected for ")
    assert (started.returncode, said.strip()) == (130, "omnishotd: interrupted")


def test_top_that_is_terminated_dies_of_it(peer: Peer) -> None:
    with subprocess.Popen(top(peer.url, "--interval", "60"), stdout=subprocess.PIPE) as started:
        assert started.stdout is not None
        started.stdout.readline()
        started.send_signal(signal.SIGTERM)

        assert started.wait(WITHIN_S) == -signal.SIGTERM


def test_top_whose_reader_goes_away_ends_without_a_traceback(peer: Peer) -> None:
    with subprocess.Popen(
        top(peer.url, "--interval", "0.1"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as started:
        assert started.stdout is not None
        assert started.stderr is not None
        started.stdout.readline()
        started.stdout.close()

        assert started.wait(WITHIN_S) == 1
        assert started.stderr.read() == b""


def test_top_without_a_daemon_is_unavailable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"

        ended = asked(url)

    assert (ended.exit_code, ended.stdout) == (69, "")
    assert ended.stderr == f"omnishotd: no answer from {url}/health: [Errno 111] Connection refused\n"


def test_top_of_a_daemon_without_a_feed_is_unavailable(peer: Peer) -> None:
    peer.has_feed = False

    ended = asked(peer.url)

    assert (ended.exit_code, ended.stdout) == (69, "")
    assert ended.stderr == f"omnishotd: {peer.url}/ws answers with status 404: no such path\n"


def test_top_shows_the_token_where_one_is_asked_for(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text(WORD)
    with Peer(token=WORD) as peer:
        refused = asked(peer.url)
        let_in = asked(peer.url, "--token-file", str(token))
        token.write_text(WORD[::-1])
        wrong = asked(peer.url, "--token-file", str(token))

    assert (refused.exit_code, let_in.exit_code, wrong.exit_code) == (77, 0, 77)
    assert refused.stderr == f"omnishotd: {peer.url}/health asks for a token: name its file with --token-file\n"
    assert wrong.stderr == f"omnishotd: {peer.url}/health does not take the token in {token}\n"
    assert WORD not in refused.output + let_in.output + wrong.output


def test_top_asks_where_the_configuration_says(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNISHOTD_CONTROL__PORT", str(peer.port))

    ended = CliRunner().invoke(main, ["top", "--config", os.devnull])

    assert ended.exit_code == 0
    assert f"127.0.0.1:{peer.port}" in ended.stdout


@pytest.mark.parametrize(
    "options",
    [("--interval", "0.05"), ("--interval", "61"), ("--count", "0"), ("--once", "--count", "2"), ("--url", "x")],
)
def test_top_refuses_wrong_usage(peer: Peer, options: tuple[str, ...]) -> None:
    ended = asked(peer.url, *options)

    assert (ended.exit_code, ended.stdout) == (2, "")
    assert ended.stderr.count("\n") == 1


def test_top_of_a_real_daemon_shows_its_processes(daemon: Daemon) -> None:
    def shown() -> str:
        ended = asked(daemon.control_url)
        assert ended.exit_code == 0, ended.stderr
        has_all = "daemon_ready" in ended.stdout and all(f" {pid} " in ended.stdout for pid in daemon.all_pids())
        return ended.stdout if has_all else ""

    text = eventually(shown, within_s=WITHIN_S, what="every process and the first event are listed")

    assert "feed: " not in text
