import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rlhf.config import override
from rlhf.errors import JobError
from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.foresee_run import RunForesightConfig, RunJudge, evaluate_foresight, foresee_run
from rlhf.loop.iterate import iterate
from rlhf.loop.score_rollout import score_rollout
from rlhf.loop.session import Session, open_session, save_checkpoint
from rlhf.policy.advantages import successor_values
from rlhf.policy.foresight import ForesightConfig, Planner
from rlhf.reward.shaping import Shaping
from rlhf.types.experience import Float32
from rlhf.ui.store import Store

QUICK = override(
    RunForesightConfig(),
    {"updates": 100, "pessimism": 0.0, "model.members": 2, "model.batch_size": 64, "plan.horizon": 2}
    | {"plan.elites": 4, "plan.candidates": 8, "plan.rounds": 1},
)


@pytest.fixture
def learned(store: Store, new_small_run: Callable[..., str]) -> Callable[[str], Session]:
    """``learned(task)`` returns the session of a run that has a reward and a checkpoint."""

    def make(task: str) -> Session:
        session = open_session(store.engine, store.blobs, new_small_run(task), is_simulated=True)
        iterate(session)
        ask_teacher(store.engine, store.blobs, session.run_id, 100)
        iterate(session)
        save_checkpoint(session)
        return session

    return make


def test_plans_longer_than_any_episode_overrule_nothing(
    store: Store, learned: Callable[[str], Session]
) -> None:
    session = learned("cartpole-balance")
    too_long = override(QUICK, {"plan.horizon": 501})
    found = foresee_run(store.engine, store.blobs, session.run_id, too_long)
    found.acting.act(np.zeros((3, 4), np.float32), np.random.default_rng(0))
    assert not np.concatenate(found.acting.overruled).any()


@pytest.mark.parametrize("task", ["pendulum-swingup", "cartpole-balance"])
def test_a_runs_policy_acts_with_foresight_and_alone_in_the_same_episodes(
    store: Store, learned: Callable[[str], Session], task: str
) -> None:
    session = learned(task)
    reports = [
        evaluate_foresight(foresee_run(store.engine, store.blobs, session.run_id, QUICK), 2)[0]
        for _ in range(2)
    ]
    assert reports[0] == reports[1]
    assert len(reports[0]["with"]) == len(reports[0]["alone"]) == 2
    assert 0 <= reports[0]["overruled"] <= 1
    never = override(QUICK, {"plan.margin": 1e9})
    alone, episode = evaluate_foresight(foresee_run(store.engine, store.blobs, session.run_id, never), 2)
    assert episode.num_steps > 0
    assert alone["gain"] == pytest.approx({"mean": 0, "low": 0, "high": 0}, abs=1e-4)
    assert alone["overruled"] == 0
    assert alone["with"] == pytest.approx(alone["alone"])


def test_what_ends_an_episode_has_the_worth_of_the_absorbing_state(learned: Callable[[str], Session]) -> None:
    session = learned("cartpole-balance")
    assert session.reward is not None
    judge = judge_of(session)
    states = np.random.default_rng(0).normal(size=(2, 1, 3, 4)).astype(np.float32)
    actions = np.ones((2, 1, 3, 1), np.int64)
    goes_on, over = (
        judge.rewards(states, actions, states, np.full((2, 1, 3), ended))[0] for ended in (False, True)
    )
    assert session.inputs.use_endings
    outcome, at_rest = (
        session.reward.member_rewards(session.inputs.absorbing(states.reshape(-1, 4), ending=ending))
        for ending in (True, False)
    )
    clip, largest = session.config.reward.clip, session.config.reward.ending_clip
    first = np.clip(outcome.mean(axis=0), -largest, largest)
    later = np.clip(at_rest.mean(axis=0), -clip, clip)
    lasting = judge.discount * (first + judge.discount / (1 - judge.discount) * later)
    assert (over - goes_on).ravel() == pytest.approx(lasting, rel=1e-3, abs=1e-3)


def judge_of(session: Session, **changes: Any) -> RunJudge:
    """A judge by the session's reward with some changes to it."""
    assert session.reward is not None
    reward = dataclasses.replace(session.reward, **changes)
    return RunJudge(session.policy, reward, session.action_space, session.config, 0.0)


POTENTIAL = Shaping(column=2, slope=3.0, origin=0.1, is_nearness=True)


class Shaped(RunJudge):
    """A judge whose critic has learned what the potential adds."""

    def values(self, states: Float32) -> Float32:
        return super().values(states) - POTENTIAL.potentials(states)


def test_a_potential_leaves_plans_as_they_are(store: Store, learned: Callable[[str], Session]) -> None:
    session = learned("cartpole-balance")
    found = foresee_run(store.engine, store.blobs, session.run_id, QUICK)
    plain = judge_of(session)
    assert session.reward is not None
    reward = dataclasses.replace(session.reward, shaping=POTENTIAL)
    shaped = Shaped(session.policy, reward, session.action_space, session.config, 0.0)
    config = ForesightConfig(margin=0.0, horizon=3, caution=0.0)
    planner = Planner(config, found.model, found.choices)  # in units of 1, as it is not calibrated
    states = session.memory.rollouts[-1].observations[:, 0]
    before, after = (planner.plan(states, judge, np.random.default_rng(0)) for judge in (plain, shaped))
    np.testing.assert_array_equal(after.actions, before.actions)
    np.testing.assert_allclose(after.gains, before.gains, atol=1e-3)
    assert before.overruled.any()


def test_imagined_steps_bring_what_the_critic_learns_endings_included(
    learned: Callable[[str], Session],
) -> None:
    session = learned("cartpole-balance")
    assert session.reward is not None
    costly = dataclasses.replace(session.config.improve, ending_cost=0.3)
    session.config = dataclasses.replace(session.config, improve=costly)
    reward = dataclasses.replace(session.reward, shaping=POTENTIAL)
    rollout = session.memory.rollouts[-1]
    assert rollout.terminated.any()
    scored, judge = score_rollout(session, rollout, reward, 0.0), judge_of(session, shaping=POTENTIAL)
    worthless = np.zeros_like(scored.rewards)
    after = successor_values(worthless, rollout.terminated, scored.absorbing_rewards, judge.discount)
    imagined, _ = judge.rewards(
        rollout.observations[None],
        rollout.actions[None, ..., None],
        rollout.next_observations[None],
        rollout.terminated[None],
    )
    np.testing.assert_allclose(imagined[0], scored.followed + judge.discount * after, rtol=1e-5)


def test_foresight_needs_something_learned(store: Store, new_small_run: Callable[..., str]) -> None:
    with pytest.raises(JobError, match="no checkpoint yet"):
        foresee_run(store.engine, store.blobs, new_small_run(), QUICK)
