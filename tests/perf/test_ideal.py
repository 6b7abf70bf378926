"""The bare calls."""

import pytest

from perf.ideal import Job
from perf.request import request_of
from perf.sameness import compare
from perf.sources import source_bytes
from perf.work import WORKS
from tests.perf.made_up import thumbnail
from tests.photographs import decoded


@pytest.mark.parametrize("name", ["400", "800-full", "raw-1080p", "raw-1080p-full"])
def test_job_makes_the_picture_that_the_work_says_every_time(name: str) -> None:
    work = WORKS[name]
    job = Job(request_of(work), source_bytes(work))

    made = [job.do() for _ in range(10)]

    width, height = work.result_size
    assert decoded(made[0]).shape == (height, width, 3)
    assert set(made) == {made[0]}
    compare("another", work, made[0], thumbnail(work))
