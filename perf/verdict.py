"""Verdict: what got worse since a kept result, beyond the noise of both. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from perf.figures import Spread, spread
from perf.machine import Machine
from perf.matrix import DAEMON, IDEAL, LENT
from perf.results import Results, Series
from perf.work import WORKS

FLOOR: Final = 0.03
"""Share below which nothing is called worse: a few rounds can agree by chance more closely than machines repeat."""
MEMORY_FLOOR: Final = 0.1
"""The same of memory, which is looked at once."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One ratio, then and now. Never a time: those are the machine's."""

    what: str
    is_more_better: bool
    kept: Spread
    now: Spread
    floor: float = FLOOR

    @property
    def noise(self) -> float:
        """By how much the medians may differ without meaning anything: half of what each run's own rounds span."""
        spans = (self.kept.highest - self.kept.lowest) + (self.now.highest - self.now.lowest)
        return max(spans / 2, self.floor * self.kept.median)

    @property
    def loss(self) -> float:
        """By how much it got worse; below 0 it got better."""
        change = self.now.median - self.kept.median
        return -change if self.is_more_better else change

    @property
    def is_worse(self) -> bool:
        """Whether it got worse by more than the noise."""
        return self.loss > self.noise

    @property
    def is_better(self) -> bool:
        """Whether it got better by more than the noise."""
        return -self.loss > self.noise


def compare(kept: Results, now: Results) -> list[Comparison]:
    """Compare all ratios that both results have, in the order of `now`."""
    earlier = _ratios(kept)
    return [
        Comparison(what, found.is_more_better, earlier[what].values, found.values, found.floor)
        for what, found in _ratios(now).items()
        if what in earlier
    ]


def differences(kept: Machine, now: Machine) -> list[str]:
    """List what is not the same about two machines, for which ratios may differ as well."""
    facts = [
        ("processor", kept.cpu, now.cpu),
        ("cores", str(kept.cores), str(now.cores)),
        ("kernel", kept.kernel, now.kernel),
        ("Python", kept.python, now.python),
    ]
    # Our own version is what is compared.
    libraries = sorted((kept.versions.keys() | now.versions.keys()) - {"omnishotd"})
    facts += [(name, kept.versions.get(name, "none"), now.versions.get(name, "none")) for name in libraries]
    return [f"{name}: {then}, now {here}" for name, then, here in facts if then != here]


@dataclass(frozen=True, slots=True)
class _Found:
    is_more_better: bool
    values: Spread
    floor: float = FLOOR


_Figures = Callable[[Series], Sequence[float]]


def _ratios(results: Results) -> dict[str, _Found]:
    found: dict[str, _Found] = {}
    for one in results.series:
        if one.contender not in (DAEMON, LENT) or not one.frames:
            continue
        where = f"{one.contender}, {one.work}"
        if one.saturation_share is not None:
            found[f"{where}: p99 / p50 at {one.saturation_share:.0%} of saturation"] = _Found(
                False, _by_round(one.p99_ms, one.p50_ms)
            )
            continue
        if one.producers > 1:
            _add(found, f"{where}: frames a second, {one.producers} producers / one", True, _rate, one,
                 results.find(one.contender, one.work, one.in_flight))  # fmt: skip
            continue
        ideal = results.find(IDEAL, one.work, one.in_flight)
        if one.in_flight == 1:
            _add(found, f"{where}: latency with one in flight / bare calls", False, _p50, one, ideal)
        elif one.in_flight == WORKS[one.work].busy_in_flight:
            _add(found, f"{where}: frames a second / ideal", True, _rate, one, ideal)
            _add(found, f"{where}: processor time / ideal", False, _cost, one, ideal)
    daemon, ideal_alone = results.alone.get(DAEMON), results.alone.get(IDEAL)
    if daemon and ideal_alone:
        for name, ours, theirs in (
            ("idle", daemon.idle_pss_mib, ideal_alone.idle_pss_mib),
            ("loaded", daemon.loaded_pss_mib, ideal_alone.loaded_pss_mib),
        ):
            found[f"daemon: {name} memory / ideal"] = _Found(
                False, spread([sum(ours.values()) / sum(theirs.values())]), MEMORY_FLOOR
            )
    return found


def _add(
    found: dict[str, _Found], what: str, is_more_better: bool, figures: _Figures, one: Series, other: Series | None
) -> None:
    if other is not None:
        found[what] = _Found(is_more_better, _by_round(figures(one), figures(other)))


def _by_round(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    return spread([our / their for our, their in zip(ours, theirs, strict=True)])


def _rate(one: Series) -> Sequence[float]:
    return one.frames_per_second


def _p50(one: Series) -> Sequence[float]:
    return one.p50_ms


def _cost(one: Series) -> Sequence[float]:
    return one.frame_us
