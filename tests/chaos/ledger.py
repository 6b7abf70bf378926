"""Ledger: from the histories of all producers to what became of every request. Pure.

What counts as what:
- lost: asked, and never answered finally, although it was asked again;
- duplicated: more replies on one connection than times it was asked there, or two replies there of two executions;
- unexpected: a reply to what was never asked on its connection;
- wrong: a reply whose pictures are not the ones asked for.
A producer asks on a new connection only for what has no final reply, so a second answer to the same request after that
is seen as unexpected.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from ipc.errors import FREES_ID, ErrorCode
from tests.chaos.history import OK, Answered, Asked, Ended, Happening, Unanswered

ASKED_AGAIN: Final = frozenset({ErrorCode.BUSY, ErrorCode.RATE_LIMITED, ErrorCode.CANCELLED})
"""No final replies. A producer of this run cancels only what it will ask for again."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A time without any good reply."""

    took_s: float = 0.0
    began_s: float = 0.0
    """Since the first request of all."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the requests; the lists name them."""

    submitted: int = 0
    ok: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    """Final errors by code."""
    put_off: dict[str, int] = field(default_factory=dict)
    """Replies that are no end, by code."""
    asked_again: int = 0
    """Times that a request was sent beyond the first."""
    recovered: list[str] = field(default_factory=list)
    """Answered in the end, but only when asked for again after the producer's own limit. Either the daemon was
    slow, or it lost a reply and still knew it: nobody can tell which from outside."""
    lost: list[str] = field(default_factory=list)
    duplicated: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """Producers that did not end in order."""
    silence: Silence = Silence()
    """The longest of all producers together."""
    silences: dict[str, Silence] = field(default_factory=dict)
    """The longest of each."""
    slowest_s: float = 0.0
    """From the first asking to a good reply."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, duplicated, unexpected or wrong, and something was asked."""
        return self.submitted > 0 and not any(
            (self.lost, self.duplicated, self.unexpected, self.wrong, self.broken),
        )

    @property
    def availability(self) -> float:
        """Share of the requests that were answered well."""
        return self.ok / self.submitted if self.submitted else 0.0


@dataclass(slots=True)
class _Request:
    """What is known of one request."""

    first_s: float
    asked: Counter[int] = field(default_factory=Counter)
    """Times, by connection."""
    answers: dict[int, list[Answered]] = field(default_factory=dict)
    """By connection."""
    end: Answered | None = None
    was_unanswered: bool = False


class _Account:
    """One producer's requests."""

    def __init__(self, producer: str) -> None:
        self._producer = producer
        self.requests: dict[str, _Request] = {}
        self.unexpected: list[str] = []
        self.wrong: list[str] = []
        self.put_off: Counter[str] = Counter()
        self.asked_s: list[float] = []
        self.good_s: list[float] = []
        self.ended: Ended | None = None

    def add(self, event: Happening) -> None:
        """Take the next event."""
        match event:
            case Asked():
                request = self.requests.setdefault(event.request, _Request(event.at_s))
                request.asked[event.link] += 1
                self.asked_s.append(event.at_s)
            case Answered():
                self._add_answer(event)
            case Unanswered():
                self.requests[event.request].was_unanswered = True
            case Ended():
                self.ended = event

    def _add_answer(self, answer: Answered) -> None:
        request = self.requests.get(answer.request)
        if request is None or not request.asked[answer.link]:
            self.unexpected.append(f"{self.name(answer.request)} ({answer.code} on connection {answer.link})")
            return
        request.answers.setdefault(answer.link, []).append(answer)
        if answer.fault:
            self.wrong.append(f"{self.name(answer.request)}: {answer.fault}")
        if answer.code in ASKED_AGAIN:
            self.put_off[answer.code] += 1
            return
        if answer.code == OK:
            self.good_s.append(answer.at_s)
        request.end = request.end or answer

    def name(self, request: str) -> str:
        """Name a request among those of all producers."""
        return f"{self._producer}/{request}"

    def duplicated(self) -> list[str]:
        """List the requests that were answered too often."""
        found = [
            f"{self.name(name)} ({', '.join(answer.code for answer in answers)} on connection {link})"
            for name, request in self.requests.items()
            for link, answers in request.answers.items()
            if len(answers) > request.asked[link] or _executions(answers) > 1
        ]
        if self.ended is not None and self.ended.ignored > self.ended.ignored_max:
            found.append(f"{self._producer} ({self.ended.ignored} replies ignored, {self.ended.ignored_max} explained)")
        return found


def _executions(answers: Iterable[Answered]) -> int:
    """Count the executions that replies on one connection tell of, but those whose code frees the name for another."""
    return len({(answer.code, answer.trace) for answer in answers if answer.code not in FREES_ID})


def longest_silence(asked_s: Sequence[float], good_s: Sequence[float], start_s: float) -> Silence:
    """Find the longest time without a good reply, from the first asking to the last, or to the last good reply."""
    if not asked_s:
        return Silence()
    ordered = sorted([min(asked_s), *good_s, max([*asked_s, *good_s])])
    gaps = (Silence(later - earlier, earlier - start_s) for earlier, later in pairwise(ordered))
    return max(gaps, key=lambda silence: silence.took_s, default=Silence())


def settle(histories: Mapping[str, Sequence[Happening]]) -> Tally:
    """Settle the accounts of all producers."""
    accounts = {producer: _Account(producer) for producer in histories}
    for producer, history in histories.items():
        for event in history:
            accounts[producer].add(event)
    everyone = list(accounts.values())
    requests = [(account.name(name), each) for account in everyone for name, each in account.requests.items()]
    ends = [(each, each.end) for _, each in requests if each.end is not None]
    asked_s = [at_s for account in everyone for at_s in account.asked_s]
    start_s = min(asked_s, default=0.0)
    good = [(each, end) for each, end in ends if end.code == OK]
    return Tally(
        submitted=len(requests),
        ok=len(good),
        errors=dict(Counter(end.code for _, end in ends if end.code != OK)),
        put_off=dict(sum((account.put_off for account in everyone), Counter())),
        asked_again=sum(each.asked.total() - 1 for _, each in requests),
        recovered=[name for name, each in requests if each.end is not None and each.was_unanswered],
        lost=[name for name, each in requests if each.end is None],
        duplicated=[name for account in everyone for name in account.duplicated()],
        unexpected=[name for account in everyone for name in account.unexpected],
        wrong=[told for account in everyone for told in account.wrong],
        broken=[producer for producer, account in accounts.items() if account.ended is None],
        silence=longest_silence(asked_s, [at_s for account in everyone for at_s in account.good_s], start_s),
        silences={
            name: longest_silence(account.asked_s, account.good_s, start_s) for name, account in accounts.items()
        },
        slowest_s=max((end.at_s - each.first_s for each, end in good), default=0.0),
    )
