"""The crew: credit, company, and who is left alone."""

from dataclasses import replace

import pytest

from ipc.settings import PoolSettings
from omnishotd.broker.crew import BATCHES_MAX, JOBS_PER_BATCH_MAX, SMALL_PIXELS_MAX, Assignment, Crew, Job, Worker
from omnishotd.broker.frame import Frame
from tests.omnishotd.broker.rig import make_frame

POOLS = [PoolSettings(stages=["decode"], workers=2), PoolSettings(stages=["transform", "encode"], workers=1)]


def make_crew(workers: int = 1) -> Crew:
    """A crew with so many workers in pool 0."""
    crew = Crew(POOLS)
    for number in range(1, workers + 1):
        hire(crew, number)
    return crew


def hire(crew: Crew, number: int, pool: int = 0) -> Worker:
    crew.expect(number, f"worker-{number}", pool)
    worker = crew.hello(number, b"w%d" % number)
    assert worker is not None
    return worker


def job(frame: Frame, pool: int = 0) -> Job:
    return Job(frame, pool, [], [], [])


def add(crew: Crew, *frames: Frame) -> None:
    for frame in frames:
        crew.add(job(frame))


def frames(count: int, first: int = 0) -> list[Frame]:
    return [make_frame(number) for number in range(first, first + count)]


def given(assignments: list[Assignment]) -> list[tuple[int, list[int]]]:
    """Incarnation, and numbers of its frames, of each message."""
    return [(one.worker.incarnation, [job.frame.number for job in one.jobs]) for one in assignments]


def large(number: int) -> Frame:
    frame = make_frame(number)
    frame.plan = replace(frame.plan, pixels=SMALL_PIXELS_MAX + 1)
    return frame


def suspect(number: int) -> Frame:
    frame = make_frame(number)
    frame.suspect = True
    return frame


def test_worker_that_was_not_announced_is_not_taken_in() -> None:
    crew = Crew(POOLS)

    assert crew.hello(1, b"w1") is None
    add(crew, make_frame(0))
    assert crew.assign(0) == []


def test_worker_that_says_hello_twice_is_taken_in_once() -> None:
    crew = make_crew(1)

    assert crew.hello(1, b"other") is None
    add(crew, *[large(number) for number in range(3)])
    assert given(crew.assign(0)) == [(1, [0]), (1, [1])]


def test_worker_that_has_not_said_hello_gets_nothing() -> None:
    crew = Crew(POOLS)
    crew.expect(1, "decode-0", 0)
    add(crew, make_frame(0))

    assert crew.assign(0) == []
    crew.hello(1, b"w1")
    assert given(crew.assign(0)) == [(1, [0])]


def test_job_goes_to_its_own_pool() -> None:
    crew = make_crew(1)
    hire(crew, 2, pool=1)
    crew.add(job(make_frame(0), pool=1))

    assert given(crew.assign(0)) == [(2, [0])]


def test_worker_gets_two_messages_and_then_nothing_until_it_answers() -> None:
    crew = make_crew(1)
    add(crew, *[large(number) for number in range(3)])

    first, second = crew.assign(0)
    assert BATCHES_MAX == 2
    assert crew.assign(0) == []
    crew.answered(first.worker, first.jobs[0], 5)
    assert given(crew.assign(5)) == [(1, [2])]
    assert second.worker.held == 2


def test_idle_worker_is_preferred_to_one_with_work() -> None:
    crew = make_crew(2)
    add(crew, make_frame(0))
    assert given(crew.assign(0)) == [(1, [0])]
    add(crew, make_frame(1))
    assert given(crew.assign(0)) == [(2, [1])]


def test_fewer_jobs_than_workers_travel_alone() -> None:
    crew = make_crew(3)
    add(crew, *frames(3))

    assert given(crew.assign(0)) == [(1, [0]), (2, [1]), (3, [2])]


def test_more_small_jobs_than_workers_share_messages_evenly() -> None:
    crew = make_crew(2)
    add(crew, *frames(6))

    assignments = crew.assign(0)

    assert given(assignments)[0] == (1, [0, 1, 2])
    assert [worker.held for worker in crew.workers()] == [3, 3]


def test_message_carries_at_most_four_jobs() -> None:
    crew = make_crew(1)
    add(crew, *frames(20))

    assert JOBS_PER_BATCH_MAX == 4
    assert given(crew.assign(0)) == [(1, [0, 1, 2, 3]), (1, [4, 5, 6, 7])]


def test_large_frame_travels_alone_in_its_turn() -> None:
    crew = make_crew(1)
    add(crew, make_frame(0), large(1), make_frame(2))

    assert given(crew.assign(0)) == [(1, [0]), (1, [1])]


def test_suspect_waits_for_an_idle_worker_and_others_behind_it_wait_too() -> None:
    crew = make_crew(1)
    add(crew, make_frame(0))
    [busy] = crew.assign(0)
    add(crew, suspect(1), make_frame(2))

    assert crew.assign(0) == []
    crew.answered(busy.worker, busy.jobs[0], 1)
    assert given(crew.assign(1)) == [(1, [1])]


def test_suspect_gets_no_company_and_no_follower() -> None:
    crew = make_crew(1)
    add(crew, suspect(0), *frames(3, first=1))
    [alone] = crew.assign(0)

    assert [job.frame.number for job in alone.jobs] == [0]
    crew.answered(alone.worker, alone.jobs[0], 1)
    assert given(crew.assign(1)) == [(1, [1, 2, 3])]


def test_suspect_is_not_taken_along_by_the_message_before_it() -> None:
    crew = make_crew(1)
    add(crew, make_frame(0), suspect(1))

    assert given(crew.assign(0)) == [(1, [0])]


def test_condemned_worker_gets_nothing() -> None:
    crew = make_crew(2)
    crew.workers()[0].is_condemned = True
    add(crew, make_frame(0))

    assert given(crew.assign(0)) == [(2, [0])]


def test_first_puts_a_job_before_those_that_wait() -> None:
    crew = make_crew(1)
    add(crew, large(0))
    crew.add(job(large(1)), first=True)

    assert given(crew.assign(0)) == [(1, [1]), (1, [0])]


def test_discard_forgets_all_ready_jobs_of_a_frame_in_all_pools() -> None:
    crew = make_crew(1)
    hire(crew, 2, pool=1)
    gone, kept = make_frame(0), make_frame(1)
    for pool in (0, 1):
        crew.add(job(gone, pool))
        crew.add(job(kept, pool))
        crew.add(job(gone, pool))
    crew.discard(gone)

    assert given(crew.assign(0)) == [(1, [1]), (2, [1])]


def test_gone_gives_the_dead_worker_once_with_what_it_held() -> None:
    crew = make_crew(2)
    add(crew, make_frame(0))
    crew.assign(0)

    dead = crew.gone(1)
    assert dead is not None
    assert dead.held == 1
    assert crew.gone(1) is None
    add(crew, make_frame(1))
    assert given(crew.assign(0)) == [(2, [1])]


def test_gone_before_hello_is_no_fault() -> None:
    crew = Crew(POOLS)
    crew.expect(1, "decode-0", 0)

    assert crew.gone(1) is not None
    assert crew.hello(1, b"w1") is None


@pytest.mark.parametrize(("now_us", "is_overdue"), [(1100, False), (1101, True)])
def test_overdue_counts_from_the_message_that_found_the_worker_idle(now_us: int, is_overdue: bool) -> None:
    crew = make_crew(1)
    add(crew, large(0))
    crew.assign(1000)
    add(crew, large(1))
    crew.assign(1050)

    assert bool(crew.overdue(now_us, 100)) == is_overdue


def test_overdue_counts_anew_from_each_answer() -> None:
    crew = make_crew(1)
    add(crew, *frames(2))
    [assignment] = crew.assign(0)
    crew.answered(assignment.worker, assignment.jobs[0], 90)

    assert crew.overdue(190, 100) == []
    assert crew.overdue(191, 100) == [assignment.worker]


def test_idle_worker_is_never_overdue() -> None:
    crew = make_crew(1)
    add(crew, make_frame(0))
    [assignment] = crew.assign(0)
    crew.answered(assignment.worker, assignment.jobs[0], 1)

    assert crew.overdue(10**12, 100) == []
    assert crew.busy() == []
