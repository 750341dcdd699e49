"""Which way of fine-tuning a saved policy suits a task."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rlhf.config import override
from rlhf.errors import ConfigError, NotFoundError
from rlhf.experience.rollout import Collector
from rlhf.experience.tasks import get_task, spaces_of
from rlhf.experience.vector import VectorStepper
from rlhf.loop.config import resolve
from rlhf.loop.look_at_source import look_at_source
from rlhf.loop.make_ranking import make_ranking
from rlhf.loop.order_ranking import RankConfig, order_ranking
from rlhf.loop.short_arm import short_arm
from rlhf.loop.tune_start import tune_start
from rlhf.loop.ways import Way, usual_config, ways_for
from rlhf.policy.ppo import PPO
from rlhf.storage import models, source_rankings
from rlhf.storage.engine import reading, writing
from rlhf.types.ranked_source import RankedSource
from rlhf.ui.store import Store

Make = Callable[..., str]
TASK = "cartpole-balance"


@pytest.fixture(scope="module")
def balancing() -> dict[str, Any]:
    """A policy that PPO taught to balance for a while."""
    task = get_task(TASK)
    config = resolve(task, {})
    stepper = VectorStepper(task, config.collect.num_envs, 0, stagger=True)
    policy = PPO(config.ppo, *spaces_of(task), np.random.default_rng(0))
    collector, rng = Collector(stepper), np.random.default_rng(1)
    for _ in range(60):
        collected = collector.collect(policy, config.ppo.num_steps, rng)
        rewards = collected.rollout_true_rewards.astype(np.float32)
        policy.update(collected.rollout, rewards, np.zeros_like(rewards))
    stepper.close()
    policy.close()
    return policy.policy_arrays()


@pytest.fixture
def source(store: Store, new_small_run: Make, balancing: dict[str, Any]) -> str:
    run_id = new_small_run(TASK)
    with writing(store.engine) as connection:
        models.insert_policy_version(
            connection,
            run_id,
            4,
            arrays=store.blobs.write_arrays(balancing),
            steps=9,
            reward_version=0,
            num_answers=0,
        )
    return run_id


def tune(store: Store, ways_of: str, target: str = TASK, **changes: Any) -> list[RankedSource]:
    config = RankConfig(**{"short_steps": 640, "seeds": 1, "ways_of": ways_of, **changes})
    return tune_start(store.engine, store.blobs, target, config, seed=0, progress=lambda *at: None)


def test_a_policy_that_can_do_it_is_better_started_from_than_scratch(store: Store, source: str) -> None:
    ranked = tune(store, f"{source}:4")
    assert {(one.update, one.pace, one.hold) for one in ranked if one.run_id} == {
        (update, pace, hold)
        for update in ("all", "adapters+head", "head", "last-block", "low-rank")
        for pace in (1.0, 0.3)
        for hold in ((0.0, 0.1) if update == "all" else (0.0,))
    }
    best, (scratch,) = ranked[0], [one for one in ranked if one.run_id is None]
    assert best.run_id == source
    assert best.short_arm is not None
    assert scratch.short_arm is not None
    assert best.short_arm > scratch.short_arm + 0.1
    assert scratch.steps == 640  # it stays to the end
    assert {one.steps for one in ranked} == {512, 640}
    assert [one.is_recommended for one in ranked] == [True] + 12 * [False]
    by_update = {one.update: one.num_parameters for one in ranked}
    assert by_update["head"] < by_update["adapters+head"] < by_update["all"]


def test_what_observes_other_numbers_needs_a_new_first_layer(store: Store, source: str) -> None:
    looked = look_at_source(store.engine, store.blobs, source, task="pendulum-swingup", policy_version=4)
    assert {way.update for way in ways_for(looked)} == {"all", "adapters+head"}


def test_a_way_changes_what_a_run_would_have(store: Store, source: str) -> None:
    usual = usual_config(look_at_source(store.engine, store.blobs, source))
    changed = override(usual, Way(update="head", pace=0.3, hold=0.1).settings(usual))
    assert changed.ppo.learning_rate == pytest.approx(0.3 * usual.ppo.learning_rate)
    assert (changed.ppo.update, changed.ppo.reference_kl) == ("head", 0.1)
    assert Way().settings(usual) == {"ppo.update": "all"}  # what the source's run was set to stays


def test_who_is_held_to_chance_learns_less(balancing: dict[str, Any]) -> None:
    task = get_task(TASK)
    layers = sum(name.startswith("weight_") for name in balancing)
    last = f"weight_{layers - 1}"
    by_chance = balancing | {last: 0.01 * balancing[last]}
    quick = {"ppo.reference_share": 1.0, "collect.recent_rollouts": 1}
    configs = [resolve(task, quick | {"ppo.reference_kl": kl}) for kl in (0.0, 30.0)]
    free, held = (short_arm(task, config, 0, 10_000, by_chance, None) for config in configs)
    assert held < free - 0.1


def test_what_a_page_ordered_is_kept_beside_what_compared_sources(store: Store, source: str) -> None:
    sources = order_ranking(store.engine, source, TASK, RankConfig(episodes=1))
    config = RankConfig(short_steps=1, seeds=1, ways_of=f"{source}:4")
    ways = order_ranking(store.engine, source, TASK, config)
    assert ways != sources
    for ranking_id in (sources, ways):
        make_ranking(store.engine, store.blobs, ranking_id)
    with reading(store.engine) as connection:
        of_sources = source_rankings.newest_ranking(connection, TASK, is_finished=True)
        of_ways = source_rankings.newest_ranking(connection, TASK, ways_of=f"{source}:4", is_finished=True)
    assert of_sources is not None
    assert of_ways is not None
    assert (of_sources["id"], of_ways["id"]) == (sources, ways)
    assert len(of_ways["sources"]) == 13


def test_what_makes_no_sense_is_refused(store: Store, source: str, new_small_run: Make) -> None:
    with pytest.raises(ValueError, match="told apart by practice"):
        RankConfig(ways_of=f"{source}:4")
    with pytest.raises(ConfigError, match="RUN:VERSION"):
        order_ranking(store.engine, source, TASK, RankConfig(short_steps=1, ways_of=source))
    with pytest.raises(NotFoundError):
        tune(store, f"{source}:77")
