"""Workers that have a successor, and pools that have nobody any more."""

from tests.omnishotd.broker.rig import LAYOUTS, RAW_IN, RAW_OUT, SMALLER, Rig, make_settings, used_bytes


def retired(rig: Rig) -> list[int]:
    return [worker.incarnation for worker in rig.flow.crew.retired()]


def test_retiring_worker_without_work_is_retired_at_once_and_told_of_once() -> None:
    rig = Rig()
    rig.flow.crew.retire(1)

    assert retired(rig) == [1]
    assert retired(rig) == []


def test_retiring_worker_finishes_what_it_holds_and_gets_nothing_more() -> None:
    rig = Rig(make_settings(workers=1))
    rig.submit("f")
    [held] = rig.held
    rig.flow.crew.retire(held.worker.incarnation)
    rig.submit("g")
    assert (rig.held, retired(rig)) == ([held], [])
    rig.answer(held)

    assert retired(rig) == [held.worker.incarnation]
    successor = rig.hire("decode")
    rig.work()
    assert successor in [held.worker for held in rig.held]
    rig.finish()
    assert rig.replies("f") == rig.replies("g") == ["ok"]


def test_retiring_worker_that_dies_is_gone_like_any_other() -> None:
    rig = Rig()
    rig.submit("f")
    worker = rig.held[0].worker
    rig.flow.crew.retire(worker.incarnation)
    rig.die(worker)

    assert retired(rig) == []
    rig.finish()
    assert rig.replies("f") == ["ok"]
    assert rig.told[0].header["attempts"] == 2


def test_retiring_worker_that_takes_too_long_is_overdue_like_any_other() -> None:
    rig = Rig()
    rig.submit("f")
    worker = rig.held[0].worker
    rig.flow.crew.retire(worker.incarnation)

    assert rig.wait(5_001_000) == [worker]
    assert rig.replies("f") == ["TIMEOUT"]


def test_unknown_worker_is_not_retired() -> None:
    rig = Rig()
    rig.flow.crew.retire(99)

    assert retired(rig) == []


def test_worker_that_is_retired_twice_is_told_of_once() -> None:
    rig = Rig()
    rig.flow.crew.retire(1)
    rig.flow.crew.retire(1)

    assert retired(rig) == [1]


def test_worker_that_says_hello_after_it_was_retired_gets_nothing() -> None:
    rig = Rig(hire=False)
    rig.flow.expect(1, "decode-1", ["decode"])
    rig.flow.crew.retire(1)
    rig.flow.hello(1, b"w1", rig.now_us)
    rig.submit("f")

    assert rig.held == []


def test_pool_whose_only_worker_retires_is_not_staffed() -> None:
    rig = Rig(make_settings(workers=1))
    assert rig.flow.crew.is_staffed
    rig.flow.crew.retire(1)

    assert not rig.flow.crew.is_staffed


def test_canary_goes_past_a_retiring_worker() -> None:
    rig = Rig(make_settings(workers=2), canaries=True)
    rig.flow.crew.retire(1)
    rig.work()

    assert [held.worker.incarnation for held in rig.held] == [2]


# ---- pools that failed


def test_frames_of_a_failed_pool_are_answered_at_once_and_those_that_do_not_need_it_are_finished() -> None:
    rig = Rig(make_settings(LAYOUTS[2], workers=1))
    [decoder] = [worker for worker in rig.flow.crew.workers() if worker.pool == 0]
    rig.submit("begun")
    rig.submit("waits")
    rig.die(decoder, replace=False)
    assert rig.told == []
    rig.flow.pool_failed("decode")
    rig.work()
    rig.submit("new")
    rig.submit("raw", bytes(range(256)) * 6, [SMALLER], input=RAW_IN)
    rig.finish()

    assert {told.id: told.code for told in rig.told} == {
        "begun": "INTERNAL",
        "waits": "INTERNAL",
        "new": "INTERNAL",
        "raw": "ok",
    }
    assert "no worker is left" in rig.told[0].header["error"]["message"]
    assert used_bytes(rig) == 0


def test_frame_in_the_last_worker_of_a_failed_pool_is_finished() -> None:
    rig = Rig(make_settings(LAYOUTS[3], workers=2))
    rig.submit("f")
    other = next(worker for worker in rig.flow.crew.workers() if worker is not rig.held[0].worker)
    rig.die(other, replace=False)
    rig.flow.pool_failed(LAYOUTS[3][0])
    rig.submit("g")
    rig.finish()

    assert rig.replies("f") == rig.replies("g") == ["ok"]


def test_pool_that_gets_a_worker_after_all_works_again() -> None:
    rig = Rig(make_settings(LAYOUTS[3], workers=1))
    rig.die(rig.flow.crew.workers()[0], replace=False)
    rig.flow.pool_failed(LAYOUTS[3][0])
    rig.flow.expect(50, "again", LAYOUTS[3][0].split("+"))
    rig.submit("f", outputs=[RAW_OUT])
    assert rig.told == []
    rig.flow.hello(50, b"w50", rig.now_us)
    rig.work()
    rig.finish()

    assert rig.replies("f") == ["ok"]


def test_pool_that_got_a_worker_after_all_keeps_its_frames_when_that_one_dies() -> None:
    rig = Rig(make_settings(LAYOUTS[3], workers=1))
    rig.flow.pool_failed(LAYOUTS[3][0])
    rig.die(rig.flow.crew.workers()[0])
    rig.submit("f")
    rig.die(rig.held[0].worker, replace=False)

    assert rig.told == [], "the supervisor starts another"


def test_canary_of_a_failed_pool_fails_with_the_reason() -> None:
    rig = Rig(make_settings(workers=1), canaries=True)
    rig.die(rig.flow.crew.workers()[0], replace=False)
    rig.flow.pool_failed("decode")
    rig.wait(2_000_000)

    assert rig.flow.canary.verdict is False
    assert "no worker is left" in rig.flow.canary.fault
