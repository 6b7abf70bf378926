"""What counts as held by a process, and from when on."""

from collections.abc import Mapping, Sequence

import msgspec
import pytest

from control.collector import Collector
from control.history import MemoryHistory, Record
from control.presence import Presence
from control.processes import ProcessFigures
from ipc.telemetry import ArenaFigures, HeapFigures, OwnerFigures, SupervisorTelemetry
from tests.control.support import make_broker, make_frames, make_supervisor, make_worker

MIB = 1 << 20
SERVICES = ("supervisor", "broker", "decode-0", "decode-1", "transform+encode-0", "control")
MINUTE = range(0, 60, 2)


class Daemon:
    """Six processes of 30 MiB that do 200 frames every 2 s; a test says what is otherwise."""

    def __init__(self) -> None:
        self.history = MemoryHistory()
        self._sequence = 0
        self.now_s = 1000.0
        self.presence: Presence

    def sample(
        self,
        private_mib: Mapping[str, float] | None = None,
        heap: Mapping[str, HeapFigures] | None = None,
        *,
        pids: Mapping[str, int] | None = None,
        queued_bytes: int = 0,
        backlog_bytes: int = 0,
        remembered_bytes: int = 0,
        is_idle: bool = False,
        arena: ArenaFigures | None = None,
        owners: Sequence[OwnerFigures] = (),
        shared_mib: float = 0.0,
    ) -> None:
        """Let 2 s pass, and sample. `private_mib` is beyond the 30; `shared_mib` are pages of the arena, of each."""
        self._sequence += 1
        self.now_s += 2.0
        tasks = 0 if is_idle else self._sequence * 200
        private_mib, heap, pids = private_mib or {}, heap or {}, pids or {}
        collector = Collector(["decode", "transform", "encode"])
        supervisor = make_supervisor(at_s=self.now_s)
        services = [msgspec.structs.replace(told, pid=pids.get(told.name, told.pid)) for told in supervisor.services]
        collector.take(
            msgspec.structs.replace(supervisor, services=services, heap=heap.get("supervisor", HeapFigures())),
            self.now_s,
        )
        frames = make_frames(completed=tasks, queued_bytes=queued_bytes, backlog_bytes=backlog_bytes)
        told = make_broker(
            frames, at_s=self.now_s, heap=heap.get("broker", HeapFigures()), remembered_bytes=remembered_bytes
        )
        collector.take(msgspec.structs.replace(told, arena=arena or told.arena, owners=list(owners)), self.now_s)
        for service in SERVICES[2:5]:
            worker = make_worker(service, at_s=self.now_s)
            collector.take(
                msgspec.structs.replace(worker, tasks=tasks, heap=heap.get(service, HeapFigures())), self.now_s
            )
        self.presence = collector.presence(self.now_s)
        shared = round(shared_mib * MIB)
        figures = {
            service.name: ProcessFigures(
                pid=service.pid or 0,
                pss_bytes=40 * MIB + shared // 4,
                uss_bytes=35 * MIB + shared,
                rss_bytes=60 * MIB + shared,
                private_bytes=round((30 + private_mib.get(service.name, 0)) * MIB),
            )
            for service in services
        }
        self.history.add(self.now_s, figures, self.presence, tasks, heap.get("control"))

    @property
    def growing(self) -> list[str]:
        return [record.service for record in self.history.records(self.now_s) if record.is_growing]

    def record(self, service: str) -> Record:
        return next(record for record in self.history.records(self.now_s) if record.service == service)


def heap(used_mib: float, kept_mib: float) -> HeapFigures:
    return HeapFigures(round(used_mib * MIB), round(kept_mib * MIB))


def test_worker_that_leaks_is_named_and_no_other() -> None:
    daemon = Daemon()
    for second in MINUTE:
        daemon.sample({"decode-0": second / 4})
    growth = daemon.record("decode-0").growth

    assert daemon.growing == ["decode-0"]
    assert growth is not None
    assert growth.bytes_per_s == pytest.approx(MIB / 4, rel=0.01)
    assert growth.bytes_per_frame == pytest.approx(MIB / 400, rel=0.01)


def test_supervisor_that_leaks_is_named_without_a_figure_by_frame() -> None:
    daemon = Daemon()
    for second in MINUTE:
        daemon.sample({"supervisor": second / 4})
    growth = daemon.record("supervisor").growth

    assert daemon.growing == ["supervisor"]
    assert growth is not None
    assert growth.bytes_per_frame is None


def test_pages_of_the_arena_are_nobodys_growth() -> None:
    """Encoders touch more and more of it, which makes their RSS and, for a time, their USS rise evenly."""
    daemon = Daemon()
    for second in MINUTE:
        daemon.sample(shared_mib=4 * second)

    assert daemon.growing == []
    assert daemon.history.total is not None
    assert daemon.history.total.bytes_per_s == 0


def test_memory_that_malloc_keeps_unused_is_no_growth() -> None:
    daemon = Daemon()
    for second in MINUTE:
        daemon.sample({"decode-0": second}, {"decode-0": heap(8, second)})

    assert daemon.growing == []


def test_leak_into_what_malloc_had_kept_is_named_though_the_process_takes_no_more() -> None:
    daemon = Daemon()
    for second in MINUTE:
        daemon.sample({"decode-0": 64}, {"decode-0": heap(8 + second / 4, 64 - second / 4)})

    assert daemon.growing == ["decode-0"]


def test_growing_queue_is_not_held_against_the_broker() -> None:
    daemon = Daemon()
    for second in range(0, 1200, 2):
        daemon.sample({"broker": second / 8}, queued_bytes=second * MIB // 8)

    assert daemon.growing == []


def test_replies_that_wait_for_slow_readers_are_not_held_against_the_broker() -> None:
    daemon = Daemon()
    for second in range(0, 1200, 2):
        daemon.sample({"broker": second / 8}, backlog_bytes=second * MIB // 8)

    assert daemon.growing == []


def test_replies_kept_for_who_asks_again_are_not_held_against_the_broker() -> None:
    daemon = Daemon()
    for second in range(0, 1200, 2):
        daemon.sample({"broker": second / 8}, remembered_bytes=second * MIB // 8)

    assert daemon.growing == []


def test_broker_and_control_plane_fill_for_two_minutes_without_being_accused() -> None:
    daemon = Daemon()
    accused = []
    for second in range(0, 1200, 2):
        filled = min(second, 120) / 2
        daemon.sample({"broker": filled, "control": filled / 10})
        accused += daemon.growing

    assert accused == []


def test_broker_and_control_plane_that_do_not_stop_are_named() -> None:
    daemon = Daemon()
    for second in range(0, 900, 2):
        daemon.sample({"broker": second / 8, "control": second / 16})

    assert daemon.growing == ["broker", "control"]


def test_new_process_of_a_service_begins_anew() -> None:
    daemon = Daemon()
    for second in MINUTE:
        daemon.sample({"decode-0": second / 4})
    daemon.sample(pids={"decode-0": 4711})

    assert daemon.growing == []
    assert daemon.record("decode-0").growth is None
    assert daemon.record("decode-1").growth is not None


def test_figures_of_an_earlier_process_are_not_taken_for_the_present_ones() -> None:
    daemon = Daemon()
    daemon.sample()
    figures = {"decode-0": ProcessFigures(pid=4711, private_bytes=MIB)}
    daemon.history.add(daemon.now_s + 2, figures, daemon.presence, 0)

    assert daemon.history.records(daemon.now_s) == []


def test_process_that_is_forgotten_begins_anew() -> None:
    daemon = Daemon()
    for second in MINUTE:
        daemon.sample({"decode-0": second / 4})
    daemon.history.forget("decode-0")
    daemon.history.forget("nobody")
    daemon.sample()

    assert daemon.growing == []
    assert daemon.record("decode-0").growth is None


def test_process_that_cannot_be_read_has_a_record_and_no_growth() -> None:
    daemon = Daemon()
    daemon.sample()
    pid = next(service.pid for service in daemon.presence.services if service.name == "decode-0")
    for second in MINUTE:
        daemon.history.add(daemon.now_s + second, {"decode-0": ProcessFigures(pid or 0)}, daemon.presence, 0)
    (record,) = daemon.history.records(daemon.now_s + 60)

    assert record.figures.private_bytes is None
    assert record.growth is None


def test_heap_is_told_by_each_process_itself_and_unknown_where_it_is_zero() -> None:
    daemon = Daemon()
    told = {service: heap(number + 1, 1) for number, service in enumerate(SERVICES) if service != "decode-1"}
    daemon.sample(heap=told)

    assert {service: daemon.record(service).heap for service in SERVICES} == told | {"decode-1": None}


def test_idle_time_counts_from_the_last_frame() -> None:
    daemon = Daemon()
    for _ in range(5):
        daemon.sample()
    assert daemon.record("decode-0").idle_s == 0
    for _ in range(31):
        daemon.sample(is_idle=True)

    assert daemon.record("decode-0").idle_s == 60
    assert daemon.record("broker").idle_s == 60


def test_arena_is_full_for_as_long_as_nearly_all_of_it_is_in_use() -> None:
    daemon = Daemon()
    full, free = ArenaFigures(total_bytes=100, used_bytes=90), ArenaFigures(total_bytes=100, used_bytes=89)
    lasted = []
    for arena in (full, full, full, free, full):
        daemon.sample(arena=arena)
        lasted.append(daemon.history.arena_full_s(daemon.now_s))

    assert lasted == [0, 2, 4, 0, 0]


def test_services_that_are_gone_are_not_remembered() -> None:
    daemon = Daemon()
    daemon.sample()
    collector = Collector(["decode"])
    collector.take(SupervisorTelemetry(0, "e1", 1, 0.0, "1.2.3", 0.0, []), 0.0)
    daemon.history.add(daemon.now_s + 2, {}, collector.presence(daemon.now_s), 0)

    assert daemon.history.records(daemon.now_s) == []
