"""Turns, and who drops out of them."""

import contextlib
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from PIL import Image

from perf.contender import Contender, Facts, Load, MeasurementFailed, Run
from perf.harness import Field, Rounds, sample, standing
from perf.matrix import Cell
from perf.sources import source_bytes
from perf.work import WORKS, Work
from tests.perf.made_up import thumbnail

PHOTOGRAPH, RAW = WORKS["400"], WORKS["raw-1080p"]
CELLS = [Cell(PHOTOGRAPH, 32), Cell(RAW, 16), Cell(PHOTOGRAPH, 32, None, 1, 0.5)]


class Puppet:
    """Does what the test says."""

    def __init__(self, name: str, *, fails_at: int = 1 << 30, picture: bytes = b"") -> None:
        self.name = name
        self.loads: list[Load] = []
        self._fails_at = fails_at
        self._picture = picture

    def facts(self) -> Facts:
        return Facts("1", "none", "everything")

    @contextlib.contextmanager
    def start(self, files: Mapping[Work, Path]) -> Iterator[Contender]:
        assert files
        if self._fails_at < 0:
            raise MeasurementFailed("it does not start")
        yield self

    def time_start(self) -> float:
        return 0.1

    def refusal(self, work: Work, load: Load) -> str | None:
        return "no raw pixels" if work.source == "raw" and self.name != "ideal" and load.in_flight else None

    def sample(self, work: Work) -> bytes:
        return self._picture or thumbnail(work)

    def measure(self, work: Work, load: Load, seconds: float) -> Run:
        assert seconds > 0
        self.loads.append(load)
        if len(self.loads) >= self._fails_at:
            raise MeasurementFailed("it has ended")
        return Run(100, 1.0, [work.width] * 100, 110, [])

    def processes(self) -> Mapping[str, Sequence[int]]:
        return {}

    def producers(self) -> Sequence[int]:
        return ()


def rounds_of(*puppets: Puppet) -> tuple[Rounds, Field]:
    found = Field({puppet.name: puppet for puppet in puppets})
    return Rounds(found, CELLS, 0.1, lambda _: None), found


def test_everybody_has_a_figure_for_each_round_and_a_reason_where_there_is_none() -> None:
    rounds, _ = rounds_of(Puppet("ideal"), Puppet("rival"))
    rounds.take(3, time.monotonic() + 60)

    found = {(one.contender, one.work, one.saturation_share): one for one in rounds.series()}
    assert len(found) == 6
    assert found["rival", "400", None].frames_per_second == [100.0] * 3
    assert found["rival", "raw-1080p", None].refusal == "no raw pixels"
    assert found["ideal", "raw-1080p", None].p50_ms == [1.92] * 3


def test_what_is_sent_by_the_clock_has_its_share_of_what_was_just_reached() -> None:
    rival = Puppet("rival")
    rounds, _ = rounds_of(rival)
    rounds.take(1, time.monotonic() + 60)

    assert rival.loads == [Load(32, 1, None), Load(32, 1, 50.0)]


def test_one_that_fails_is_out_of_it_and_the_others_go_on() -> None:
    rounds, found = rounds_of(Puppet("ideal"), Puppet("rival", fails_at=3))
    rounds.take(3, time.monotonic() + 60)

    assert found.missing == {"rival": "it has ended"}
    assert {one.contender for one in rounds.series() if one.frames} == {"ideal"}


def test_one_that_does_not_keep_up_with_the_clock_stays_in() -> None:
    rounds, found = rounds_of(Puppet("rival", fails_at=2))
    rounds.take(1, time.monotonic() + 60)

    assert not found.missing
    assert [one.refusal for one in rounds.series()] == ["", "no raw pixels", "it has ended"]


def test_without_the_ideal_there_is_nothing_to_be_said() -> None:
    rounds, _ = rounds_of(Puppet("ideal", fails_at=1))

    with pytest.raises(MeasurementFailed, match="ideal: it has ended"):
        rounds.take(1, time.monotonic() + 60)


def test_when_the_time_is_over_one_round_has_been_taken() -> None:
    rounds, _ = rounds_of(Puppet("ideal"))
    rounds.take(5, time.monotonic())

    assert rounds.number == 1
    assert [one.frames for one in rounds.series() if one.frames] == [[100]] * 3


def test_one_that_does_not_start_is_missing() -> None:
    with standing([Puppet("ideal"), Puppet("rival", fails_at=-1)], {PHOTOGRAPH: Path()}, lambda _: None) as found:
        assert list(found.standing) == ["ideal"]
        assert found.missing == {"rival": "it does not start"}


@pytest.mark.parametrize(
    ("picture", "complaint"),
    [
        (thumbnail(PHOTOGRAPH, is_turned=True), "the picture is not the ideal's, RMSE"),
        (source_bytes(PHOTOGRAPH), "made a JPEG of 400 x 400 in place of a JPEG of 300 x 300"),
        (b"nothing", "made a 7 bytes that are no picture"),
    ],
)
def test_one_that_does_other_work_is_out_of_it(picture: bytes, complaint: str) -> None:
    _, found = rounds_of(Puppet("rival", picture=picture), Puppet("ideal"))

    samples = sample(found, "ideal", CELLS)

    assert complaint in found.missing["rival"]
    assert [one.work for one in samples["ideal"]] == ["400", "raw-1080p"]


def test_one_of_ours_has_to_make_the_very_same_bytes() -> None:
    stream = io.BytesIO()
    Image.open(io.BytesIO(thumbnail(PHOTOGRAPH))).save(stream, "JPEG", quality=79)
    _, found = rounds_of(Puppet("ideal"), Puppet("rival", picture=stream.getvalue()))
    assert sample(found, "ideal", CELLS)["rival"][0].rmse > 0

    _, found = rounds_of(Puppet("ideal"), Puppet("lent", picture=stream.getvalue()))
    sample(found, "ideal", CELLS)
    assert "not the same work" in found.missing["lent"]
