from collections.abc import Callable

import numpy as np
import pytest

from rlhf.config import override
from rlhf.errors import JobError
from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.foresee_run import RunForesightConfig, RunJudge, evaluate_foresight, foresee_run
from rlhf.loop.iterate import iterate
from rlhf.loop.session import Session, open_session, save_checkpoint
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
    judge = RunJudge(session.policy, session.reward, session.action_space, 0.0)
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


def test_foresight_needs_something_learned(store: Store, new_small_run: Callable[..., str]) -> None:
    with pytest.raises(JobError, match="no checkpoint yet"):
        foresee_run(store.engine, store.blobs, new_small_run(), QUICK)
