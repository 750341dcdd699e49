"""Cloning: the likelihood is right, its gradient is followed, and held-out episodes decide when to stop."""

import numpy as np
import pytest
import torch

from rlhf.errors import ShapeError
from rlhf.experience.recording import act_out
from rlhf.experience.rollout import run_episodes
from rlhf.experience.tasks import get_task, spaces_of
from rlhf.policy.cloning import Clone, CloneConfig, Shown, clone, log_likelihoods
from rlhf.policy.snapshot import PolicySnapshot
from rlhf.types.task import ActionSpace

SETTINGS = {"hidden": (64, 64), "initial_log_std": -0.5, "observation_clip": 10.0}


def cloned(episodes: list[Shown], space: ActionSpace, seed: int = 0, **config: object) -> Clone:
    chosen = CloneConfig(**config)  # type: ignore[arg-type]
    rng = np.random.default_rng(seed)
    return clone(episodes, space, rng=rng, config=chosen, **SETTINGS)  # type: ignore[arg-type]


def policy_of(made: Clone, space: ActionSpace) -> PolicySnapshot:
    return PolicySnapshot(
        weights=made.actor.weights,
        biases=made.actor.biases,
        log_std=made.actor.free if space.kind == "continuous" else None,
        observation_shift=made.observations.shift,
        observation_scale=made.observations.scale,
        observation_clip=10.0,
        version=0,
        action_space=space,
    )


def shown_by_expert(name: str, count: int) -> list[Shown]:
    segments = [act_out(get_task(name), seed).segment() for seed in range(count)]
    return [(segment.observations[:-1], segment.actions) for segment in segments]


@pytest.mark.parametrize(
    ("name", "at_least"),
    [("cartpole-balance", 475.0), ("pendulum-swingup", -200.0), ("acrobot-swingup", -100.0)],
)
def test_five_episodes_of_an_expert_are_enough(name: str, at_least: float) -> None:
    task = get_task(name)
    _, space = spaces_of(task)
    made = cloned(shown_by_expert(name, 5), space)
    _, returns = run_episodes(task, policy_of(made, space), 20, seed=5, deterministic=False)
    assert returns.mean() >= at_least


def test_log_likelihood_of_discrete_actions_is_torchs() -> None:
    rng = np.random.default_rng(0)
    outputs, actions = rng.normal(size=(7, 3)).astype(np.float32), rng.integers(3, size=7)
    expected = torch.distributions.Categorical(logits=torch.tensor(outputs)).log_prob(torch.tensor(actions))
    np.testing.assert_allclose(log_likelihoods(outputs, actions, None), expected.numpy(), rtol=1e-5)


def test_log_likelihood_of_continuous_actions_is_torchs() -> None:
    rng = np.random.default_rng(0)
    outputs, actions = (rng.normal(size=(7, 2)).astype(np.float32) for _ in range(2))
    log_std = np.array([-1.0, 0.3], np.float32)
    normal = torch.distributions.Normal(torch.tensor(outputs), torch.exp(torch.tensor(log_std)))
    expected = normal.log_prob(torch.tensor(actions)).sum(dim=1)
    np.testing.assert_allclose(log_likelihoods(outputs, actions, log_std), expected.numpy(), rtol=1e-5)


def test_actions_that_follow_from_nothing_are_not_learned_by_heart() -> None:
    rng = np.random.default_rng(0)
    noise = [(rng.normal(size=(40, 3)).astype(np.float32), rng.integers(2, size=40)) for _ in range(4)]
    made = cloned(noise, ActionSpace("discrete", 2))
    assert made.report.held_out_nll == pytest.approx(np.log(2), abs=0.05)
    assert made.report.epochs <= 10


def crowded(count: int) -> list[Shown]:
    """Episodes whose action is the sign of the first of many numbers, but for a fifth of mistakes."""
    rng, episodes = np.random.default_rng(1), []
    for _ in range(count):
        seen = rng.normal(size=(12, 20)).astype(np.float32)
        episodes.append((seen, ((seen[:, 0] > 0) ^ (rng.random(12) < 0.2)).astype(np.int64)))
    return episodes


@pytest.mark.parametrize("holding", [{"noises": (1.0,)}, {"weight_decays": (30.0,)}])
def test_what_holds_back_is_used_where_unseen_episodes_are_foretold_better(
    holding: dict[str, tuple[float, ...]],
) -> None:
    space = ActionSpace("discrete", 2)
    plain, held = cloned(crowded(5), space), cloned(crowded(5), space, **holding)
    assert (plain.report.noise, plain.report.weight_decay) == (0.0, 0.0)
    assert (held.report.noise,) == holding.get("noises", (0.0,))
    assert (held.report.weight_decay,) == holding.get("weight_decays", (0.0,))
    fresh, said = (np.concatenate(parts) for parts in zip(*crowded(100)[5:], strict=True))

    def loss(made: Clone) -> float:
        outputs = made.actor.numpy_forward(made.observations(fresh))
        return -float(log_likelihoods(outputs, said, None).mean())

    assert loss(held) < loss(plain)


def test_what_holds_back_too_much_is_not_used() -> None:
    made = cloned(crowded(5), ActionSpace("discrete", 2), noises=(100.0,), weight_decays=(300.0,))
    assert (made.report.noise, made.report.weight_decay) == (0.0, 0.0)


def test_spread_stays_above_its_floor() -> None:
    seen = np.linspace(-1, 1, 60, dtype=np.float32)[:, None]
    made = cloned([(seen, 0.5 * seen)] * 3, ActionSpace("continuous", 1), min_log_std=-1.0)
    np.testing.assert_allclose(made.actor.free, [-1.0])


def test_same_seed_gives_the_same_clone() -> None:
    episodes = shown_by_expert("acrobot-swingup", 2)
    one, again, other = (
        cloned(episodes, ActionSpace("discrete", 3), seed, max_epochs=3) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.actor.parameters, again.actor.parameters)
    assert not np.array_equal(one.actor.parameters, other.actor.parameters)


def test_a_single_episode_is_enough() -> None:
    made = cloned(shown_by_expert("acrobot-swingup", 1), ActionSpace("discrete", 3), max_epochs=3)
    assert made.report.num_episodes == 1


@pytest.mark.parametrize("episodes", [[], [(np.zeros((1, 2), np.float32), np.zeros(1, np.int64))]])
def test_too_little_to_imitate_is_refused(episodes: list[Shown]) -> None:
    with pytest.raises(ShapeError, match="two steps"):
        cloned(episodes, ActionSpace("discrete", 2))


def test_actions_of_another_space_are_refused() -> None:
    with pytest.raises(ShapeError, match="actions"):
        cloned([(np.zeros((5, 2), np.float32), np.zeros(5, np.int64))] * 2, ActionSpace("continuous", 1))


@pytest.mark.parametrize(
    "config",
    [{"learning_rates": ()}, {"learning_rates": (0.0,)}, {"max_folds": 1}, {"noises": (0.1, 0.0)}],
)
def test_settings_that_cannot_work_are_refused(config: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(config))):
        CloneConfig(**config)  # type: ignore[arg-type]
