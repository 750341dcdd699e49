"""The numpy kernels against torch's automatic differentiation of the same losses."""

import numpy as np
import numpy.typing as npt
import pytest
import torch

from rlhf.policy.autograd import TorchPolicyGradients, TorchValueGradients, clipped_surrogate
from rlhf.policy.kernels import NumpyPolicyGradients, NumpyValueGradients, Surrogate
from rlhf.policy.losses import PolicyGradients, Reference
from rlhf.policy.networks import Network
from rlhf.types.experience import Actions, Float32
from rlhf.types.task import ActionSpace

SPACES = pytest.mark.parametrize(
    "space",
    [
        ActionSpace("continuous", 1),
        ActionSpace("continuous", 4),
        ActionSpace("discrete", 2),
        ActionSpace("discrete", 7),
    ],
    ids=lambda space: f"{space.kind}{space.size}",
)
WIDTHS = pytest.mark.parametrize("hidden", [(64, 64), (5,), (16, 7, 9), (200, 100)], ids=str)


def networks(space: ActionSpace, hidden: tuple[int, ...]) -> tuple[Network, Network]:
    rng = np.random.default_rng(0)
    free = np.linspace(-1.0, 0.5, space.size).astype(np.float32) if space.kind == "continuous" else None
    actor = Network((11, *hidden, space.size), rng, last_gain=1.0, free=free)
    critic = Network((11, *hidden, 1), rng, last_gain=1.0)
    for network in (actor, critic):
        for bias in network.biases:
            bias[:] = rng.normal(size=bias.shape)
    return actor, critic


def batch(space: ActionSpace, size: int, seed: int = 1) -> tuple[Float32, Actions, Float32, Float32]:
    """Return inputs, actions, log-probabilities that give ratios on both sides of the range, advantages."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(size, 11)).astype(np.float32)
    actor, _ = networks(space, (64, 64))
    outputs = actor.numpy_forward(inputs)
    if space.kind == "continuous":
        noise = rng.normal(size=outputs.shape)
        actions: Actions = (outputs + np.exp(actor.free) * noise).astype(np.float32)
        log_probs = -0.5 * (noise**2).sum(axis=1) - actor.free.sum() - 0.5 * np.log(2 * np.pi) * space.size
    else:
        actions = rng.integers(0, space.size, size)
        log_probs = np.log(np.full(size, 1.0 / space.size))
    log_probs = log_probs + rng.normal(scale=0.3, size=size)
    return inputs, actions, log_probs.astype(np.float32), rng.normal(size=size).astype(np.float32)


def assert_equal_gradients(got: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> None:
    """Check to 1e-5 of the largest entry: single entries are differences of larger numbers."""
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    assert np.linalg.norm(got - expected) <= 1e-5 * np.linalg.norm(expected)


def reference_of(space: ActionSpace, size: int) -> Reference:
    """Return another policy's outputs for as many samples, far from the first one's."""
    rng = np.random.default_rng(3)
    outputs = rng.normal(scale=2.0, size=(size, space.size)).astype(np.float32)
    if space.kind == "continuous":
        return Reference(outputs, rng.normal(size=space.size).astype(np.float32), 0.7)
    outputs -= np.log(np.exp(outputs).sum(axis=1, keepdims=True))
    return Reference(outputs, None, 0.7)


@SPACES
@WIDTHS
@pytest.mark.parametrize("is_held", [False, True], ids=["free", "held"])
@pytest.mark.parametrize("entropy_coef", [0.0, 0.5])
def test_policy_losses_and_gradients_equal_those_of_torch(
    space: ActionSpace, hidden: tuple[int, ...], entropy_coef: float, is_held: bool
) -> None:
    actor, _ = networks(space, hidden)
    data = batch(space, 64)
    reference = reference_of(space, 64) if is_held else None
    ways: tuple[PolicyGradients, PolicyGradients] = (
        TorchPolicyGradients(actor, space),
        NumpyPolicyGradients(actor, space),
    )
    shown, gradients = [], []
    for way in ways:
        shown.append(way(*data, clip_range=0.2, entropy_coef=entropy_coef, reference=reference))
        gradients.append(actor.gradient.copy())
        actor.gradient.fill(np.nan)  # so that an entry that is not overwritten is found
    np.testing.assert_allclose(shown[1], shown[0], rtol=1e-5, atol=1e-6)
    assert_equal_gradients(gradients[1], gradients[0])


@WIDTHS
def test_value_losses_and_gradients_equal_those_of_torch(hidden: tuple[int, ...]) -> None:
    space = ActionSpace("discrete", 2)
    _, critic = networks(space, hidden)
    inputs, targets = batch(space, 64)[0], batch(space, 64, seed=2)[3]
    expected_loss = TorchValueGradients(critic)(inputs, targets)
    expected = critic.gradient.copy()
    critic.gradient.fill(np.nan)
    loss = NumpyValueGradients(critic)(inputs, targets)
    assert loss == pytest.approx(expected_loss, rel=1e-5)
    assert_equal_gradients(critic.gradient, expected)


@pytest.mark.parametrize("size", [1, 63, 65])
@SPACES
def test_batches_of_changing_sizes_do_not_disturb_each_other(space: ActionSpace, size: int) -> None:
    actor, _ = networks(space, (8, 8))
    kernels = NumpyPolicyGradients(actor, space)
    first, other = batch(space, 64), batch(space, size)
    expected_shown = kernels(*first, clip_range=0.2, entropy_coef=0.1)
    expected = actor.gradient.copy()
    kernels(*other, clip_range=0.2, entropy_coef=0.1)
    assert kernels(*first, clip_range=0.2, entropy_coef=0.1) == expected_shown
    np.testing.assert_array_equal(actor.gradient, expected)


@pytest.mark.parametrize("edge", ["upper", "lower"])
def test_gradients_through_the_clipped_ratio_equal_those_of_torch(edge: str) -> None:
    # Every ratio once with a good, a bad and an indifferent action. numpy and torch round exp differently, so
    # torch is given numpy's ratios, and the range is set to end exactly at one of them.
    log_ratios = np.array([30.0, 5.0, 0.3, 0.2, 0.0, -0.2, -0.3, -5.0, -30.0], np.float32)
    ratios = torch.from_numpy(np.exp(np.tile(log_ratios, 3))).requires_grad_(True)
    shown = ratios.detach().numpy()
    clip_range = float(shown[3]) - 1.0 if edge == "upper" else 1.0 - float(shown[5])
    advantages = np.repeat(np.array([1.5, -0.5, 0.0], np.float32), len(log_ratios))
    surrogate = Surrogate(len(advantages), np.float32)
    surrogate.log_ratios[:] = np.tile(log_ratios, 3)
    loss, approx_kl, clip_fraction = surrogate.measure(advantages, clip_range)
    expected = clipped_surrogate(ratios, torch.from_numpy(advantages), clip_range)
    expected.backward()  # type: ignore[no-untyped-call]
    assert ratios.grad is not None
    np.testing.assert_allclose(surrogate.gradients, ratios.grad.numpy() * shown, rtol=1e-6)
    assert loss == pytest.approx(expected.item(), rel=1e-5)
    assert approx_kl == pytest.approx(float((shown - 1.0 - surrogate.log_ratios).mean()), rel=1e-5)
    assert clip_fraction == pytest.approx((6 if edge == "upper" else 7) / 9)


def test_a_gain_beyond_the_range_has_no_gradient_and_a_loss_has_one() -> None:
    space = ActionSpace("discrete", 2)
    actor, _ = networks(space, (4,))
    kernels = NumpyPolicyGradients(actor, space)
    inputs, actions = np.ones((3, 11), np.float32), np.zeros(3, np.int64)
    log_probs = np.full(3, -20.0, np.float32)  # ratios far above 1 + eps
    for advantage, moves in ((1.0, False), (-1.0, True)):
        advantages = np.full(3, advantage, np.float32)
        kernels(inputs, actions, log_probs, advantages, clip_range=0.2, entropy_coef=0.0)
        assert actor.gradient.any() == moves


@SPACES
@pytest.mark.parametrize("is_held", [False, True], ids=["free", "held"])
def test_gradients_agree_with_finite_differences_in_double_precision(
    space: ActionSpace, is_held: bool
) -> None:
    actor, critic = networks(space, (6, 5))
    inputs, actions, log_probs, advantages = batch(space, 32)
    reference = reference_of(space, 32) if is_held else None
    for network in (actor, critic):
        as_float64(network)

    def loss(gradients: NumpyPolicyGradients) -> float:
        settings = {"clip_range": 0.2, "entropy_coef": 0.3}
        shown = gradients(inputs, actions, log_probs, advantages, reference=reference, **settings)
        held = 0.0 if reference is None else reference.weight * shown.reference_kl
        return shown.loss - 0.3 * shown.entropy + held

    kernels = NumpyPolicyGradients(actor, space)
    loss(kernels)
    gradient = actor.gradient.copy()
    for index in range(0, len(gradient), 7):
        kept = actor.parameters[index]
        actor.parameters[index] = kept + 1e-6
        above = loss(kernels)
        actor.parameters[index] = kept - 1e-6
        below = loss(kernels)
        actor.parameters[index] = kept
        assert gradient[index] == pytest.approx((above - below) / 2e-6, rel=1e-5, abs=1e-8)


def as_float64(network: Network) -> None:
    """Move a network's parameters and gradients into double precision, for comparisons only."""
    network.parameters = network.parameters.astype(np.float64)
    network.gradient = np.zeros_like(network.parameters)
    start = 0
    for layer, matrix in enumerate(network.matrices):
        stop = start + matrix.size
        network.matrices[layer] = network.parameters[start:stop].reshape(matrix.shape)
        network.matrix_gradients[layer] = network.gradient[start:stop].reshape(matrix.shape)
        start = stop
    network.free, network.free_gradient = network.parameters[start:], network.gradient[start:]


@SPACES
def test_nothing_holds_a_policy_to_itself(space: ActionSpace) -> None:
    actor, _ = networks(space, (8,))
    data = batch(space, 16)
    outputs = actor.numpy_forward(data[0])
    log_std = actor.free.copy() if space.kind == "continuous" else None
    if log_std is None:
        outputs = outputs - np.log(np.exp(outputs).sum(axis=1, keepdims=True))
    kernels = NumpyPolicyGradients(actor, space)
    kernels(*data, clip_range=0.2, entropy_coef=0.0)
    free = actor.gradient.copy()
    held = kernels(*data, clip_range=0.2, entropy_coef=0.0, reference=Reference(outputs, log_std, 100.0))
    assert held.reference_kl == pytest.approx(0.0, abs=1e-6)
    np.testing.assert_allclose(actor.gradient, free, atol=2e-4)
