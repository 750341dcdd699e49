"""Which saved policy to start a task from."""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rlhf.errors import ConfigError
from rlhf.experience.tasks import get_task, spaces_of
from rlhf.loop.config import resolve
from rlhf.loop.order_ranking import RankConfig
from rlhf.loop.practise import rounds_of
from rlhf.loop.rank_sources import rank_sources
from rlhf.loop.short_arm import short_arm
from rlhf.policy.snapshot import PolicySnapshot
from rlhf.storage import models
from rlhf.storage.engine import writing
from rlhf.types.experience import Float32
from rlhf.types.ranked_source import why_from_scratch
from rlhf.ui.store import Store

Make = Callable[..., str]
TASK = "cartpole-balance"


def balancing(hidden: tuple[int, ...], sign: float) -> dict[str, Any]:
    """A policy that pushes the cart under the pole, or away from it."""
    dim, space = spaces_of(get_task(TASK))
    widths = (dim, *hidden, space.size)
    weights: list[Float32] = [
        np.zeros((rows, columns), np.float32) for rows, columns in itertools.pairwise(widths)
    ]
    weights[0][2:, 0] = 0.5, 0.3
    for weight in weights[1:-1]:
        weight[0, 0] = 1.0
    weights[-1][0] = -20.0 * sign, 20.0 * sign
    return PolicySnapshot(
        weights=weights,
        biases=[np.zeros(width, np.float32) for width in widths[1:]],
        log_std=None,
        observation_shift=np.zeros(dim, np.float32),
        observation_scale=np.ones(dim, np.float32),
        observation_clip=10.0,
        version=1,
        action_space=space,
    ).to_arrays()


def save(store: Store, run_id: str, arrays: dict[str, Any]) -> None:
    with writing(store.engine) as connection:
        models.insert_policy_version(
            connection,
            run_id,
            1,
            arrays=store.blobs.write_arrays(arrays),
            steps=100,
            reward_version=0,
            num_answers=0,
        )


@pytest.fixture
def good(store: Store, new_small_run: Make) -> str:
    """A run whose policy balances; beside it one that does not, one of other widths and one without."""
    hidden = resolve(get_task(TASK), {}).ppo.hidden
    bad = new_small_run(TASK)
    save(store, bad, balancing(hidden, -1.0))
    run_id = new_small_run(TASK)
    save(store, run_id, balancing(hidden, 1.0))
    save(store, new_small_run(TASK), balancing((3, 3), 1.0))
    new_small_run(TASK)
    return run_id


def rank(store: Store, **changes: Any) -> list[Any]:
    config = RankConfig(**{"episodes": 2, **changes})
    return rank_sources(store.engine, store.blobs, TASK, config, seed=0, progress=lambda *at: None)


def test_the_policy_that_does_best_untrained_comes_first(store: Store, good: str) -> None:
    first, second = rank(store)
    assert first.run_id == good
    assert first.zero_shot_return > 200 > second.zero_shot_return
    assert first.short_arm is None
    assert first.own_return is None


def test_only_so_many_of_the_newest_are_measured(store: Store, good: str) -> None:
    (only,) = rank(store, limit=1)
    assert only.run_id == good


def test_scratch_takes_part_in_the_practice_to_its_end(
    store: Store, good: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "rlhf.loop.practise.short_arm",
        lambda task, config, seed, steps, source, reward, tick: 0.0 if source else 1.0,
    )
    ranked = rank(store, short_steps=10_240, seeds=1)
    steps = {source.run_id: source.steps for source in ranked}
    assert len(steps) == 3
    assert steps[None] == 10_240
    assert [source.short_arm for source in ranked if source.run_id is None] != [None]
    assert sorted(steps.values())[0] == 8_192  # the worse half was given up after four rollouts


@pytest.mark.parametrize(
    ("short_steps", "rounds"), [(1, (8192,)), (5_000, (8192,)), (20_000, (8192, 18_432))]
)
def test_a_practice_has_as_many_rounds_as_differ(short_steps: int, rounds: tuple[int, ...]) -> None:
    assert rounds_of(resolve(get_task(TASK), {}), short_steps) == rounds


def test_no_practice_is_made_twice(store: Store, good: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[int, int, object]] = []

    def noted(task: object, config: object, seed: int, steps: int, source: object, *rest: object) -> float:
        made.append((seed, steps, id(source)))
        return 0.0

    monkeypatch.setattr("rlhf.loop.practise.short_arm", lambda *given, tick: noted(*given))
    ranked = rank(store, short_steps=5_000)
    assert len(made) == len(set(made)) == 6
    assert {source.steps for source in ranked} == {8192}


@pytest.mark.parametrize(
    ("gains", "why"),
    [
        ((0.5, 0.6), ""),
        ((0.5, -0.4), "None of these is clearly better"),
        ((0.5, -0.6), "would rather harm"),
        ((-0.5, -0.6), "would rather harm"),
    ],
)
def test_a_source_that_is_not_clearly_better_than_scratch_is_not_recommended(
    store: Store, good: str, monkeypatch: pytest.MonkeyPatch, gains: tuple[float, float], why: str
) -> None:
    of_seeds = itertools.cycle(gains)
    monkeypatch.setattr(
        "rlhf.loop.practise.short_arm",
        lambda task, config, seed, steps, source, reward, tick: 1.0 + (next(of_seeds) if source else 0.0),
    )
    ranked = rank(store, short_steps=1)
    assert [source.is_recommended for source in ranked] == [True, False, False]
    assert (ranked[0].run_id is None) == bool(why)
    assert why in why_from_scratch(ranked)
    assert bool(why) == bool(why_from_scratch(ranked))


def test_nothing_that_fits_gives_nothing(store: Store, new_small_run: Make) -> None:
    new_small_run(TASK)
    assert rank(store) == []


def test_a_source_of_other_widths_does_not_practise() -> None:
    task = get_task(TASK)
    with pytest.raises(ConfigError, match=r"ppo\.hidden"):
        short_arm(task, resolve(task, {}), 0, 1, balancing((3, 3), 1.0), None)


def test_an_end_before_the_horizon_counts_against_a_source() -> None:
    task = get_task(TASK)
    config = resolve(task, {"ppo.learning_rate": 1e-6, "collect.recent_rollouts": 1})
    hidden = config.ppo.hidden
    good, bad = (short_arm(task, config, 0, 2000, balancing(hidden, sign), None) for sign in (1.0, -1.0))
    assert bad < 0.1 < 0.7 < good  # of the one point that each step is worth


def test_without_a_true_reward_practice_needs_a_learned_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = dataclasses.replace(get_task(TASK), has_true_reward=False)
    monkeypatch.setattr("rlhf.loop.rank_sources.get_task", lambda name: blind)
    with pytest.raises(ConfigError, match="name a learned one"):
        rank(store, short_steps=1)


@pytest.mark.parametrize("name", ["episodes", "seeds", "limit"])
def test_nothing_cannot_be_measured(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is 0"):
        RankConfig(**{name: 0})
