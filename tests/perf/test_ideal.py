"""The bare calls."""

from perf.ideal import Job
from perf.request import RESULT_SIDE
from tests.photographs import decoded, photograph_jpeg


def test_job_makes_the_picture_that_a_request_asks_for_every_time() -> None:
    job = Job(photograph_jpeg(800))

    first, second = job.do(), job.do()

    assert decoded(first).shape == (RESULT_SIDE, RESULT_SIDE, 3)
    assert first == second
