import dataclasses

import numpy as np
import pytest
from point_env import POINT

from rlhf.clips.encode import decode_mp4
from rlhf.config import override
from rlhf.experience.goal_tasks import GOAL_TASKS, get_goal_task
from rlhf.loop.film_goals import film_goals
from rlhf.loop.learn_goals import CURVE_POINTS, GoalConfig, learn_goals

SIX_BITS = dataclasses.replace(GOAL_TASKS["bitflip-15"], name="six-bits", env_kwargs={"num_bits": 6})
SMALL = override(
    GoalConfig(),
    {"total_steps": 6000, "updates_per_step": 0.5}
    | {"q.hidden": (64, 64), "q.batch_size": 128, "q.target_rate": 0.02},
)


def silent(done: int, total: int, text: str) -> None:
    pass


def test_goals_that_chance_misses_are_reached_after_learning() -> None:
    _, report = learn_goals(SIX_BITS, SMALL, 0, silent)
    assert report["random_success"] < 0.3
    assert report["success"] > 0.9
    assert report["curve"][-1]["steps"] == report["steps"]
    assert len(report["curve"]) == CURVE_POINTS
    assert 6000 <= report["steps"] < 6000 + 16 * 6


def test_somebody_elses_goals_are_reached_with_continuous_actions() -> None:
    _, report = learn_goals(get_goal_task(f"gym:{POINT}"), SMALL, 0, silent)
    assert report["random_success"] < 0.3
    assert report["success"] > 0.95


def test_without_hindsight_less_is_learned_of_the_same() -> None:
    bits = dataclasses.replace(SIX_BITS, env_kwargs={"num_bits": 9})
    with_, without = (
        learn_goals(bits, override(SMALL, {"hindsight.ratio": ratio}), 0, silent)[1]["success"]
        for ratio in (4.0, 0.0)
    )
    assert with_ > 0.9
    assert without < 0.1


def test_the_same_seed_learns_the_same() -> None:
    config = override(SMALL, {"total_steps": 400})
    reports = [learn_goals(SIX_BITS, config, seed, silent)[1] for seed in (0, 0, 1)]
    for report in reports:
        del report["wall_s"], report["peak_rss_mb"]
    assert reports[0] == reports[1]
    assert reports[0]["curve"] != reports[2]["curve"]


def test_what_was_learned_can_be_watched() -> None:
    learner, _ = learn_goals(SIX_BITS, override(SMALL, {"total_steps": 90}), 0, silent)
    frames = decode_mp4(film_goals(SIX_BITS, learner, 0, 2))
    assert frames.ndim == 4
    assert len(frames) >= 2 * (1 + 6)
    assert (np.diff(frames.astype(int), axis=0) != 0).any()


@pytest.mark.parametrize(
    "changes",
    [{"total_steps": 0}, {"updates_per_step": 0.0}, {"first_epsilon": 1.5}, {"last_epsilon": 0.5}],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        dataclasses.replace(GoalConfig(), **changes)
