import numpy as np
import pytest

from rlhf.policy.minibatch import ActorLearner, CriticLearner, PolicyStep, minibatches
from rlhf.policy.networks import Network
from rlhf.types.experience import Actions, Float32
from rlhf.types.task import ActionSpace

INPUTS = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
ADVANTAGES = np.random.default_rng(1).normal(size=64).astype(np.float32)


def make(kind: str) -> tuple[ActorLearner, Network]:
    rng = np.random.default_rng(0)
    space = ActionSpace("continuous" if kind == "continuous" else "discrete", 2)
    free = np.zeros(2, np.float32) if kind == "continuous" else None
    actor = Network((3, 8, 2), rng, last_gain=1.0, free=free)
    return ActorLearner(actor, space), actor


def sample(kind: str, actor: Network) -> tuple[Actions, Float32]:
    """Draw actions and their log-probabilities under the actor."""
    rng = np.random.default_rng(2)
    outputs = actor.numpy_forward(INPUTS)
    if kind == "continuous":
        actions = (outputs + rng.normal(size=outputs.shape)).astype(np.float32)
        density = -0.5 * ((actions - outputs) ** 2).sum(axis=1) - np.log(2 * np.pi)
        return actions, density.astype(np.float32)
    log_probs = outputs - np.log(np.exp(outputs).sum(axis=1, keepdims=True))
    chosen = rng.integers(0, 2, size=64)
    return chosen, log_probs[np.arange(64), chosen]


def step(
    learner: ActorLearner,
    actions: Actions,
    log_probs: Float32,
    *,
    advantages: Float32 = ADVANTAGES,
) -> PolicyStep:
    return learner.step(
        INPUTS,
        actions,
        log_probs,
        advantages,
        learning_rate=1e-2,
        clip_range=0.2,
        entropy_coef=0.0,
        max_grad_norm=0.5,
    )


@pytest.mark.parametrize("kind", ["continuous", "discrete"])
def test_on_the_data_of_its_own_policy_kl_and_clipping_are_zero(kind: str) -> None:
    learner, actor = make(kind)
    shown = step(learner, *sample(kind, actor))
    assert shown.approx_kl == pytest.approx(0.0, abs=1e-6)
    assert shown.clip_fraction == 0.0
    assert shown.loss == pytest.approx(-float(ADVANTAGES.mean()), abs=1e-5)


@pytest.mark.parametrize("kind", ["continuous", "discrete"])
def test_steps_make_good_actions_likelier(kind: str) -> None:
    learner, actor = make(kind)
    actions, log_probs = sample(kind, actor)
    good = actions[:, 0] > 0 if kind == "continuous" else actions == 1
    advantages = np.where(good, 1.0, -1.0).astype(np.float32)
    losses = [step(learner, actions, log_probs, advantages=advantages).loss for _ in range(20)]
    assert losses[-1] < losses[0] - 0.1


def test_entropy_is_that_of_the_distribution() -> None:
    learner, actor = make("continuous")
    # Two entries of spread 1: 2 * .5 * log(2 pi e) = 2.8379
    assert step(learner, *sample("continuous", actor)).entropy == pytest.approx(2.8379, abs=1e-3)
    learner, actor = make("discrete")
    actor.weights[-1][:], actor.biases[-1][:] = 0.0, 0.0
    assert step(learner, *sample("discrete", actor)).entropy == pytest.approx(np.log(2), abs=1e-5)


def test_value_steps_fit_the_targets() -> None:
    learner = CriticLearner(Network((3, 8, 1), np.random.default_rng(0), last_gain=1.0))
    targets = np.sin(INPUTS[:, 0])
    losses = learner.fit(
        INPUTS, targets, [np.arange(64)] * 200, minibatch_size=64, learning_rate=1e-2, max_grad_norm=0.5
    )
    assert losses[-1] < 0.1 * losses[0]


def test_minibatches_hold_every_sample_once_and_differ_by_at_most_one() -> None:
    order = np.random.default_rng(0).permutation(100)
    cut = list(minibatches(order, 30, np.arange(100), 2 * np.arange(100)))
    assert {len(first) for first, _ in cut} == {33, 34}
    np.testing.assert_array_equal(np.concatenate([first for first, _ in cut]), order)
    assert all((second == 2 * first).all() for first, second in cut)
