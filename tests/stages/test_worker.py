"""A real worker's process, at work, idle, worn, short of memory, and left alone."""

import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import psutil
import pytest

from ipc.channel import ChannelClosed
from ipc.errors import ErrorCode
from ipc.messages import (
    Encode,
    Examine,
    Examined,
    Extent,
    Stop,
    Transform,
    Unable,
    Worn,
)
from ipc.pixels import Geometry, Layout
from ipc.settings import SandboxSettings
from stages import landlock
from stages.encodings import JpegEncoding, RawEncoding, encode_encoding
from stages.operation import Operation
from stages.operations import encode_operations
from stages.operations.resize import Resize
from stages.operations.rotate import Rotate
from stages.operations.trim import Trim
from stages.sandbox import EXIT_REQUIRED
from stages.worker import EXIT_LOST
from tests.control.support import make_settings
from tests.numbered import number_of_jpeg, numbered_jpeg
from tests.photographs import photograph_jpeg
from tests.stages.surroundings import PIXELS, SIZE, SOURCE, WITHIN_S, Surroundings, decode_step, memory_settings, task
from tests.waiting import eventually

NO_LIBSECCOMP = """
import ctypes.util

find = ctypes.util.find_library
ctypes.util.find_library = lambda name: None if name == "seccomp" else find(name)
"""
"""A machine without it, played by a `sitecustomize`."""


@pytest.fixture
def worker_with(runtime_directory: Path) -> Iterator[Callable[..., Surroundings]]:
    """Starts a worker with settings of the test's own."""
    with ExitStack() as stack:

        def start(**options: Any) -> Surroundings:
            surroundings = stack.enter_context(closing(Surroundings(runtime_directory, **options)))
            surroundings.arena.write(SOURCE, numbered_jpeg(17, SIZE.width, SIZE.height))
            return surroundings

        yield start


@pytest.fixture
def worker(worker_with: Callable[..., Surroundings]) -> Surroundings:
    surroundings = worker_with()
    surroundings.welcome()
    return surroundings


def test_steps_of_a_task_are_done_in_order_and_counted_in_their_stages(worker: Surroundings) -> None:
    encode = Encode(PIXELS, SIZE, 0, encode_encoding(JpegEncoding()))
    worker.hand_over(task(1, decode_step(), encode))
    (answer,), (picture,) = worker.reported()
    told = worker.told(lambda message: message.tasks == 1)

    assert (answer.lease, answer.fault, len(answer.step_us)) == (1, None, 2)
    assert number_of_jpeg(picture) == 17
    assert {stage: figures.completed for stage, figures in told.stages.items()} == {
        "decode": 1,
        "transform": 0,
        "encode": 1,
    }
    assert told.stages["decode"].busy_us > 0


def test_canary_that_passes_is_answered_and_counted_nowhere(worker: Surroundings) -> None:
    answers = worker.done(task(1, decode_step(), is_canary=True), task(2, decode_step()))
    told = worker.told(lambda message: message.tasks > 0)

    assert [(answer.lease, answer.fault) for answer in answers] == [(1, None), (2, None)]
    assert len(answers[0].step_us) == 1
    decode = told.stages["decode"]
    assert (told.tasks, decode.completed, decode.failed, sum(decode.latency.counts)) == (1, 1, 0, 1)
    assert decode.busy_us == answers[1].step_us[0]


def test_canary_that_fails_is_answered_and_counted_nowhere(worker: Surroundings) -> None:
    other_size = decode_step(Geometry(160, 160, Layout.RGB))
    answers = worker.done(task(1, other_size, is_canary=True), task(2, other_size))
    told = worker.told(lambda message: message.tasks > 0)

    assert [answer.fault is not None for answer in answers] == [True, True]
    assert (told.tasks, told.stages["decode"].completed, told.stages["decode"].failed) == (1, 0, 1)


def test_step_at_fault_ends_its_task_alone(worker: Surroundings) -> None:
    worker.arena.view[SOURCE.offset : SOURCE.offset + 4] = b"none"
    spoilt = worker.done(task(1, decode_step()))
    worker.arena.write(SOURCE, numbered_jpeg(18, SIZE.width, SIZE.height))
    sound = worker.done(task(2, decode_step()))

    assert spoilt[0].fault is not None
    assert spoilt[0].fault.code in {ErrorCode.BAD_IMAGE, ErrorCode.UNSUPPORTED_FORMAT}
    assert sound[0].fault is None


TRIMMED = Geometry(30, 20, Layout.RGB)
BOUND = Geometry(SIZE.width, SIZE.height, Layout.RGB)
RESULT = Extent(PIXELS.offset + PIXELS.bytes, BOUND.bytes)


def trim_step(worker: Surroundings, *then: Operation) -> Transform:
    """A white picture of 320 x 240 with a black part of 30 x 20, whose size only the worker can tell."""
    pixels = np.full((SIZE.height, SIZE.width, 3), 255, np.uint8)
    pixels[100:120, 200:230] = 0
    worker.arena.write(PIXELS, pixels.tobytes())
    return Transform(PIXELS, RESULT, SIZE, SIZE, encode_operations((Trim(), *then)), BOUND, is_open=True)


def test_open_transform_tells_the_encoder_after_it_what_it_made(worker: Surroundings) -> None:
    encode = Encode(RESULT, BOUND, 0, encode_encoding(RawEncoding()), is_open=True)
    worker.hand_over(task(1, trim_step(worker), encode))
    (answer,), (picture,) = worker.reported()

    assert answer.fault is None
    assert (answer.encoded[0].width, answer.encoded[0].height) == (TRIMMED.width, TRIMMED.height)
    assert picture == bytes(TRIMMED.bytes)
    assert answer.made is None


def test_open_transform_at_the_end_of_a_task_tells_the_broker_what_it_made(worker: Surroundings) -> None:
    answers = worker.done(task(1, trim_step(worker)), task(2, trim_step(worker, Rotate(90))), task(3, decode_step()))

    assert [answer.made for answer in answers] == [TRIMMED, Geometry(20, 30, Layout.RGB), None]


def test_open_transform_is_held_against_the_limits_of_the_configuration(
    worker_with: Callable[..., Surroundings],
) -> None:
    """Three times as large as the picture it came from, and over `max_pixels`: nobody could tell before."""
    frames = msgspec.structs.replace(make_settings().frames, max_pixels=90 * 60 - 1)
    worker = worker_with(frames=frames)
    worker.welcome()
    (answer,) = worker.done(task(1, trim_step(worker, Resize(90))))

    assert answer.fault is not None
    assert answer.fault.code is ErrorCode.TOO_LARGE
    assert "max_pixels" in answer.fault.message
    assert answer.made is None


def test_encoder_of_an_open_picture_that_nobody_made_fails(worker: Surroundings) -> None:
    encode = Encode(RESULT, BOUND, 0, encode_encoding(RawEncoding()), is_open=True)
    (answer,) = worker.done(task(1, encode))

    assert answer.fault is not None
    assert answer.fault.code is ErrorCode.INTERNAL


def test_telemetry_tells_of_the_heap_and_of_what_holds_the_process_back(worker: Surroundings) -> None:
    told = worker.told()
    status = dict(
        line.split(":", 1)
        for line in Path(f"/proc/{worker.process.pid}/status").read_text(encoding="ascii").splitlines()
    )

    assert 1 << 20 < told.heap.used_bytes < 256 << 20
    assert told.posture.no_new_privileges == (status["NoNewPrivs"].strip() == "1")
    assert told.posture.seccomp == (status["Seccomp"].strip() != "0")
    assert told.posture.landlock == landlock.version()
    assert told.posture.memory_limit_bytes == psutil.Process(worker.process.pid).rlimit(psutil.RLIMIT_AS)[0]


@pytest.mark.parametrize("action", ["trim", "collect"])
def test_examination_is_answered_by_the_channel(worker: Surroundings, action: Literal["trim", "collect"]) -> None:
    answer = worker.examined(Examine(9, "w", action))

    assert (answer.number, answer.fault) == (9, "")
    assert answer.rss_before_bytes > 8 << 20
    assert answer.rss_after_bytes > 8 << 20


def test_snapshot_ends_by_itself_while_frames_are_worked_on(worker: Surroundings) -> None:
    worker.channel.send(Examine(3, "w", "snapshot", 1.0))
    began_s = time.monotonic()
    lease = 0
    while not select.select([worker.channel], [], [], 0)[0]:
        lease += 1
        worker.done(task(lease, decode_step()))
        assert time.monotonic() - began_s < WITHIN_S
    answer = worker.heard()

    assert isinstance(answer, Examined)
    assert (answer.number, answer.fault) == (3, "")
    assert time.monotonic() - began_s >= 1.0
    assert any(site.where.startswith("stages/") for site in answer.sites), answer.sites


def test_snapshot_ends_by_itself_in_an_idle_worker(worker: Surroundings) -> None:
    answer = worker.examined(Examine(4, "w", "snapshot", 1.0))

    assert (answer.number, answer.fault) == (4, "")


def test_worker_told_to_stop_amid_a_snapshot_ends_in_order(worker: Surroundings) -> None:
    worker.channel.send(Examine(5, "w", "snapshot", 60.0))
    worker.channel.send(Stop())

    assert worker.process.wait(WITHIN_S) == 0


def test_worker_whose_supervisor_hangs_up_ends(worker: Surroundings) -> None:
    worker.channel.close()

    assert worker.process.wait(WITHIN_S) in {0, -signal.SIGKILL}


def test_worker_whose_broker_is_gone_ends_with_one_line(worker: Surroundings) -> None:
    worker.work.close()

    assert worker.process.wait(WITHIN_S) == EXIT_LOST
    lines = [line for line in worker.log().splitlines() if "sandbox:" not in line]
    assert len(lines) == 1
    assert "the connection to the broker is lost" in lines[0]


def test_worker_told_to_stop_after_its_broker_ends_in_order(worker: Surroundings) -> None:
    worker.work.close()
    worker.channel.send(Stop())

    assert worker.process.wait(WITHIN_S) == 0


def test_worker_without_a_broker_waits_and_can_be_stopped(worker_with: Callable[..., Surroundings]) -> None:
    worker = worker_with(absent="ipc:///nowhere/work.sock")
    waiting = psutil.Process(worker.process.pid)
    eventually(lambda: waiting.num_threads() > 1, within_s=WITHIN_S, what="it has begun to connect")
    worker.channel.send(Stop())

    assert worker.process.wait(WITHIN_S) == 0
    with pytest.raises(ChannelClosed):
        worker.heard()


def test_worker_that_has_worked_on_enough_frames_says_once_that_it_is_worn(
    worker_with: Callable[..., Surroundings],
) -> None:
    worker = worker_with(memory=memory_settings(recycle_after_frames=10))
    worker.welcome()
    for lease in range(1, 31):
        worker.done(task(lease, decode_step()))
    worn = worker.heard()
    worker.channel.send(Stop())

    assert isinstance(worn, Worn)
    assert "frames (memory.recycle_after_frames)" in worn.reason
    assert worker.process.wait(WITHIN_S) == 0
    with pytest.raises(ChannelClosed):
        worker.heard()


def test_worker_that_holds_too_much_at_rest_says_that_it_is_worn(worker_with: Callable[..., Surroundings]) -> None:
    worker = worker_with(memory=memory_settings(recycle_above_mb=1))
    worker.welcome()
    worn = worker.heard()

    assert isinstance(worn, Worn)
    assert "more than 1 MiB (memory.recycle_above_mb)" in worn.reason


def test_step_that_needs_more_memory_than_there_is_fails_alone(worker_with: Callable[..., Surroundings]) -> None:
    worker = worker_with(memory=memory_settings(worker_limit_mb=1))
    worker.welcome()
    # Of a progressive picture the decoder keeps all coefficients, here 35 MiB, whatever size is wanted. Less than half
    # of that may be free in the heap since the libraries were tried out.
    worker.arena.write(SOURCE, photograph_jpeg(3440, quality=20, progressive=True))
    (failed,) = worker.done(task(1, decode_step(Geometry(430, 430, Layout.RGB))))
    worker.arena.write(SOURCE, numbered_jpeg(18, SIZE.width, SIZE.height))
    (sound,) = worker.done(task(2, decode_step()))

    assert failed.fault is not None
    assert failed.fault.code is ErrorCode.TOO_LARGE
    assert "memory.worker_limit_mb" in failed.fault.message
    assert sound.fault is None


@pytest.fixture
def without_libseccomp(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "sitecustomize.py").write_text(NO_LIBSECCOMP, encoding="utf-8")
    return {"PYTHONPATH": str(tmp_path)}


def test_worker_that_must_be_shut_in_and_cannot_says_why_and_does_no_work(
    worker_with: Callable[..., Surroundings], without_libseccomp: dict[str, str]
) -> None:
    worker = worker_with(environment=without_libseccomp, sandbox=SandboxSettings(mode="required"))
    unable = worker.heard()

    assert isinstance(unable, Unable)
    assert unable.reason.startswith("sandbox.mode is required, and this machine cannot: seccomp: libseccomp")
    assert "\n" not in unable.reason
    assert unable.exit_status == worker.process.wait(WITHIN_S) == EXIT_REQUIRED


def test_worker_that_cannot_be_shut_in_by_all_works_all_the_same_and_warns(
    worker_with: Callable[..., Surroundings], without_libseccomp: dict[str, str]
) -> None:
    worker = worker_with(environment=without_libseccomp)
    worker.welcome()
    told = worker.told()
    (answer,) = worker.done(task(1, decode_step()))
    log = worker.log()

    assert (told.posture.seccomp, told.posture.landlock) == (False, landlock.version())
    assert answer.fault is None
    assert f"landlock {landlock.version()}, at most" in log
    assert "without seccomp: libseccomp cannot be loaded" in log
    assert "WARNING" in log


def test_worker_without_a_sandbox_says_so(worker_with: Callable[..., Surroundings]) -> None:
    worker = worker_with(sandbox=SandboxSettings(mode="off"))
    worker.welcome()
    told = worker.told()
    log = worker.log()

    assert (told.posture.seccomp, told.posture.landlock) == (False, 0)
    assert told.posture.memory_limit_bytes > 0
    assert "sandbox: off; at most" in log
