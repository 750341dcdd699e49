import dataclasses

import numpy as np
import pytest
from point_env import POINT

from rlhf.clips.encode import decode_mp4
from rlhf.config import override
from rlhf.errors import TaskError
from rlhf.experience.goal_tasks import GOAL_TASKS, get_goal_task
from rlhf.loop.film_goals import film_goals
from rlhf.loop.learn_goals import CURVE_POINTS, GoalConfig, learn_goals
from rlhf.loop.measure_goals import ADAPTATION_STEPS, measure_shift
from rlhf.policy.goal_foresight import GoalForesight, GoalForesightConfig
from rlhf.policy.q_learning import QConfig, QLearner
from rlhf.types.goals import GoalEpisodes, GoalSpace

RNG = np.random.default_rng(0)

SIX_BITS = dataclasses.replace(GOAL_TASKS["bitflip-15"], name="six-bits", env_kwargs={"num_bits": 6})
SMALL = override(
    GoalConfig(),
    {"total_steps": 6000, "updates_per_step": 0.5}
    | {"q.hidden": (64, 64), "q.batch_size": 128, "q.target_rate": 0.02},
)


def silent(done: int, total: int, text: str) -> None:
    pass


def test_goals_that_chance_misses_are_reached_after_learning() -> None:
    report = learn_goals(SIX_BITS, SMALL, 0, silent).report
    assert report["random_success"] < 0.3
    assert report["success"] > 0.9
    assert report["curve"][-1]["steps"] == report["steps"]
    assert len(report["curve"]) == CURVE_POINTS
    assert 6000 <= report["steps"] < 6000 + 16 * 6


def test_somebody_elses_goals_are_reached_with_continuous_actions() -> None:
    report = learn_goals(get_goal_task(f"gym:{POINT}"), SMALL, 0, silent).report
    assert report["random_success"] < 0.3
    assert report["success"] > 0.95


def test_without_hindsight_less_is_learned_of_the_same() -> None:
    bits = dataclasses.replace(SIX_BITS, env_kwargs={"num_bits": 9})
    with_, without = (
        learn_goals(bits, override(SMALL, {"hindsight.ratio": ratio}), 0, silent).report["success"]
        for ratio in (4.0, 0.0)
    )
    assert with_ > 0.9
    assert without < 0.1


def test_the_same_seed_learns_the_same() -> None:
    config = override(SMALL, {"total_steps": 400})
    reports = [learn_goals(SIX_BITS, config, seed, silent).report for seed in (0, 0, 1)]
    for report in reports:
        del report["wall_s"], report["peak_rss_mb"]
    assert reports[0] == reports[1]
    assert reports[0]["curve"] != reports[2]["curve"]


def test_what_was_learned_can_be_watched() -> None:
    learner = learn_goals(SIX_BITS, override(SMALL, {"total_steps": 90}), 0, silent).learner
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


LOOKING = {
    "foresight.on": True,
    "foresight.episodes": 32,
    "foresight.updates_per_step": 1.0,
    "foresight.plan.horizon": 3,
}


def test_foresight_helps_early_and_changes_nothing_that_is_learned() -> None:
    config = override(SMALL, {"total_steps": 4000})
    alone = learn_goals(SIX_BITS, config, 0, silent)
    seeing = learn_goals(SIX_BITS, override(config, LOOKING), 0, silent)
    early, late = seeing.report["foresight"]
    assert alone.report["curve"] == seeing.report["curve"]
    assert early["steps"] < 1100
    assert late["steps"] == seeing.report["steps"]
    assert early["success"] > early["alone"] + 0.1
    assert 0 < early["overruled"] < 1


def test_plans_longer_than_any_episode_overrule_nothing() -> None:
    longer = {"foresight.plan.horizon": 7, "foresight.plan.rounds": 1, "foresight.plan.candidates": 16}
    config = override(SMALL, {"total_steps": 100, **LOOKING, **longer})
    for found in learn_goals(SIX_BITS, config, 0, silent).report["foresight"]:
        assert found["overruled"] == 0
        assert found["success"] == found["alone"]


def test_a_changed_world_is_adapted_to_by_the_model_alone() -> None:
    task = get_goal_task("four-rooms")
    config = override(SMALL, {"total_steps": 800, **LOOKING, "foresight.updates_per_step": 0.25})
    learner, foresight, _ = learn_goals(task, config, 0, silent)
    assert foresight is not None
    probe = np.ones((3, 30), np.float32)
    before = learner.values(probe, probe)
    found = measure_shift(task, {"wind": 0.3}, learner, foresight, 16, 0)
    assert found["settings"] == {"wind": 0.3}
    assert 0 <= found["alone"] <= 1
    assert foresight.model.num_steps == ADAPTATION_STEPS
    assert np.array_equal(before, learner.values(probe, probe))
    with pytest.raises(TaskError, match="cannot be changed"):
        measure_shift(task, {"gravity": 0.3}, learner, foresight, 16, 0)


def test_foresight_refuses_observations_that_do_not_show_the_goal() -> None:
    foresight = GoalForesight(
        GoalForesightConfig(),
        GoalSpace(observation_dim=2, goal_dim=1, action_dims=1, action_options=2),
        QLearner(QConfig(), GoalSpace(observation_dim=2, goal_dim=1, action_dims=1, action_options=2), RNG),
        0.98,
        lambda achieved, desired: np.all(achieved == desired, axis=-1),
        RNG,
    )
    hidden = GoalEpisodes(
        observations=np.zeros((1, 4, 2), np.float32),
        achieved=np.ones((1, 4, 1), np.float32),
        desired=np.zeros((1, 1), np.float32),
        actions=np.zeros((1, 3, 1), np.int64),
        lengths=np.full(1, 3),
        reached=np.zeros(1, np.bool_),
    )
    with pytest.raises(ValueError, match=r"without foresight\.on"):
        foresight.learn(hidden)
