import numpy as np
import pytest

from rlhf.evaluation.changes import Cusum


def first_alarm(readings: list[float], limit: float = 8.0) -> int | None:
    errors = Cusum(limit=limit, warm_up=10)
    return next((at for at, reading in enumerate(readings) if errors.update(reading)), None)


@pytest.mark.parametrize("seed", range(5))
def test_noise_around_a_level_raises_no_alarm(seed: int) -> None:
    assert first_alarm(list(np.random.default_rng(seed).normal(-3.0, 0.4, 2000))) is None


def test_a_lasting_rise_is_noticed_within_a_few_readings_and_its_start_is_known() -> None:
    noise = np.random.default_rng(0).normal(0.0, 0.3, 200)
    noise[100:] += 3.0
    errors = Cusum(limit=8.0, warm_up=10)
    at = next(at for at, reading in enumerate(noise) if errors.update(reading))
    assert 102 <= at <= 105  # no single reading is enough
    assert at - errors.rising + 1 == 100


def test_one_freak_is_no_change() -> None:
    readings = [0.0] * 100
    readings[50] = 1e6
    assert first_alarm(readings) is None


def test_what_becomes_better_or_slowly_worse_is_no_change() -> None:
    noise = np.random.default_rng(1).normal(0.0, 0.3, 500)
    assert first_alarm(list(noise - np.linspace(0.0, 5.0, 500))) is None
    assert first_alarm(list(noise + np.linspace(0.0, 2.0, 500))) is None


def test_nothing_is_an_alarm_while_the_usual_is_not_known() -> None:
    assert first_alarm([0.0, 0.0, *[9.0] * 8]) is None


def test_after_a_restart_the_new_level_is_the_usual() -> None:
    errors = Cusum(limit=8.0, warm_up=5)
    for reading in [0.0] * 20 + [5.0] * 4:
        is_alarm = errors.update(reading)
    assert is_alarm
    errors.restart()
    assert not any(errors.update(reading) for reading in [5.0] * 50)
