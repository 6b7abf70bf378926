"""`omnishotd process` and the daemon behind it, from files to files."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from omnishotd.cli import main
from tests.enclosure import behind
from tests.omnishotd.cli.written import sizes
from tests.photographs import JPEGS, photograph, photograph_jpeg
from tests.waiting import eventually


def test_folder_becomes_a_folder_of_finished_pictures(endpoint: str, folder: Path) -> None:
    out = folder / "out"

    ended = CliRunner().invoke(
        main, ["process", str(folder / "in"), "--out", str(out), "--endpoint", endpoint, "--preset", "thumbnail"]
    )

    assert ended.exit_code == 0, ended.output
    assert ended.stdout.startswith("3 of 3 pictures done in ")
    assert sizes(out) == dict.fromkeys(JPEGS, (300, 300))


def test_several_sizes_give_several_files_and_one_line_of_json_a_picture(endpoint: str, folder: Path) -> None:
    out = folder / "out"
    resizes = ["--resize", "64x64", "--resize", "320x"]

    ended = CliRunner().invoke(
        main,
        ["process", str(folder / "in" / "rocket.jpg"), "--out", str(out), "--endpoint", endpoint, "--json", *resizes],
    )

    assert ended.exit_code == 0, ended.output
    assert sizes(out) == {"rocket-320x.jpg": (320, 214), "rocket-64x64.jpg": (64, 64)}
    (told,) = map(json.loads, ended.stdout.splitlines())
    assert (told["width"], told["height"]) == (640, 427)
    assert [output["path"] for output in told["outputs"]] == [
        str(out / "rocket-64x64.jpg"),
        str(out / "rocket-320x.jpg"),
    ]
    assert told["timing_us"]["total"] > 0


def test_pictures_that_fail_are_listed_and_the_others_are_finished(endpoint: str, folder: Path) -> None:
    (folder / "in" / "broken.jpg").write_bytes(photograph("retina.jpg")[:2000])
    (folder / "in" / "text.jpg").write_bytes(b"no picture at all")
    # Beyond four times the limit the daemon would drop the connection, with all that is on its way.
    (folder / "in" / "large.jpg").write_bytes(photograph("retina.jpg") + bytes(5_000_000))
    (folder / "in" / "missing.jpg").symlink_to("nowhere")
    out = folder / "out"

    ended = CliRunner().invoke(
        main, ["process", str(folder / "in"), "--out", str(out), "--endpoint", endpoint, "--preset", "thumbnail"]
    )
    told = {Path(line.split(": ")[1]).name: line.split(": ")[2] for line in ended.stderr.splitlines()}

    assert ended.exit_code == 1
    assert "more than max_frame_bytes, 1000000" in ended.stderr
    assert told == {
        "broken.jpg": "BAD_IMAGE",
        "text.jpg": "UNSUPPORTED_FORMAT",
        "large.jpg": "TOO_LARGE",
        "missing.jpg": "UNREADABLE",
    }
    assert sizes(out) == dict.fromkeys(JPEGS, (300, 300))


def test_result_that_cannot_be_written_is_listed_and_leaves_nothing(endpoint: str, folder: Path) -> None:
    out = folder / "out"
    (out / "rocket.jpg").mkdir(parents=True)

    ended = CliRunner().invoke(
        main,
        [
            "process",
            str(folder / "in" / "rocket.jpg"),
            "--out",
            str(out),
            "--endpoint",
            endpoint,
            "--preset",
            "thumbnail",
        ],
    )

    assert ended.exit_code == 1
    assert ": UNWRITABLE: " in ended.stderr
    assert list(out.iterdir()) == [out / "rocket.jpg"]


def test_originals_stay_as_they_are_when_results_go_beside_them(endpoint: str, folder: Path) -> None:
    originals = [str(folder / "in" / name) for name in JPEGS]

    ended = CliRunner().invoke(
        main, ["process", *originals, "--out", str(folder / "in"), "--endpoint", endpoint, "--preset", "thumbnail"]
    )

    assert ended.exit_code == 0, ended.output
    assert {name: (folder / "in" / name).read_bytes() for name in JPEGS} == {name: photograph(name) for name in JPEGS}
    assert sizes(folder / "in")["rocket-2.jpg"] == (300, 300)


def test_target_that_is_the_folder_of_originals_is_refused_and_stays_as_it_is(folder: Path) -> None:
    ended = CliRunner().invoke(
        main, ["process", str(folder / "in"), "--out", str(folder / "in"), "--preset", "thumbnail"]
    )

    assert ended.exit_code == 2
    assert ended.stderr.startswith("omnishotd: --out: ")
    assert ended.stderr.count("\n") == 1
    assert sorted(file.name for file in (folder / "in").iterdir()) == sorted(JPEGS)


def test_empty_file_and_what_is_no_file_fail_alone(endpoint: str, folder: Path) -> None:
    (folder / "in" / "empty.jpg").touch()
    fifo = folder / "pipe.jpg"
    os.mkfifo(fifo)
    out = folder / "out"

    ended = CliRunner().invoke(
        main,
        ["process", str(fifo), str(folder / "in"), "--out", str(out), "--endpoint", endpoint, "--preset", "thumbnail"],
    )

    assert ended.exit_code == 1, ended.output
    assert ended.stderr.splitlines() == [
        f"omnishotd: {fifo}: UNREADABLE: not a file",
        f"omnishotd: {folder / 'in' / 'empty.jpg'}: BAD_REQUEST: image: empty",
    ]
    assert sizes(out) == dict.fromkeys(JPEGS, (300, 300))


def test_only_picture_that_the_client_refuses_ends_the_run(endpoint: str, tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()

    ended = CliRunner().invoke(
        main,
        [
            "process",
            str(tmp_path / "empty.jpg"),
            "--out",
            str(tmp_path / "out"),
            "--endpoint",
            endpoint,
            "--preset",
            "thumbnail",
        ],
    )

    assert ended.exit_code == 1
    assert ended.stdout.startswith("0 of 1 pictures done in ")


@pytest.mark.parametrize("is_option", [True, False])
def test_address_that_is_none_ends_in_status_2_and_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, is_option: bool
) -> None:
    monkeypatch.setenv("OMNISHOTD_ENDPOINT", "bogus")
    option = ["--endpoint", "bogus"] if is_option else []

    ended = CliRunner().invoke(
        main, ["process", str(folder / "in"), "--out", str(folder / "out"), "--preset", "thumbnail", *option]
    )

    assert ended.exit_code == 2
    assert ended.stderr.startswith("omnishotd: endpoint: 'bogus': ")
    assert ended.stderr.count("\n") == 1


def test_target_that_cannot_be_made_ends_in_status_73(folder: Path) -> None:
    (folder / "file").touch()
    out = folder / "file" / "out"

    ended = CliRunner().invoke(main, ["process", str(folder / "in"), "--out", str(out), "--preset", "thumbnail"])

    assert (ended.exit_code, ended.stderr) == (73, f"omnishotd: --out: {out}: Not a directory\n")


def test_target_that_cannot_be_written_to_ends_in_status_73(locked_folder: Path) -> None:
    ended = CliRunner().invoke(main, ["process", "in", "--out", str(locked_folder), "--preset", "thumbnail"])

    assert (ended.exit_code, ended.stderr) == (73, f"omnishotd: --out: {locked_folder}: cannot be written to\n")


def test_folder_that_cannot_be_searched_counts_as_failed(locked_folder: Path) -> None:
    out = locked_folder.parent / "out"

    ended = CliRunner().invoke(main, ["process", str(locked_folder), "--out", str(out), "--preset", "thumbnail"])

    assert ended.exit_code == 1
    assert ended.stdout.startswith("0 of 1 pictures done in ")
    assert ended.stderr == f"omnishotd: {locked_folder}: UNREADABLE: Permission denied\n"


def test_full_output_ends_in_status_74_and_one_line(endpoint: str, folder: Path) -> None:
    command = [sys.executable, "-P", "-m", "omnishotd", "process", str(folder / "in"), "--out", str(folder / "out")]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*command, "--preset", "thumbnail", "--json", "--endpoint", endpoint],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=30,
        )

    assert (ended.returncode, ended.stderr) == (74, b"omnishotd: standard output: No space left on device\n")


def test_relative_runtime_directory_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", "relrt")
    monkeypatch.delenv("OMNISHOTD_ENDPOINT", raising=False)

    ended = CliRunner().invoke(
        main, ["process", str(folder / "in"), "--out", str(folder / "out"), "--preset", "thumbnail"]
    )

    assert ended.exit_code == 78
    assert ended.stderr == "omnishotd: RUNTIME_DIRECTORY: 'relrt' is not an absolute path\n"


@pytest.mark.usefixtures("alone")
def test_many_pictures_stay_within_the_bounds_of_a_small_daemon(tmp_path: Path) -> None:
    picture = photograph_jpeg(200)
    for number in range(60):
        (tmp_path / "in" / str(number % 7)).mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / str(number % 7) / f"{number}.jpg").write_bytes(picture)
    file = tmp_path / "omnishotd.toml"
    file.write_text("[pipeline]\nmax_concurrent_jobs = 1\nqueue_limit = 2\n")

    ended = CliRunner().invoke(
        main,
        ["process", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--config", str(file), "--resize", "50x50"],
    )

    assert ended.exit_code == 0, ended.output
    assert len(sizes(tmp_path / "out")) == 60


def test_daemon_that_is_named_and_away_ends_the_command(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omnishotd.cli.process._REACH_SECONDS_MAX", 0.2)
    endpoint = f"ipc://{tmp_path}/none.sock"

    ended = CliRunner().invoke(
        main, ["process", str(folder / "in"), "--out", str(tmp_path / "out"), "--endpoint", endpoint, "--preset", "x"]
    )

    assert ended.exit_code == 69
    assert ended.stderr.startswith(f"omnishotd: {endpoint}: no daemon answered within ")


def test_running_daemon_is_found_and_used(endpoint: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = Path(endpoint.removeprefix("ipc://")).parent
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(runtime))
    monkeypatch.setattr("omnishotd.cli.private.private_daemon", None)

    ended = CliRunner().invoke(
        main, ["process", str(folder / "in"), "--out", str(folder / "out"), "--preset", "thumbnail"]
    )

    assert ended.exit_code == 0, ended.output


def test_command_that_is_the_first_process_of_a_container_starts_a_private_daemon(folder: Path) -> None:
    out = folder / "out"
    command = [sys.executable, "-P", "-m", "omnishotd", "process", str(folder / "in"), "--out", str(out)]
    # There is no /run/omnishotd in it, and so no daemon that could be found.
    wrapper = behind("mount -t tmpfs none /run", "mount -t proc proc /proc", process_table=True)
    ended = subprocess.run(
        [*wrapper, *command, "--config", os.devnull, "--preset", "thumbnail"],
        env=os.environ | {"RUNTIME_DIRECTORY": str(folder / "run")},
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )

    assert ended.returncode == 0, ended.stderr
    assert sizes(out) == dict.fromkeys(JPEGS, (300, 300))


@pytest.mark.usefixtures("alone")
def test_private_daemon_with_a_wrong_configuration_tells_all_of_it(folder: Path) -> None:
    file = folder / "omnishotd.toml"
    file.write_text("[memory]\narena_mb = -1\n[frame]\n")

    ended = CliRunner().invoke(
        main, ["process", str(folder / "in"), "--out", str(folder / "out"), "--config", str(file), "--preset", "x"]
    )

    assert ended.exit_code == 78
    assert ended.stderr.splitlines() == [
        f"omnishotd: memory.arena_mb: is -1, must be at least 16 ({file})",
        f"omnishotd: frame: unknown key, did you mean frames? ({file})",
    ]


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_command_stops_its_private_daemon(folder: Path, number: signal.Signals, status: int) -> None:
    # One picture under many names: more than are done before the signal.
    for copy in range(3000):
        (folder / "in" / f"{copy}.jpg").hardlink_to(folder / "in" / "retina.jpg")
    temporary, out = folder / "t", folder / "out"
    temporary.mkdir()
    out.mkdir()
    command = [sys.executable, "-P", "-m", "omnishotd", "process", str(folder / "in"), "--out", str(out)]
    process = subprocess.Popen(
        [*command, "--config", os.devnull, "--preset", "thumbnail"],
        env=os.environ | {"TMPDIR": str(temporary)},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    with process:
        eventually(lambda: any(out.iterdir()), within_s=60, what="a first result")
        started = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        process.wait(timeout=40)

    gone, alive = psutil.wait_procs(started, timeout=5)
    assert process.returncode == status
    assert len(gone) > 7
    assert alive == []
    assert list(temporary.iterdir()) == []
