import dataclasses

import numpy as np
import pytest

from rlhf.errors import TaskError
from rlhf.experience.tasks import get_task
from rlhf.loop.learn_from_past import PastConfig, PastLearner
from rlhf.loop.transfer_task import ARMS, TransferConfig, transfer
from rlhf.policy.soft_q import SoftQConfig

TINY = PastConfig(
    total_steps=1024,
    curve_points=4,
    curve_episodes=2,
    q=SoftQConfig(hidden=(8, 16, 16), batch_size=32, update="adapters+head"),
)
CONFIG = TransferConfig(source_steps=512, target=TINY)
ROUND = 32 * TINY.num_envs
CARTPOLE = get_task("cartpole-balance")


def quiet(steps: int, total: int, text: str) -> None:
    pass


def test_all_arms_report_and_a_frozen_trunk_leaves_the_source_as_it_was() -> None:
    found = transfer(CARTPOLE, get_task("cartpole-balance+gravity=20"), CONFIG, 0, ARMS, quiet)
    arms = found["arms"]
    assert tuple(arms) == ARMS
    assert arms["partial"]["source_return_after"] == found["source_return"]
    assert arms["whole"]["source_return_after"] != found["source_return"]
    assert arms["partial"]["trainable_share"] < 0.4 < arms["whole"]["trainable_share"] == 1.0
    for one in arms.values():
        steps = [point["steps"] for point in one["curve"]]
        assert steps == sorted(steps)
        assert steps[0] == 0
        assert steps[-1] >= 1024
    # Before anything is learned the target is met by the source's own policy.
    assert arms["partial"]["curve"][0] == arms["whole"]["curve"][0] == arms["guarded"]["curve"][0] or (
        arms["guarded"]["kept"] == "scratch"
    )


def test_other_shapes_and_continuous_actions_are_learned_through_new_adapters() -> None:
    found = transfer(CARTPOLE, get_task("pendulum-swingup"), CONFIG, 0, ("no past", "partial"), quiet)
    assert found["arms"].keys() == {"partial"}
    assert found["arms"]["partial"]["source_return_after"] == found["source_return"]


def test_the_same_seed_gives_the_same_result() -> None:
    first, second = (
        transfer(CARTPOLE, get_task("cartpole-balance+length=1"), CONFIG, 3, ("guarded",), quiet)
        for _ in range(2)
    )
    assert first["arms"] == second["arms"]


def test_a_source_of_no_use_costs_nothing() -> None:
    """The guard's learner from scratch sees, does and becomes the same as one without a guard."""
    target = get_task("mountaincar-climb")  # nobody gets anywhere in so few steps
    arms = transfer(CARTPOLE, target, CONFIG, 1, ("scratch", "guarded"), quiet)["arms"]
    assert arms["guarded"]["kept"] == "scratch"
    assert arms["guarded"]["curve"] == arms["scratch"]["curve"]
    assert arms["guarded"]["true_return"] == arms["scratch"]["true_return"]


def test_a_source_that_can_do_it_already_is_kept_and_acts_from_the_start() -> None:
    config = TransferConfig(source_steps=6144, target=dataclasses.replace(TINY, curve_episodes=8))
    target = get_task("cartpole-balance+length=0.6")
    found = transfer(CARTPOLE, target, config, 1, ("partial", "guarded"), quiet)["arms"]
    guarded = found["guarded"]
    assert guarded["kept"] == "transfer"
    assert guarded["tried"]["transfer"] > guarded["tried"]["scratch"]
    assert guarded["update"] == "adapters+head"
    assert guarded["curve"] == found["partial"]["curve"]


def test_a_learner_learns_as_well_from_what_another_one_sees() -> None:
    one, other = PastLearner(CARTPOLE, TINY, 0), PastLearner(CARTPOLE, TINY, 1)
    for _ in range(4):
        seen = one.collect()
        for learner in (one, other):
            learner.learn(seen)
    assert one.steps == other.steps == 4 * ROUND
    assert len(one.past.episodes) == len(other.past.episodes)
    for mine, theirs in zip(one.past.episodes, other.past.episodes, strict=True):
        np.testing.assert_array_equal(mine.observations, theirs.observations)
    fresh = PastLearner(CARTPOLE, TINY, 1)
    assert any((a != b).any() for a, b in zip(other.q.slow.matrices, fresh.q.slow.matrices, strict=True))


def test_a_round_in_which_no_update_is_due_changes_nothing() -> None:
    rare = dataclasses.replace(TINY, num_envs=1, updates_per_step=0.02)
    learner = PastLearner(CARTPOLE, rare, 0)
    learner.train(512, quiet)
    assert all(np.isfinite(matrix).all() for matrix in learner.q.slow.matrices)


def test_persistent_noise_stays_longer_from_one_environment_to_the_next() -> None:
    learner = PastLearner(CARTPOLE, dataclasses.replace(TINY, persistence=16.0), 0)
    noise = np.stack([learner._next_noise() for _ in range(200)])
    kept = (noise[1:] == noise[:-1]).all(axis=(2, 3)).mean(axis=0)
    assert kept[0] == 0.0
    assert kept[-1] == pytest.approx(15 / 16, abs=0.05)


def test_a_source_of_the_same_shape_lends_its_past_another_one_does_not() -> None:
    source = PastLearner(CARTPOLE, TINY, 0)
    source.train(512, quiet)
    assert source.past.episodes
    same = PastLearner(get_task("cartpole-balance+length=1"), TINY, 0, source)
    assert len(same.past.episodes) == min(len(source.past.episodes), TINY.source_episodes)
    assert PastLearner(get_task("mountaincar-climb"), TINY, 0, source).past.episodes == []


def test_a_task_without_true_reward_is_refused() -> None:
    silent = dataclasses.replace(CARTPOLE, has_true_reward=False)
    with pytest.raises(TaskError, match="no true reward"):
        transfer(silent, CARTPOLE, CONFIG, 0, ("partial",), quiet)


@pytest.mark.parametrize(
    "settings",
    [
        {"total_steps": 0},
        {"updates_per_step": 0.0},
        {"first_entropy": 0.01},
        {"exploration": 0.0},
        {"source_haste": 0.0},
        {"persistence": 0.5},
        {"source_episodes": -1},
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        PastConfig(**settings)  # type: ignore[arg-type]
