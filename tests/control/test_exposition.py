"""Exposition: each scraper gets the form it prefers, and nobody else loses a turn."""

import asyncio
import subprocess
import sys
import time

import pytest

from control import exposition
from control.exposition import Exposition, Form, negotiate
from control.families import families
from tests.control.scrape import broker_that_worked, crowd, observed, samples_of, value

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Form.TEXT),
        ("*/*", Form.TEXT),
        ("text/html,application/xhtml+xml,*/*;q=0.8", Form.TEXT),
        ("text/plain", Form.TEXT),
        (PROMETHEUS_2, Form.OPENMETRICS),
        (PROMETHEUS_3, Form.OPENMETRICS),
        ("application/openmetrics-text", Form.OPENMETRICS),
        ("Application/OpenMetrics-Text ; Version=1.0.0", Form.OPENMETRICS),
        ("application/openmetrics-text;version=a.b", Form.OPENMETRICS),
        ("application/openmetrics-text;q=0.1, text/plain;q=0.9", Form.TEXT),
        ("application/openmetrics-text;q=0", Form.TEXT),
        ("application/openmetrics-text;q=much", Form.TEXT),
        ("application/openmetrics-text;q=nan", Form.TEXT),
        (",;=,;;q=,", Form.TEXT),
    ],
)
def test_form_is_what_the_scraper_prefers(accept: str, form: Form) -> None:
    assert negotiate(accept) is form


def test_both_forms_say_the_same_to_their_strict_parsers() -> None:
    observer = observed()
    answers = [asyncio.run(Exposition(observer).answer(accept)) for accept in ("", PROMETHEUS_3)]
    text, openmetrics = (answer.body.decode() for answer in answers)
    moving = ("age", "uptime", "load", "host")

    assert [answer.content_type.split(";")[0] for answer in answers] == ["text/plain", "application/openmetrics-text"]
    read, expected = samples_of(openmetrics), samples_of(text)
    assert read.keys() == expected.keys()
    assert [key for key in read if read[key] != expected[key] and not any(word in key[0] for word in moving)] == []
    assert openmetrics.endswith("# EOF\n")
    assert openmetrics.count("# EOF") == 1
    assert "# EOF" not in text


def test_scrapers_that_ask_together_share_one_answer() -> None:
    async def ask() -> None:
        answers = Exposition(observed())
        first, second = await asyncio.gather(answers.answer(""), answers.answer(""))
        third = await answers.answer("text/plain")
        other = await answers.answer(PROMETHEUS_2)

        assert first is second is third
        assert other.content_type == Form.OPENMETRICS.value

    asyncio.run(ask())


def test_answer_is_made_anew_after_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    observer = observed()

    async def ask() -> None:
        answers = Exposition(observer)
        first = samples_of((await answers.answer("")).body.decode())
        observer.take(broker_that_worked(time.monotonic(), sequence=2, times=2), time.monotonic())
        kept = samples_of((await answers.answer("")).body.decode())
        monkeypatch.setattr(exposition, "KEPT_S", 0)
        fresh = samples_of((await answers.answer("")).body.decode())

        assert value(first, "received_bytes_total") == value(kept, "received_bytes_total") == 12_345
        assert value(fresh, "received_bytes_total") == 2 * 12_345

    asyncio.run(ask())


def test_scraper_that_hangs_up_does_not_take_the_answer_from_others() -> None:
    async def ask() -> None:
        answers = Exposition(observed())
        hasty, patient = (asyncio.create_task(answers.answer("")) for _ in range(2))
        await asyncio.sleep(0)
        hasty.cancel()

        assert b"omnishotd_ready 1.0" in (await patient).body
        assert hasty.cancelled()

    asyncio.run(ask())


def test_scrape_that_fails_is_tried_again_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    observer = observed()

    def fail() -> None:
        raise RuntimeError("no figures")

    async def ask() -> None:
        answers = Exposition(observer)
        with monkeypatch.context() as broken:
            broken.setattr(observer, "services", fail)
            with pytest.raises(RuntimeError, match="no figures"):
                await answers.answer("")

        assert b"omnishotd_ready 1.0" in (await answers.answer("")).body

    asyncio.run(ask())


def test_scrape_gives_others_their_turn_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no time to itself, it stops after each family; how long a family takes is measured by hand."""
    monkeypatch.setattr(exposition, "SLICE_S", 0)
    observer = crowd(12)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def ask() -> None:
        await Exposition(observer).answer("")
        nonlocal turns
        turns = 0
        beside = asyncio.create_task(others())
        await Exposition(observer).answer("")
        beside.cancel()

    asyncio.run(ask())
    assert turns > len(list(families(observer, time.monotonic())))


def test_library_is_loaded_with_the_first_scrape_only() -> None:
    program = "import control.exposition, sys; sys.exit('prometheus_client' in sys.modules)"

    subprocess.run([sys.executable, "-P", "-c", program], check=True, timeout=30)
