"""What happens to critic and policy when the reward changes, option by option."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rlhf.loop.collect_experience import collect_experience
from rlhf.loop.improve_policy import improve_policy
from rlhf.loop.score_rollout import score_rollout
from rlhf.loop.session import Session, open_session, save_checkpoint
from rlhf.storage import runs
from rlhf.storage.engine import reading
from rlhf.ui.store import Store

Learn = Callable[..., Session]
REFIT = "policy/explained_variance_after_refit"


def change_reward(session: Session) -> None:
    """Turn the reward upside down, as a version of its own."""
    assert session.reward is not None
    scale = session.reward.output_normaliser
    flipped = dataclasses.replace(scale, mean=scale.mean, sd=-scale.sd)
    session.reward = dataclasses.replace(session.reward, output_normaliser=flipped)
    session.reward_version += 1
    session.reward_is_new = True


def count_refits(session: Session, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the number of rollouts of each refit."""
    refits, refit = [], session.policy.refit_critic

    def counted(rollouts: Any, *arguments: Any) -> Any:
        refits.append(len(rollouts))
        return refit(rollouts, *arguments)

    monkeypatch.setattr(session.policy, "refit_critic", counted)
    return refits


def advance(session: Session) -> None:
    improve_policy(session, collect_experience(session))


def points(session: Session, name: str) -> list[float]:
    with reading(session.engine) as connection:
        return [value for _, _, value in runs.get_curves(connection, session.run_id, [name])]


def test_a_new_reward_that_judges_alike_just_takes_its_place(
    learn: Learn, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = learn()
    refits = count_refits(session, monkeypatch)
    session.reward_is_new = True
    advance(session)
    assert points(session, "reward/correlation_with_previous") == pytest.approx([1.0])
    assert refits == []
    assert not session.reward_is_new


def test_a_reward_that_judges_otherwise_is_adopted(learn: Learn, monkeypatch: pytest.MonkeyPatch) -> None:
    session = learn(**{"improve.late_pessimism": 0.0})
    refits = count_refits(session, monkeypatch)
    change_reward(session)
    advance(session)
    assert points(session, "reward/correlation_with_previous") == pytest.approx([-1.0])
    assert refits[0] == len(session.memory.rollouts) == 3
    assert len(points(session, REFIT)) == 2  # the first reward's and this one's
    assert session.critic_reward == session.reward_version


@pytest.mark.parametrize(("threshold", "number"), [(-1.0, 1), (1.1, 2)])
def test_a_critic_that_learned_too_little_is_refitted_once_more(
    threshold: float, number: int, learn: Learn, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = learn(**{"improve.refit_again_below": threshold})
    refits = count_refits(session, monkeypatch)
    change_reward(session)
    advance(session)
    assert len(refits) == number


def test_without_relabelling_the_critic_sees_the_latest_rollout_only(
    learn: Learn, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = learn(**{"improve.relabel": False})
    refits = count_refits(session, monkeypatch)
    change_reward(session)
    advance(session)
    assert set(refits) == {1}


def test_without_a_refit_the_critic_is_left_alone(learn: Learn, monkeypatch: pytest.MonkeyPatch) -> None:
    session = learn(**{"improve.refit_critic": False})
    refits = count_refits(session, monkeypatch)
    change_reward(session)
    advance(session)
    assert refits == []
    assert points(session, REFIT) == []
    assert session.critic_reward == session.reward_version


def test_the_updates_after_an_adoption_are_careful(learn: Learn) -> None:
    session = learn(**{"improve.careful_updates": 2, "improve.careful_target_kl": 0.004})
    change_reward(session)
    bounds = []
    for _ in range(3):
        advance(session)
        bounds.append(session.policy.config.target_kl)
    assert bounds == [0.004, 0.004, session.config.ppo.target_kl]


def test_a_careful_update_never_loosens_the_bound(learn: Learn) -> None:
    session = learn(**{"improve.careful_updates": 2, "improve.careful_target_kl": 0.5})
    change_reward(session)
    advance(session)
    assert session.policy.config.target_kl == session.config.ppo.target_kl


def test_entropy_is_rewarded_until_the_reward_has_settled(learn: Learn) -> None:
    session = learn(**{"improve.moving_entropy": 0.02, "improve.settled_share": 0.1})
    assert session.policy.config.entropy_coef == 0.02
    session.steps = session.adopted_steps + 10_000  # a tenth of the run
    advance(session)
    assert session.policy.config.entropy_coef == session.config.ppo.entropy_coef == 0.0
    change_reward(session)
    advance(session)
    assert session.policy.config.entropy_coef == 0.02


def test_pessimism_takes_spread_off_the_mean(learn: Learn) -> None:
    session = learn()
    assert session.reward is not None
    scored = score_rollout(session, session.memory.rollouts[-1], session.reward, 0.5)
    expected = np.clip(scored.mean - 0.5 * scored.spread, -5.0, 5.0)
    np.testing.assert_allclose(scored.rewards, expected, atol=1e-6)
    assert scored.spread.max() > 0


def test_a_curious_policy_is_rewarded_for_what_the_members_disagree_about(learn: Learn) -> None:
    session = learn(**{"improve.curiosity": 1.0})
    assert session.reward is not None
    assert session.pessimism == -1.0
    _, scored = improve_policy(session, collect_experience(session))
    np.testing.assert_allclose(scored.rewards, np.clip(scored.mean + scored.spread, -5.0, 5.0), atol=1e-6)
    # What a reward says to people, and what policies are judged by, is the mean.
    assert session.reward.config.pessimism == 0.0


def test_what_is_left_of_an_adoption_survives_a_stop(store: Store, learn: Learn) -> None:
    session = learn(**{"improve.careful_updates": 2})
    change_reward(session)
    advance(session)
    save_checkpoint(session)
    resumed = open_session(store.engine, store.blobs, session.run_id, is_simulated=True)
    for name in ("critic_reward", "careful_left", "adopted_steps"):
        assert getattr(resumed, name) == getattr(session, name) > 0


def test_an_ending_may_cost_the_policy_more_than_the_reward_says(learn: Learn) -> None:
    session = learn(task="cartpole-balance")  # its poles fall
    rollout, reward = session.memory.rollouts[-1], session.reward
    assert reward is not None
    before = score_rollout(session, rollout, reward, 0.0)
    improve = dataclasses.replace(session.config.improve, ending_cost=0.25)
    session.config = dataclasses.replace(session.config, improve=improve)
    after = score_rollout(session, rollout, reward, 0.0)
    ended = rollout.terminated
    assert ended.any()
    np.testing.assert_allclose(
        after.absorbing_rewards, before.absorbing_rewards - 0.25 * ended, rtol=0, atol=1e-6
    )
    np.testing.assert_array_equal(after.rewards, before.rewards)


def test_a_bound_on_the_discount_is_as_good_as_that_discount(learn: Learn) -> None:
    episodes_end = {"task": "cartpole-balance", "improve.restarts": [0.5]}
    lower = learn(**episodes_end, **{"ppo.discount": 0.9})
    bounded = learn(**episodes_end, **{"ppo.discount": 0.999, "improve.max_discount": 0.9})
    far = learn(**episodes_end, **{"ppo.discount": 0.999})
    same, other = (
        [np.array_equal(a, one.policy.policy_arrays()[k]) for k, a in lower.policy.policy_arrays().items()]
        for one in (bounded, far)
    )
    assert all(same)
    assert not all(other)
