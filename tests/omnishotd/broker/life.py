"""A life of the whole flow: any order of requests, answers, deaths, deadlines and cancels, and what must hold.

Canaries go on all the while, and meet with the same as frames do.

What must hold after each step stands in the invariants; what must hold in the end, in `teardown`.
"""

from collections import Counter
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ipc.errors import ErrorCode
from ipc.messages import Answer, Encoded, Extent, Fault
from ipc.pixels import Geometry, Layout
from ipc.stage import STAGES
from omnishotd.broker.crew import Worker
from omnishotd.broker.figures import load_figures, owner_figures, producer_figures
from omnishotd.broker.frame import Frame, FrameState, Sender
from tests.omnishotd.broker.arena import assert_apart, read_to_the_end, touched, within, written
from tests.omnishotd.broker.rig import (
    AVIF,
    KEPT,
    LAID,
    LAYOUTS,
    MS,
    PLAIN,
    RAW_OUT,
    SMALLER,
    TRIMMED,
    Held,
    Rig,
    make_sender,
    make_settings,
    picture,
)

FRAMES_MAX = 3
QUEUE_MAX = 2
ARENA_BYTES = 160_000
"""So small that frames wait for it."""
SENDERS = [make_sender(b"a"), make_sender(b"b", has_delimiter=True)]
PAYLOADS = [(picture(64), None), (picture(100), None), (picture(160), None)] + [
    (bytes(side * side * 3), {"format": "raw", "width": side, "height": side, "layout": "RGB"}) for side in (8, 120)
]
PICK = st.integers(0, 1 << 20)
"""Chooses from a list whose length is known only when the rule runs."""
FAULTS = st.sampled_from([ErrorCode.BAD_IMAGE, ErrorCode.INTERNAL, ErrorCode.TOO_LARGE])


class AnyLife(RuleBasedStateMachine):
    """Plays producers, workers and the supervisor at once."""

    pools: ClassVar[tuple[str, ...]] = LAYOUTS[0]
    whole_frame_pixels_max: ClassVar[int | str] = 0
    heavy_us: ClassVar[int | None] = None

    def __init__(self) -> None:
        super().__init__()
        bounds: dict[str, Any] = {
            "queue_limit": QUEUE_MAX,
            "max_concurrent_jobs": FRAMES_MAX,
            "whole_frame_pixels_max": self.whole_frame_pixels_max,
        }
        self.rig = Rig(
            make_settings(self.pools, **bounds), arena_bytes=ARENA_BYTES, canaries=True, heavy_us=self.heavy_us
        )
        self.answered_until = 0
        self.open: dict[str, int] = {}
        """Requests that still have a final reply to come, and how many were sent and not joined."""
        self.frames: dict[int, Frame] = {}
        self.canaries: dict[str, Frame] = {}
        """By trace: one may be under way, others abandoned."""

    # ---- producers

    @rule(
        number=st.integers(0, 11),
        again=st.booleans(),
        sender=st.sampled_from(SENDERS),
        payload=st.integers(0, len(PAYLOADS) - 1),
        outputs=st.lists(st.sampled_from([PLAIN, SMALLER, RAW_OUT, TRIMMED, KEPT, LAID, AVIF]), min_size=1, max_size=3),
        keys=st.fixed_dictionaries(
            {
                "priority": st.integers(0, 9),
                "on_full": st.sampled_from(["reject", "drop_oldest", "latest"]),
                "stream": st.sampled_from(["left", "right"]),
                "deadline_ms": st.sampled_from([50, 5_000, 600_000]),
            }
        ),
    )
    def submit(
        self,
        number: int,
        again: bool,
        sender: Sender,
        payload: int,
        outputs: list[dict[str, Any]],
        keys: dict[str, Any],
    ) -> None:
        """One of a few ids, so that they come again: with the same bytes, or with others."""
        name = f"r{number}"
        data, raw_input = PAYLOADS[number % len(PAYLOADS) if again else payload]
        wanted = [SMALLER] if again else outputs
        raw: dict[str, Any] = {"input": raw_input} if raw_input else {}
        was_open = name in self.open
        received = self.rig.flow.account.received
        self.rig.submit(name, data, wanted, sender=sender, client="cam", **keys, **raw)
        is_joined = was_open and self.rig.flow.account.received == received
        if not is_joined:
            # A new frame, a refusal, or a reply that is known: each is one reply, now or later.
            self.open[name] = self.open.get(name, 0) + 1

    @rule(number=st.integers(0, 11))
    def cancel(self, number: int) -> None:
        self.rig.cancel(f"r{number}", client="cam")

    # ---- workers

    def pick(self, index: int) -> Held:
        return self.rig.held[index % len(self.rig.held)]

    @precondition(lambda self: self.rig.held)
    @rule(index=PICK)
    def answer(self, index: int) -> None:
        self.rig.answer(self.pick(index))

    @precondition(lambda self: self.rig.held)
    @rule(index=PICK, code=FAULTS)
    def answer_with_a_fault(self, index: int, code: ErrorCode) -> None:
        self.rig.answer(self.pick(index), Fault(code, "no"))

    @precondition(lambda self: self.rig.held)
    @rule(
        index=PICK,
        step_us=st.lists(st.just(1), max_size=3),
        outputs=st.lists(st.integers(-1, 3), max_size=3),
        parts=st.integers(0, 3),
        made=st.none() | st.builds(Geometry, st.integers(-1, 200), st.integers(-1, 200), st.sampled_from(Layout)),
    )
    def answer_wrongly(
        self, index: int, step_us: list[int], outputs: list[int], parts: int, made: Geometry | None
    ) -> None:
        held = self.pick(index)
        encoded = [Encoded(output, "jpeg", 16, 16, 80) for output in outputs]
        self.rig.say(held, Answer(held.task.lease, step_us, encoded, None, made), [b"x"] * parts)

    @precondition(lambda self: self.rig.held)
    @rule(index=PICK, off=st.sampled_from([-1, 1, 1000]))
    def answer_under_another_lease(self, index: int, off: int) -> None:
        """A lease that was, is another's, or never was."""
        held = self.pick(index)
        lease = held.task.lease + off
        if any(other.task.lease == lease and other.worker is held.worker for other in self.rig.held):
            return
        stale = self.rig.flow.ledger.stale_answers
        self.rig.flow.answered(held.worker, Answer(lease, [], []), [], self.rig.now_us)
        assert self.rig.flow.ledger.stale_answers == stale + 1

    @rule(index=PICK)
    def die(self, index: int) -> None:
        workers = self.rig.flow.crew.workers()
        self.rig.die(workers[index % len(workers)])

    def condemned(self) -> list[Worker]:
        return [worker for worker in self.rig.flow.crew.workers() if worker.is_condemned]

    @precondition(lambda self: self.condemned())
    @rule(index=PICK)
    def kill_a_condemned_worker(self, index: int) -> None:
        condemned = self.condemned()
        self.rig.die(condemned[index % len(condemned)])

    @rule(index=PICK)
    def retire(self, index: int) -> None:
        """Its successor comes first, as from the supervisor."""
        workers = [worker for worker in self.rig.flow.crew.workers() if not worker.is_retiring]
        worker = workers[index % len(workers)]
        self.rig.hire(self.pools[worker.pool])
        self.rig.flow.crew.retire(worker.incarnation)
        self.rig.work()

    @rule()
    def stop_the_retired(self) -> None:
        """They end, and are not replaced."""
        for worker in self.rig.flow.crew.retired():
            assert not worker.batches
            self.rig.die(worker, replace=False)

    @rule(index=PICK)
    def give_up_a_pool(self, index: int) -> None:
        """It has workers or gets one: the order of what the supervisor says of it does not matter."""
        self.rig.flow.pool_failed(self.pools[index % len(self.pools)])
        self.rig.work()

    # ---- time

    @rule(gap_us=st.sampled_from([200 * MS, 60_000 * MS]))
    def do_not_run_for_a_while(self, gap_us: int) -> None:
        self.rig.flow.excuse(gap_us)
        self.rig.now_us += gap_us

    @rule(time_us=st.sampled_from([1, 49 * MS, 1_000 * MS, 3_000 * MS, 5_001 * MS, 130_000 * MS]))
    def let_time_pass(self, time_us: int) -> None:
        """Workers over their limit are condemned; until one dies, it holds what it has and may still answer."""
        for worker in self.rig.wait(time_us):
            assert worker.batches
            assert worker.is_condemned

    # ---- what must hold

    def known_frames(self) -> list[Frame]:
        """All frames that anyone holds or will hold; those that were seen before stay known."""
        flow = self.rig.flow
        for frame in flow._window.all_in_flight():
            self.frames[frame.number] = frame
        return list(self.frames.values())

    def known_canaries(self) -> list[Frame]:
        """As `known_frames`."""
        canary = self.rig.flow.canary.frame
        if canary is not None:
            self.canaries[canary.trace] = canary
        return list(self.canaries.values())

    @invariant()
    def account_adds_up(self) -> None:
        """Of frames only."""
        flow = self.rig.flow
        flow.check()
        states = Counter(frame.state for frame in self.known_frames())
        assert flow.schedule.count == states[FrameState.WAITING] <= QUEUE_MAX
        in_work = states[FrameState.WORKING] + states[FrameState.RECALLED]
        assert flow.account.in_flight == in_work
        assert flow.ledger.working == in_work + states[FrameState.ABANDONED] <= FRAMES_MAX

    @invariant()
    def extents_belong_to_frames_in_work_and_do_not_overlap(self) -> None:
        extents: list[Extent] = []
        blocks = 0
        for frame in self.known_frames() + self.known_canaries():
            held = (frame.source, frame.pixels, *frame.results, *frame.overlays)
            parts = [extent for extent in held if extent is not None and not extent.segment]
            extents += parts
            if frame.block is not None:
                blocks += 1 - len(parts)
                assert all(within(part, frame.block) for part in parts)
        figures = self.rig.allocator.figures()
        assert figures.extents == len(extents) + blocks
        owners = owner_figures(self.rig.flow.ledger.holders())
        assert sum(owner.bytes for owner in owners) == figures.used_bytes
        open_canaries = sum(frame.state is not FrameState.FINISHED for frame in self.known_canaries())
        assert sum(owner.frames for owner in owners) == self.rig.flow.ledger.working + open_canaries
        assert_apart(extents)

    @invariant()
    def nothing_that_a_lease_names_is_free(self) -> None:
        used = self.rig.allocator._used
        for held in self.rig.held:
            for step in held.task.steps:
                for extent in touched(step):
                    is_used = any(within(extent, Extent(offset, size)) for offset, size in used.items())
                    assert is_used, "an extent was freed while a worker may touch it"

    @invariant()
    def no_extent_is_written_by_one_lease_and_touched_by_another(self) -> None:
        assert_apart([extent for held in self.rig.held for step in held.task.steps for extent in written(step)])

    @invariant()
    def what_is_read_to_the_end_is_never_written(self) -> None:
        """An overlay's file, an original whose metadata are kept."""
        steps = [step for held in self.rig.held for step in held.task.steps]
        targets = [extent for step in steps for extent in written(step)]
        for step in steps:
            for extent in read_to_the_end(step):
                assert_apart([extent, *targets])

    @invariant()
    def no_lease_is_lost(self) -> None:
        leases = {held.task.lease for held in self.rig.held}
        assert leases == set(self.rig.flow.ledger._leases)
        assert leases == {
            job.lease for worker in self.rig.flow.crew.workers() for batch in worker.batches for job in batch.jobs
        }
        assert sum(frame.leases_out for frame in self.known_frames() + self.known_canaries()) == len(leases)

    @invariant()
    def each_worker_s_load_is_what_it_holds(self) -> None:
        workers = self.rig.flow.crew.workers()
        loads = load_figures(workers)
        for worker in workers:
            held = [held for held in self.rig.held if held.worker is worker]
            assert worker.held == len(held)
            assert loads[worker.service].held == sum(not one.task.is_canary for one in held)

    @invariant()
    def waiting_frames_are_told_by_priority_and_producer(self) -> None:
        schedule = self.rig.flow.schedule
        producers = producer_figures(schedule.lines())
        assert sum(schedule.count_by_priority()) == schedule.count == sum(producer.frames for producer in producers)
        assert sum(producer.bytes for producer in producers) == schedule.bytes

    @invariant()
    def one_canary_is_under_way_and_all_others_have_ended(self) -> None:
        flow, canaries = self.rig.flow, self.known_canaries()
        told = flow.canary.figures()
        working = [frame for frame in canaries if frame.state is FrameState.WORKING]
        assert working == ([] if flow.canary.frame is None else [flow.canary.frame])
        assert told.passed + told.failed + len(working) == len(canaries)
        assert (told.waits_for in self.pools) == bool(working)

    @invariant()
    def canary_is_alone_in_its_message_and_passes_each_pool(self) -> None:
        for worker in self.rig.flow.crew.workers():
            for batch in worker.batches:
                for job in batch.jobs:
                    if job.frame.is_canary:
                        assert batch.jobs == [job]
                        assert job.stages == [stage for stage in STAGES if stage in self.pools[worker.pool].split("+")]

    @invariant()
    def heavy_frame_has_its_worker_to_itself(self) -> None:
        for worker in self.rig.flow.crew.workers():
            jobs = [job for batch in worker.batches for job in batch.jobs]
            assert worker.has_heavy == any(job.frame.is_heavy for job in jobs)
            assert not worker.has_heavy or len(jobs) == 1

    @invariant()
    def heavy_frames_are_counted_with_what_they_took(self) -> None:
        heavy = [frame for frame in self.known_frames() if frame.is_heavy]
        states = Counter(frame.state for frame in heavy)
        ledger, schedule = self.rig.flow.ledger, self.rig.flow.schedule
        assert schedule.heavy_count == states[FrameState.WAITING]
        in_work = (FrameState.WORKING, FrameState.RECALLED, FrameState.ABANDONED)
        assert ledger.heavy_working == sum(states[state] for state in in_work)
        assert ledger.heavy_bytes == sum(frame.room_bytes for frame in heavy)

    @invariant()
    def nothing_is_waited_for_in_the_past(self) -> None:
        """The broker's loop would never sleep."""
        flow = self.rig.flow
        flow.pass_time(self.rig.now_us)
        self.rig.work()
        self.known_canaries()
        next_us = flow.next_us()
        assert next_us is None or next_us > self.rig.now_us

    @invariant()
    def suspects_are_alone(self) -> None:
        for held in self.rig.held:
            if held.is_suspect:
                assert held.worker.held == 1

    @invariant()
    def each_request_gets_at_most_one_final_reply(self) -> None:
        for told in self.rig.told[self.answered_until :]:
            assert self.open.get(told.id, 0) > 0, f"{told.id} was answered {told.code} although nothing was open"
            self.open[told.id] -= 1
            if not self.open[told.id]:
                del self.open[told.id]
        self.answered_until = len(self.rig.told)

    def teardown(self) -> None:
        """The supervisor drains, and half of the workers die of it."""
        self.rig.flow.drain()
        self.rig.submit("late")
        assert self.rig.replies("late") == ["SHUTTING_DOWN"]
        del self.rig.told[-1]
        for worker in self.condemned():
            self.rig.die(worker)
        for held in list(self.rig.held)[::2]:
            if held in self.rig.held:
                self.rig.die(held.worker)
        self.rig.finish()
        assert self.rig.flow.is_idle
        self.each_request_gets_at_most_one_final_reply()
        assert self.open == {}, "a request was never answered"
        assert self.rig.flow.canary.frame is None
        assert self.rig.allocator.figures().used_bytes == 0
        self.account_adds_up()
        for frame in self.known_frames() + self.known_canaries():
            assert frame.state is FrameState.FINISHED
