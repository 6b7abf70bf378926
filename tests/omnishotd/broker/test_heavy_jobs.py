"""The crew and heavy frames: who gets them, and what is left to light ones."""

from typing import Final

import pytest

from ipc.settings import PoolSettings
from ipc.stage import STAGES
from omnishotd.broker.crew import BATCHES_MAX, JOBS_PER_BATCH_MAX, Assignment, Crew, Job, Worker
from omnishotd.broker.frame import Frame
from tests.omnishotd.broker.rig import make_frame

DECODE, TRANSFORM, ENCODE = range(3)
THREE: Final = [PoolSettings(stages=[stage.value], workers=2) for stage in STAGES]
ONE: Final = [PoolSettings(stages=[stage.value for stage in STAGES], workers=2)]


class Team:
    """A crew whose workers answer when they are told to."""

    def __init__(self, pools: list[PoolSettings], *workers: int) -> None:
        self.crew = Crew(pools)
        self.now_us = 0
        self.held: dict[int, Job] = {}
        """By number of its frame, a job in somebody's hands."""
        self._names = 0
        for pool, count in enumerate(workers):
            for _ in range(count):
                self.hire(pool)

    def hire(self, pool: int) -> Worker:
        self._names += 1
        self.crew.expect(self._names, f"worker-{self._names}", pool)
        worker = self.crew.hello(self._names, b"w%d" % self._names)
        assert worker is not None
        return worker

    def add(self, *frames: Frame, pool: int = 0) -> None:
        for frame in frames:
            self.crew.add(Job(frame, pool, [], [], []))

    def assign(self, *, is_shared: bool = True) -> list[tuple[int, list[int]]]:
        """Give out what can be. Returns the worker and the frames of each message."""
        return [self._given(one) for one in self.crew.assign(self.now_us, is_shared=is_shared)]

    def answer(self, number: int, after_us: int = 1) -> None:
        self.now_us += after_us
        job = self.held.pop(number)
        [worker] = [one for one in self.crew.workers() if any(job in batch.jobs for batch in one.batches)]
        self.crew.answered(worker, job, self.now_us)

    def _given(self, assignment: Assignment) -> tuple[int, list[int]]:
        for job in assignment.jobs:
            self.held[job.frame.number] = job
        return assignment.worker.incarnation, [job.frame.number for job in assignment.jobs]


def light(number: int) -> Frame:
    return make_frame(number)


def heavy(number: int) -> Frame:
    frame = make_frame(number)
    frame.is_heavy = True
    return frame


def test_nothing_is_put_behind_a_heavy_frame_and_nothing_beside_it() -> None:
    team = Team(ONE, 1)
    team.add(heavy(0), heavy(1))
    assert team.assign(is_shared=False) == [(1, [0])]
    team.add(light(2), light(3))

    assert team.assign() == []
    team.answer(0)
    assert team.assign() == [(1, [2, 3])]


def test_heavy_frames_leave_half_of_the_workers_to_light_ones() -> None:
    team = Team(ONE, 4)
    team.add(*map(heavy, range(4)))

    assert team.assign() == [(1, [0]), (2, [1])]
    team.add(*map(light, range(10, 14)))
    assert {worker for worker, _ in team.assign()} == {3, 4}


def test_heavy_frames_have_all_workers_where_no_light_one_is_about() -> None:
    team = Team(ONE, 3)
    team.add(*map(heavy, range(4)))

    assert team.assign(is_shared=False) == [(1, [0]), (2, [1]), (3, [2])]


def test_worker_with_least_to_do_becomes_idle_for_a_heavy_frame_under_a_flood_of_light_ones() -> None:
    team = Team(ONE, 2)
    team.add(*map(light, range(40)))
    team.assign()
    assert [one.held for one in team.crew.workers()] == [8, 8], "all credit is used"
    team.add(heavy(99))
    chosen, other = team.crew.workers()
    for number in [job.frame.number for batch in chosen.batches for job in batch.jobs]:
        assert {worker for worker, _ in team.assign()} <= {other.incarnation}, "the other goes on"
        team.answer(number)
        team.answer(other.batches[0].jobs[0].frame.number)

    assert team.assign()[0] == (chosen.incarnation, [99])


def test_who_transforms_decodes_heavy_frames_while_light_ones_are_about() -> None:
    team = Team(THREE, 2, 1, 2)
    team.add(heavy(0), heavy(1))

    assert team.assign() == [(3, [0])]
    team.add(light(2), light(3))
    assert team.assign() == [(1, [2]), (2, [3])]
    team.answer(0)
    assert team.assign() == [(3, [1])]


def test_who_decodes_does_so_to_heavy_frames_where_no_light_one_is_about() -> None:
    team = Team(THREE, 2, 1, 2)
    team.add(*map(heavy, range(4)))

    assert team.assign(is_shared=False) == [(1, [0]), (2, [1])]


def test_who_transforms_finishes_what_was_begun_before_he_decodes() -> None:
    team = Team(THREE, 2, 1, 2)
    team.add(heavy(0))
    team.add(heavy(1), pool=TRANSFORM)

    assert team.assign() == [(3, [1])]


def test_heavy_frames_are_decoded_by_their_own_pool_where_nobody_transforms() -> None:
    team = Team(THREE, 2, 0, 2)
    team.add(heavy(0), heavy(1))

    assert team.assign() == [(1, [0])]


def test_job_that_was_handed_to_a_helper_goes_back_to_its_own_pool() -> None:
    team = Team(THREE, 1, 1, 1)
    team.add(heavy(0))
    team.assign()
    dead = team.crew.gone(2)
    assert dead is not None
    team.crew.add(team.held[0], first=True)

    assert team.assign() == [(1, [0])]


def test_only_worker_of_a_pool_has_as_long_for_light_frames_as_a_heavy_one_took() -> None:
    team = Team(ONE, 1)
    team.add(heavy(0), heavy(1))
    team.assign()
    team.add(*map(light, range(10, 60)))
    team.answer(0, after_us=1000)
    team.assign()
    while 1 not in team.held:
        assert team.now_us < 2000 + 100 * BATCHES_MAX * JOBS_PER_BATCH_MAX + 100
        team.answer(min(team.held), after_us=100)
        team.assign()

    assert team.now_us >= 2000


def test_only_worker_of_a_pool_goes_on_with_heavy_frames_where_no_light_one_waits() -> None:
    team = Team(ONE, 1)
    team.add(heavy(0), heavy(1))
    team.assign()
    team.answer(0, after_us=1000)

    assert team.assign() == [(1, [1])]


def test_canary_waits_for_no_second_heavy_frame() -> None:
    team = Team(ONE, 1)
    team.add(heavy(0), heavy(1))
    team.assign()
    canary = light(2)
    canary.is_canary = True
    team.add(canary)
    assert team.assign() == []
    team.answer(0, after_us=1000)

    assert team.assign() == [(1, [2])]


@pytest.mark.parametrize("is_shared", [False, True])
def test_condemned_worker_gets_no_heavy_frame(is_shared: bool) -> None:
    team = Team(ONE, 2)
    team.crew.workers()[0].is_condemned = True
    team.add(heavy(0))

    assert team.assign(is_shared=is_shared) == [(2, [0])]


def test_heavy_jobs_of_a_frame_that_was_answered_otherwise_are_forgotten() -> None:
    team = Team(ONE, 1)
    gone = heavy(0)
    team.add(gone, heavy(1))
    assert team.crew.ready_frames() == [gone, *[job.frame for job in team.crew._heavy[0]][1:]]
    team.crew.discard(gone)

    assert team.assign() == [(1, [1])]


def test_heavy_frame_is_stranded_with_its_pool() -> None:
    team = Team(ONE, 1)
    lost = heavy(0)
    team.add(lost)
    team.crew.gone(1)
    team.crew.fail(0)

    assert team.crew.stranded() == [lost]
