"""The benchmark's peers: those that are there do the same work as ours, and those that are not say how to get them."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from perf.child import ROOT
from perf.contender import Contender, Entrant, Facts, Load, NotInstalled
from perf.ideal import Job
from perf.peers.cover import Cover, cover_of
from perf.peers.gstreamer import Gstreamer
from perf.peers.pillow import Pillow
from perf.peers.roster import PEERS
from perf.peers.sharp import FOLDER, Sharp
from perf.peers.thumbor import Thumbor
from perf.request import request_of
from perf.sameness import compare
from perf.sources import source_bytes, source_files
from perf.work import WORKS, Work
from tests.waiting import all_ended, eventually

TRIED = [WORKS[name] for name in ("400", "400-full", "raw-1080p", "raw-1080p-full")]
ALWAYS_THERE = {"libvips", "pillow"}
BY_NAME = {peer.name: peer for peer in PEERS}
HOW = re.compile("make bench-peers|apt-get install")


@pytest.fixture(scope="module")
def files() -> Iterator[dict[Work, Path]]:
    with source_files(TRIED) as found:
        yield found


def is_there(peer: Entrant) -> bool:
    """Tell, and make sure that it says enough in either case."""
    try:
        facts = peer.facts()
        absence = ""
    except NotInstalled as error:
        facts = Facts("", "", "")
        absence = str(error)
    if absence:
        assert HOW.search(absence)
        assert "\n" not in absence
        assert peer.name not in ALWAYS_THERE
        return False
    assert all((facts.version, facts.settings, facts.less))
    return True


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (3200, 3200, Cover(300, 300, 0, 0)),
        (1920, 1080, Cover(533, 300, 117, 0)),
        (1080, 1920, Cover(300, 533, 0, 117)),
        (300, 302, Cover(300, 302, 0, 1)),
    ],
)
def test_cover_lays_the_square_into_the_middle(width: int, height: int, expected: Cover) -> None:
    assert cover_of(width, height) == expected


def test_cover_of_a_wide_picture_says_what_of_it_is_seen() -> None:
    left, top, right, bottom = cover_of(1920, 1080).box(1920, 1080)

    assert (top, bottom) == (0, 1080)
    assert right - left == pytest.approx(1080, abs=1)
    assert left == pytest.approx(1920 - right, abs=4)


@pytest.mark.parametrize("name", BY_NAME)
def test_peer_that_is_there_makes_the_same_pictures_as_ours(name: str, files: dict[Work, Path]) -> None:
    peer = BY_NAME[name]
    if not is_there(peer):
        return  # it said how to get it
    with peer.start(files) as contender:
        for work in TRIED:
            if contender.refusal(work, Load(1)):
                assert work.source == "raw"
                continue
            source = source_bytes(work)
            picture = contender.sample(work)

            assert picture != source
            compare(name, work, picture, Job(request_of(work), source).do())


@pytest.mark.parametrize("name", BY_NAME)
def test_peer_that_is_there_works_and_leaves_no_process_behind(name: str, files: dict[Work, Path]) -> None:
    peer = BY_NAME[name]
    if not is_there(peer):
        return  # it said how to get it
    with peer.start(files) as contender:
        family = [psutil.Process(pid) for pids in contender.processes().values() for pid in pids]
        family += [psutil.Process(pid) for pid in contender.producers()]
        before_s = sum(sum(process.cpu_times()[:2]) for process in family)
        run = contender.measure(WORKS["400"], Load(4), 0.5)
        taken_s = sum(sum(process.cpu_times()[:2]) for process in family) - before_s

        assert run.frames == len(run.latency_us) > 0
        assert run.frames_in_all > run.frames
        assert taken_s > 0
        check_clock_and_producers(contender)
    eventually(lambda: all_ended(family), within_s=10.0, what=f"{name} has ended")


def check_clock_and_producers(contender: Contender) -> None:
    """Every load is either taken or refused in a few words."""
    for load in (Load(8, frames_per_second=20.0), Load(4, producers=2)):
        if reason := contender.refusal(WORKS["400"], load):
            assert len(reason.split()) <= 4
            continue
        run = contender.measure(WORKS["400"], load, 0.5)
        assert run.frames > 0
        if load.is_open:
            assert run.frames <= 12


def test_servers_tell_how_long_they_take_to_start() -> None:
    for peer in PEERS:
        if is_there(peer):
            is_server = isinstance(peer, Sharp | Thumbor)
            assert math.isnan(peer.time_start()) != is_server


def test_peers_have_names_of_their_own() -> None:
    assert len(BY_NAME) == len(PEERS)


@pytest.mark.parametrize(
    "absent",
    [Sharp(folder=Path("/nonexistent")), Thumbor(Path("/nonexistent/python")), Gstreamer(("/nonexistent/python3",))],
    ids=lambda peer: str(peer.name),
)
def test_peer_that_is_not_there_says_how_to_get_it(absent: Entrant) -> None:
    with pytest.raises(NotInstalled, match=HOW):
        absent.facts()
    with pytest.raises(NotInstalled), absent.start({}):
        raise AssertionError("it was started")


def test_sharp_without_node_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(NotInstalled, match="Node is not installed"):
        Sharp().facts()


def test_broken_thumbor_is_not_there(tmp_path: Path) -> None:
    interpreter = tmp_path / "python"
    interpreter.write_text("#!/bin/sh\nexit 1\n")
    interpreter.chmod(0o755)

    with pytest.raises(NotInstalled, match="not installed whole"):
        Thumbor(interpreter).facts()


def test_python_without_gstreamer_is_looked_over(tmp_path: Path) -> None:
    interpreter = tmp_path / "python3"
    interpreter.write_text("#!/bin/sh\nexit 1\n")
    interpreter.chmod(0o755)

    with pytest.raises(NotInstalled):
        Gstreamer((str(interpreter),)).facts()


def test_pool_can_be_called_by_nobody_else(files: dict[Work, Path]) -> None:
    with Pillow().start(files) as contender:
        assert contender.refusal(WORKS["400"], Load(4, producers=4)) == "one producer only"
        assert set(contender.processes()) == {"parent", "worker"}


def test_pool_whose_parent_is_killed_ends(files: dict[Work, Path]) -> None:
    with Pillow().start(files) as contender:
        parent, *_ = contender.processes()["parent"]
        workers = [psutil.Process(pid) for pid in contender.processes()["worker"]]
        psutil.Process(parent).kill()

        eventually(lambda: all_ended(workers), within_s=10.0, what="the pool's workers have ended")
    assert workers


def test_lock_file_of_sharp_names_versions_and_hashes_but_no_registry() -> None:
    wanted = json.loads((FOLDER / "package.json").read_bytes())["dependencies"]["sharp"]
    packages = json.loads((FOLDER / "package-lock.json").read_bytes())["packages"]
    del packages[""]

    assert packages["node_modules/sharp"]["version"] == wanted
    assert tuple(map(int, wanted.split("."))) >= (0, 35)
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not any("resolved" in package for package in packages.values())


def test_command_lists_who_is_there_and_who_is_not() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "perf.peers"], cwd=ROOT, check=True, capture_output=True, text=True, timeout=60
    ).stdout

    assert [line.partition(":")[0] for line in listed.splitlines()] == list(BY_NAME)
