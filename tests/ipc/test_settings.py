"""What plain settings say beyond their fields."""

import pytest

from ipc.settings import SupervisorSettings


@pytest.mark.parametrize("hang_timeout_ms", [500, 1500, 4000, 5000, 600_000])
def test_sign_of_life_comes_several_times_before_its_absence_is_a_hang(hang_timeout_ms: int) -> None:
    settings = SupervisorSettings(restarts_max=0, restart_window_s=1.0, hang_timeout_ms=hang_timeout_ms)

    assert 0 < settings.beat_interval_ms <= 1000
    assert settings.beat_interval_ms * 4 <= hang_timeout_ms
