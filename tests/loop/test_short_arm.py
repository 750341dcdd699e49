"""A short arm practises as a run that starts from the same policy would."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rlhf.experience.tasks import get_task
from rlhf.loop.config import resolve
from rlhf.loop.fork_run import fork_run
from rlhf.loop.iterate import iterate
from rlhf.loop.session import Session
from rlhf.loop.short_arm import short_arm
from rlhf.loop.write_design import write_design
from rlhf.policy.ppo import PPO
from rlhf.reward.ensemble import RewardModel
from rlhf.types.design import Design, Potential, Term
from rlhf.types.experience import Float32
from rlhf.ui.store import Store

DESIGN = Design(
    terms=(Term(feature="cosine of angle", weight=1.0),),
    potential=Potential(feature="angular velocity", weight=3.0, target=0.0),
)


@pytest.fixture
def designed(store: Store, new_small_run: Callable[..., str], opened: Callable[[str], Session]) -> Session:
    """A run that practised once with a reward that has a potential."""
    run_id = new_small_run(teacher=None)
    write_design(store.engine, store.blobs, run_id, DESIGN, by=None)
    session = opened(run_id)
    iterate(session)
    return session


def rewarded(session: Session) -> RewardModel:
    assert session.reward is not None
    assert session.reward.shaping is not None
    return session.reward


def test_a_policy_that_is_taken_begins_as_it_does_in_a_run(
    store: Store, designed: Session, opened: Callable[[str], Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, reward = designed.policy.policy_arrays(), rewarded(designed)
    begun: list[tuple[int, int]] = []
    refit = PPO.refit_critic

    def noted(policy: PPO, rollouts: Any, *rewards: Any) -> Any:
        begun.append((len(rollouts), policy.state_dict()["observations.count"]))
        return refit(policy, rollouts, *rewards)

    monkeypatch.setattr(PPO, "refit_critic", noted)
    fork = opened(fork_run(store.engine, store.blobs, designed.run_id, take=["policy", "reward"]))
    iterate(fork)
    in_run = set(begun)
    begun.clear()
    short_arm(fork.task, fork.config, 0, 1, source, reward)
    assert set(begun) == in_run == {(3, 3 * 4 * 32)}
    begun.clear()
    short_arm(fork.task, fork.config, 0, 1, None, reward)
    assert {number for number, _ in begun} == {1}  # as in a run from scratch


def test_practice_follows_a_potential_but_is_not_judged_by_it(
    designed: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    followed: list[Float32] = []
    update = PPO.update

    def noted(policy: PPO, rollout: Any, rewards: Float32, *rest: Any, **named: Any) -> Any:
        followed.append(rewards)
        return update(policy, rollout, rewards, *rest, **named)

    monkeypatch.setattr(PPO, "update", noted)
    reward = rewarded(designed)
    plain = dataclasses.replace(reward, shaping=None)
    arms = [short_arm(designed.task, designed.config, 0, 1, None, one) for one in (plain, reward)]
    assert arms[0] == arms[1] == pytest.approx(float(followed[0].mean()))  # of the one rollout before
    assert np.abs(followed[1] - followed[0]).max() > 0.1


def test_an_end_costs_nothing_extra_where_the_true_reward_is_followed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task, paid = get_task("cartpole-balance"), list[Float32]()
    small = {"ppo.num_steps": 64, "ppo.num_epochs": 1, "ppo.critic_refit_epochs": 1}
    update = PPO.update

    def noted(policy: PPO, rollout: Any, rewards: Float32, absorbing: Float32, **named: Any) -> Any:
        assert rollout.terminated.any()
        paid.append(absorbing)
        return update(policy, rollout, rewards, absorbing, **named)

    monkeypatch.setattr(PPO, "update", noted)
    short_arm(task, resolve(task, small | {"improve.ending_cost": 0.3}), 0, 1, None, None)
    assert not paid[0].any()
