"""A target is learned from a run's learned reward, by which past episodes are relabelled."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from small_rewards import linear_reward

from rlhf.errors import ConfigError, NotFoundError
from rlhf.experience.rollout import run_episodes
from rlhf.experience.tasks import get_task, spaces_of
from rlhf.loop.learn_from_past import PastConfig, PastLearner
from rlhf.loop.learned_reward import LearnedReward, find_reward
from rlhf.loop.transfer_task import TransferConfig, transfer
from rlhf.policy.past_episodes import PastEpisode, discounted_returns
from rlhf.policy.soft_q import SoftQConfig
from rlhf.reward.ensemble import RewardModel
from rlhf.reward.features import RewardInputs
from rlhf.reward.shaping import Shaping
from rlhf.storage import models, runs
from rlhf.storage.engine import writing
from rlhf.types.experience import Episode
from rlhf.ui.store import Store

TASK = get_task("cartpole-balance")
SPACE = spaces_of(TASK)[1]
FALLING = 8
"""Column of what says whether the step was spent in the absorbing state."""
GAMMA = 0.9
SMALL = PastConfig(
    total_steps=1024,
    updates_per_step=0.5,
    curve_points=4,
    curve_episodes=4,
    q=SoftQConfig(hidden=(64, 64), batch_size=128, slow_rate=0.05),
)


def judging(column: int, weight: float, **changes: Any) -> LearnedReward:
    """Return a learned reward that looks at one feature."""
    weights = [0.0] * 9
    weights[column] = weight
    model = linear_reward(weights)
    model = dataclasses.replace(model, config=dataclasses.replace(model.config, use_endings=False))
    return LearnedReward(run_id="r", version=1, model=model, task=TASK, action_space=SPACE, **changes)


def quiet(steps: int, total: int, text: str) -> None:
    pass


def fallen() -> tuple[PastEpisode, Episode]:
    """Return an episode in which the pole fell, as it is remembered and as it is judged."""
    q = PastLearner(TASK, SMALL, 0).q
    (episode,) = run_episodes(TASK, q, 1, 3, deterministic=False)[0]
    assert episode.terminated
    steps = episode.num_steps
    past = PastEpisode(
        observations=episode.observations,
        options=episode.actions[:, None],
        log_probs=np.zeros(steps, np.float32),
        rewards=np.ones(steps, np.float32),
        terminated=True,
    )
    return past, episode


@pytest.mark.parametrize("use_endings", [False, True])
def test_returns_count_the_absorbing_state_for_ever(use_endings: bool) -> None:
    past, episode = fallen()
    inputs = RewardInputs(action_space=SPACE, use_endings=use_endings)
    model = linear_reward(np.linspace(-1.0, 1.0, inputs.num(4)).tolist())
    config = dataclasses.replace(model.config, use_endings=use_endings)
    model = dataclasses.replace(model, config=config)
    reward = LearnedReward(run_id="r", version=1, model=model, task=TASK, action_space=SPACE)
    last = episode.observations[-1:]
    after = [inputs.absorbing(last, ending=step == 0) for step in range(400)]
    lived = inputs.steps(episode.observations[:-1], episode.actions, episode.observations[1:])
    each = model.rewards(np.concatenate([lived, *after]))[0]
    expected = discounted_returns(each, GAMMA)[: episode.num_steps]
    got = discounted_returns(reward.rewards(past, episode.actions, GAMMA), GAMMA)
    np.testing.assert_allclose(got, expected, rtol=1e-3)
    cut_off = reward.rewards(dataclasses.replace(past, terminated=False), episode.actions, GAMMA)
    np.testing.assert_array_equal(cut_off, each[: episode.num_steps])


def test_an_ending_costs_what_its_run_says_and_a_potential_shapes_the_way() -> None:
    past, episode = fallen()
    free, costly = (judging(0, 1.0, ending_cost=cost) for cost in (0.0, 0.5))
    difference = free.rewards(past, episode.actions, GAMMA) - costly.rewards(past, episode.actions, GAMMA)
    assert difference[-1] == pytest.approx(GAMMA / (1 - GAMMA) * 0.5)
    assert not difference[:-1].any()
    potential = Shaping(column=0, slope=2.0, origin=0.1, is_nearness=False)
    shaped = dataclasses.replace(free, model=dataclasses.replace(free.model, shaping=potential))
    added = shaped.rewards(past, episode.actions, GAMMA) - free.rewards(past, episode.actions, GAMMA)
    start = potential.potentials(episode.observations[0])
    assert discounted_returns(added, GAMMA)[0] == pytest.approx(-start, abs=1e-3)
    assert shaped.returns([episode]) == free.returns([episode])


def test_the_sources_past_is_relabelled_and_what_comes_too() -> None:
    source = PastLearner(TASK, SMALL, 0)
    source.train(512, quiet)
    learner = PastLearner(get_task("cartpole-balance+gravity=20"), SMALL, 0, source)
    learner.relabel(judging(0, 1.0))
    lent = learner.past.episodes
    assert lent
    assert learner.q.returns.mean == pytest.approx(learner.past.steps().returns.mean(), rel=1e-4)
    for step in (0, 512):
        learner.train(step, quiet)
        for episode in learner.past.episodes:
            before_end = episode.rewards[:-1]
            np.testing.assert_allclose(before_end, 1.05 * episode.observations[:-2, 0], rtol=1e-5)
    assert len(learner.past.episodes) > len(lent)
    assert {"true_return", "learned_return"} < learner.curve[0].keys()
    assert all((one.rewards == 1).all() for one in source.past.episodes)


@pytest.mark.parametrize(("weight", "kept"), [(1.0, "scratch"), (-1.0, "transfer")])
def test_a_target_does_what_its_learned_reward_likes_whatever_the_true_one_says(
    weight: float, kept: str
) -> None:
    """From a source that balances: a reward that likes falling, and one that does not."""
    config = TransferConfig(source_steps=1536, target=SMALL)
    target = get_task("cartpole-balance+length=1")
    reward = judging(FALLING, weight)
    (found,) = transfer(TASK, target, config, 0, ("guarded",), quiet, reward)["arms"].values()
    assert found["kept"] == kept
    assert all(score * weight > 0 for score in found["tried"].values())  # by the learned reward
    first, last = found["curve"][0], found
    assert last["learned_return"] > first["learned_return"]
    assert last["true_return"] < 20 if weight > 0 else last["true_return"] > first["true_return"] > 20


def store_version(store: Store, run_id: str, version: int, model: RewardModel) -> None:
    with writing(store.engine) as connection:
        models.insert_reward_version(
            connection,
            run_id,
            version,
            arrays=store.blobs.write_arrays(dict(model.to_arrays())),
            num_answers=8,
            steps=0,
            report={},
        )
        runs.update_run(connection, run_id, reward_version=version)


def test_a_reward_is_found_by_its_run_and_version(store: Store, make_run: Callable[..., str]) -> None:
    run_id = make_run(task="cartpole-balance+length=1", overrides={"improve.ending_cost": 0.25})
    for version in (1, 2):
        store_version(store, run_id, version, judging(0, float(version)).model)
    newest, first = (find_reward(store.engine, store.blobs, f"{run_id}{v}", TASK) for v in ("", ":1"))
    assert (newest.version, first.version) == (2, 1)
    assert newest.ending_cost == 0.25
    assert newest.model.network.skip[0, 0] == 2.0


def test_what_cannot_be_followed_is_refused(store: Store, make_run: Callable[..., str]) -> None:
    run_id, unlearned = make_run(task="cartpole-balance"), make_run(task="cartpole-balance")
    store_version(store, run_id, 1, judging(0, 1.0).model)

    def find(named: str, task: str = "cartpole-balance") -> LearnedReward:
        return find_reward(store.engine, store.blobs, named, get_task(task))

    with pytest.raises(ConfigError, match="was learned for cartpole-balance, whose environment is not that"):
        find(run_id, "pendulum-swingup")
    with pytest.raises(ConfigError, match="has learned no reward yet"):
        find(unlearned)
    with pytest.raises(ConfigError, match="RUN:VERSION"):
        find(f"{run_id}:newest")
    for unknown in ("nothing", f"{run_id}:7"):
        with pytest.raises(NotFoundError):
            find(unknown)
