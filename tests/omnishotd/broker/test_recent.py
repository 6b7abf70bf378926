"""The bounded memory."""

from omnishotd.broker.recent import Recent


def test_value_is_remembered_until_too_many_others_were_asked_for() -> None:
    recent: Recent[int, str] = Recent(2)
    recent.put(1, "one")
    recent.put(2, "two")
    assert recent.get(1) == "one"
    recent.put(3, "three")

    assert (recent.get(1), recent.get(2), recent.get(3)) == ("one", None, "three")


def test_put_gives_back_the_value_and_replaces_the_old_one() -> None:
    recent: Recent[str, int] = Recent(1)

    assert recent.put("key", 1) == 1
    assert recent.put("key", 2) == 2
    assert recent.get("key") == 2


def test_unknown_key_gives_none() -> None:
    assert Recent[str, int](1).get("key") is None
