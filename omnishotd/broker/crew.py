"""Crew: the workers, what each holds, and who gets the next job. Pure.

A worker has credit for `BATCHES_MAX` messages, so that the next one lies ready when it finishes. A message carries
several jobs only where these are small and more jobs wait than workers: a frame never waits for company.

A heavy frame's job gets an idle worker, and nothing is put behind it. While there are light frames about, heavy ones
have at most half of a pool's workers, the one who has least to do is kept free for them, and decoding them is left to
those who transform, who have the libraries for it and little else to do. A pool's only worker has for light frames as
long as the heavy one before them took.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ipc.messages import Step
from ipc.settings import PoolSettings
from ipc.stage import Stage
from omnishotd.broker.frame import Frame

BATCHES_MAX: Final = 2
JOBS_PER_BATCH_MAX: Final = 4
SMALL_PIXELS_MAX: Final = 1 << 20
"""A frame of more pixels is never sent in company: its own work far outweighs a message."""


@dataclass(slots=True, eq=False)
class Job:
    """Neighbouring steps of one frame for one worker."""

    frame: Frame
    pool: int
    steps: list[Step]
    stages: list[Stage]
    """Of each step, its stage."""
    outputs: list[int]
    """Outputs that this job takes further."""
    lease: int = 0
    """Name of the hand-over it is in now; 0 while it waits."""


@dataclass(slots=True, eq=False)
class Batch:
    """Jobs that went out in one message; those answered are taken out."""

    jobs: list[Job]
    is_delivered: bool = True
    """Whether the worker can have got it."""


@dataclass(slots=True, eq=False)
class Worker:
    """A worker process."""

    incarnation: int
    service: str
    pool: int
    identity: bytes = b""
    """Its connection; empty until it has said hello."""
    batches: deque[Batch] = field(default_factory=deque)
    """Unanswered messages, oldest first: a worker works on the first of them and has not looked at the others."""
    since_us: int = 0
    """When it began what it is doing now: its last answer, or the message that found it idle."""
    is_condemned: bool = False
    """Gets nothing more, and is about to be killed: overran its time limit, cannot be reached, or was distrusted."""
    is_retiring: bool = False
    """Has a successor: gets nothing more, and ends when it holds nothing."""
    held: int = 0
    """Jobs in `batches`."""
    has_heavy: bool = False
    """Whether it is at a heavy frame: then that is all it has."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Jobs that one worker gets in one message."""

    worker: Worker
    jobs: list[Job]


class Crew:
    """All workers and the jobs that are ready for them."""

    def __init__(self, pools: Sequence[PoolSettings]) -> None:
        self._ready: list[deque[Job]] = [deque() for _ in pools]
        self._heavy: list[deque[Job]] = [deque() for _ in pools]
        """As `_ready`, of heavy frames."""
        self._helped: list[int | None] = [_helped_by(pool, pools) for pool in pools]
        """By pool, whose heavy jobs it does if it has none of its own."""
        self._light_until_us = [0 for _ in pools]
        """By pool with one worker: how long light frames go first."""
        self._members: list[list[Worker]] = [[] for _ in pools]
        """By pool, who may get jobs."""
        self._workers: dict[int, Worker] = {}
        self._retiring: list[Worker] = []
        """Those of whom nobody was told yet that they hold nothing."""
        self._failed: set[int] = set()

    def expect(self, incarnation: int, service: str, pool: int) -> None:
        """Learn from the supervisor that a worker was started."""
        self._workers[incarnation] = Worker(incarnation, service, pool)
        self._failed.discard(pool)

    def hello(self, incarnation: int, identity: bytes) -> Worker | None:
        """Take a worker into its pool. Returns None for one that the supervisor did not announce."""
        worker = self._workers.get(incarnation)
        if worker is None or worker.identity:
            return None
        worker.identity = identity
        if not worker.is_retiring:
            self._members[worker.pool].append(worker)
        return worker

    def retire(self, incarnation: int) -> None:
        """Give a worker nothing more; a canary goes to the others of its pool then."""
        worker = self._workers.get(incarnation)
        if worker is None or worker.is_retiring:
            return
        worker.is_retiring = True
        self._retiring.append(worker)
        self._leave(worker)

    def retired(self) -> list[Worker]:
        """List the retiring workers that hold nothing any more, each once."""
        done = [worker for worker in self._retiring if not worker.batches]
        for worker in done:
            self._retiring.remove(worker)
        return done

    def fail(self, pool: int) -> None:
        """Learn from the supervisor that it starts no more workers for a pool. One more makes it as good as new."""
        self._failed.add(pool)

    @property
    def is_broken(self) -> bool:
        """Whether a pool has nobody and will have nobody."""
        return bool(self._deserted())

    def stranded(self) -> list[Frame]:
        """List the frames that wait for a pool which has nobody and will have nobody."""
        return [job.frame for pool in self._deserted() for job in (*self._ready[pool], *self._heavy[pool])]

    def _deserted(self) -> set[int]:
        return self._failed - {worker.pool for worker in self._workers.values()} if self._failed else self._failed

    @property
    def is_staffed(self) -> bool:
        """Whether every pool has a worker that may get jobs."""
        return all(self._members)

    def workers(self) -> list[Worker]:
        """List all workers that were announced and not yet reported dead."""
        return list(self._workers.values())

    def busy(self) -> list[Worker]:
        """List the workers that hold something and are not condemned yet."""
        return [worker for worker in self._workers.values() if worker.batches and not worker.is_condemned]

    def add(self, job: Job, *, first: bool = False) -> None:
        """Make a job ready; `first` for one that has waited before. A canary's goes first always."""
        ready = (self._heavy if job.frame.is_heavy else self._ready)[job.pool]
        if first or job.frame.is_canary:
            ready.appendleft(job)
        else:
            ready.append(job)

    def ready_frames(self) -> list[Frame]:
        """List the frames of all jobs that wait for a worker, once a job."""
        return [job.frame for ready in (*self._ready, *self._heavy) for job in ready]

    def discard(self, frame: Frame) -> None:
        """Forget the ready jobs of a frame that was answered otherwise."""
        for ready in self._heavy if frame.is_heavy else self._ready:
            for job in [job for job in ready if job.frame is frame]:
                ready.remove(job)

    def assign(self, now_us: int, *, is_shared: bool = False) -> list[Assignment]:
        """Give out ready jobs as far as there is credit. `is_shared`: whether light frames are about."""
        assignments: list[Assignment] = []
        is_heavy = any(self._heavy)
        for pool, (ready, members) in enumerate(zip(self._ready, self._members, strict=True)):
            kept = self._assign_heavy(pool, now_us, assignments, is_shared=is_shared) if is_heavy else None
            while ready:
                assignment = self._assign_next(ready, members, kept, now_us)
                if assignment is None:
                    break
                assignments.append(assignment)
        return assignments

    def answered(self, worker: Worker, job: Job, now_us: int) -> None:
        """Note that a worker answered a job."""
        if worker.has_heavy:
            worker.has_heavy = False
            self._light_until_us[worker.pool] = 2 * now_us - worker.since_us
        worker.since_us = now_us
        for batch in worker.batches:
            if job in batch.jobs:
                batch.jobs.remove(job)
                worker.held -= 1
                break
        while worker.batches and not worker.batches[0].jobs:
            worker.batches.popleft()

    def undelivered(self, worker: Worker, lease: int) -> None:
        """Note that the message with this lease did not reach its worker, and give the worker nothing more."""
        worker.is_condemned = True
        for batch in worker.batches:
            if any(job.lease == lease for job in batch.jobs):
                batch.is_delivered = False

    def overdue(self, now_us: int, limit_us: int) -> list[Worker]:
        """List the workers that have been at one job for longer than the limit."""
        return [worker for worker in self.busy() if now_us - worker.since_us > limit_us]

    def excuse(self, gap_us: int) -> None:
        """Leave out a time in which nobody listened to the workers."""
        for worker in self._workers.values():
            worker.since_us += gap_us

    def gone(self, incarnation: int) -> Worker | None:
        """Take out a worker that is proved dead, and return it with what it held."""
        worker = self._workers.pop(incarnation, None)
        if worker is not None:
            self._leave(worker)
            self._retiring = [other for other in self._retiring if other is not worker]
        return worker

    def _leave(self, worker: Worker) -> None:
        """Take a worker out of those who get jobs, if it is one of them."""
        if worker in self._members[worker.pool]:
            self._members[worker.pool].remove(worker)

    def _assign_heavy(self, pool: int, now_us: int, assignments: list[Assignment], *, is_shared: bool) -> Worker | None:
        """Give heavy jobs to idle workers of a pool. Returns the one that is to become idle for the next of them."""
        while ready := self._heavy_for(pool, is_shared=is_shared):
            worker = self._taker_of_heavy(pool, now_us, is_shared=is_shared)
            if worker is None or worker.batches:
                return worker
            job = ready.popleft()
            worker.has_heavy = True
            assignments.append(_assigned(worker, [job], now_us))
        return None

    def _heavy_for(self, pool: int, *, is_shared: bool) -> deque[Job]:
        """Choose the heavy jobs that a pool is to do: its own first, so that what was begun is finished."""
        own = self._heavy[pool]
        helped = self._helped[pool]
        return own if own or helped is None or not is_shared else self._heavy[helped]

    def _taker_of_heavy(self, pool: int, now_us: int, *, is_shared: bool) -> Worker | None:
        """Choose a pool's next worker for a heavy job. It may have to finish what it holds. None if it is not to be."""
        members = [worker for worker in self._members[pool] if not worker.is_condemned]
        at_heavy = sum(worker.has_heavy for worker in members)
        if is_shared:
            if self._is_helped(pool) or at_heavy >= (len(members) + 1) // 2:
                return None
            if len(members) == 1 and self._ready[pool] and now_us < self._light_until_us[pool]:
                return None
        return min((worker for worker in members if not worker.has_heavy), key=_load, default=None)

    def _is_helped(self, pool: int) -> bool:
        """Tell whether another pool, which has workers, does this one's heavy jobs."""
        return any(helped == pool and members for helped, members in zip(self._helped, self._members, strict=True))

    def _assign_next(
        self, ready: deque[Job], members: list[Worker], kept: Worker | None, now_us: int
    ) -> Assignment | None:
        suspect = ready[0].frame.suspect
        takers = [worker for worker in members if worker is not kept and _can_take(worker, suspect=suspect)]
        if not takers:
            return None
        jobs = [ready.popleft()]
        worker = min(takers, key=_unheard_for if jobs[0].frame.is_canary else _load)
        if not suspect and _is_small(jobs[0]):
            share = min(JOBS_PER_BATCH_MAX, -(-(len(ready) + 1) // len(takers)))
            while ready and len(jobs) < share and _is_small(ready[0]) and not ready[0].frame.suspect:
                jobs.append(ready.popleft())
        return _assigned(worker, jobs, now_us)


def _assigned(worker: Worker, jobs: list[Job], now_us: int) -> Assignment:
    if not worker.batches:
        worker.since_us = now_us
    worker.batches.append(Batch(list(jobs)))
    worker.held += len(jobs)
    return Assignment(worker, jobs)


def _helped_by(pool: PoolSettings, pools: Sequence[PoolSettings]) -> int | None:
    """Find the pool whose heavy frames this one can decode: its workers know how, for overlays."""
    if Stage.TRANSFORM not in pool.stages or Stage.DECODE in pool.stages:
        return None
    return next((index for index, other in enumerate(pools) if Stage.DECODE in other.stages), None)


def _can_take(worker: Worker, *, suspect: bool) -> bool:
    """Tell whether a worker has credit. A suspect gets a worker of its own, and keeps it to itself."""
    if worker.is_condemned or worker.has_heavy:
        return False
    if suspect or not worker.batches:
        return not worker.batches
    if len(worker.batches) >= BATCHES_MAX:
        return False
    for job in worker.batches[0].jobs:  # noqa: SIM110 - `any` of a generator takes twice as long, on the hottest path
        if job.frame.suspect:
            return False
    return True


def _load(worker: Worker) -> int:
    return worker.held


def _unheard_for(worker: Worker) -> tuple[int, int]:
    """Order workers for a canary: those without work, of whom it is the only sign of life, by their last answer."""
    return len(worker.batches), worker.since_us


def _is_small(job: Job) -> bool:
    """Tell whether a job may have company; a canary has none, or nobody could say whose fault it was."""
    return job.frame.plan.pixels <= SMALL_PIXELS_MAX and not job.frame.is_canary
