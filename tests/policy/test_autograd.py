import numpy as np
import pytest
import torch

from rlhf.policy.autograd import (
    TorchNetwork,
    TorchPolicyGradients,
    TorchValueGradients,
    clipped_surrogate,
    gaussian_log_probs,
)
from rlhf.policy.networks import Network
from rlhf.types.task import ActionSpace

NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


def test_golden_clipped_surrogate() -> None:
    # ratio 2 with A = 1 counts as 1.2; ratio .5 with A = -1 as -.8; ratio 2 with A = -1 as -2; ratio .5 with
    # A = 1 as .5. Mean = (1.2 - .8 - 2 + .5) / 4 = -.275
    loss = clipped_surrogate(torch.tensor([2.0, 0.5, 2.0, 0.5]), torch.tensor([1.0, -1.0, -1.0, 1.0]), 0.2)
    assert loss.item() == pytest.approx(0.275)


def test_gaussian_log_probs_equal_those_of_torch_distributions() -> None:
    mean, actions, log_std = torch.randn(5, 3), torch.randn(5, 3), torch.tensor([-1.0, 0.0, 0.5])
    expected = torch.distributions.Normal(mean, log_std.exp()).log_prob(actions)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(gaussian_log_probs(mean, log_std, actions), expected.sum(dim=1))


def network(seed: int = 0, last_gain: float = 1.0) -> Network:
    return Network(
        (5, 16, 8, 3), np.random.default_rng(seed), last_gain=last_gain, free=np.zeros(2, np.float32)
    )


def test_numpy_forward_equals_torch_forward() -> None:
    net = network()
    inputs = np.random.default_rng(1).normal(size=(7, 5)).astype(np.float32)
    np.testing.assert_allclose(
        net.numpy_forward(inputs),
        TorchNetwork(net, "cpu").forward(inputs).detach().numpy(),
        atol=1e-5,
    )


def test_flat_gradient_agrees_with_finite_differences() -> None:
    net = network()
    inputs = np.random.default_rng(1).normal(size=(4, 5)).astype(np.float32)
    torch_net = TorchNetwork(net, "cpu")
    torch_net.differentiate(torch_net.forward(inputs).pow(2).sum() + torch_net.free.exp().sum())

    def loss() -> float:
        return float((net.numpy_forward(inputs).astype(np.float64) ** 2).sum() + np.exp(net.free).sum())

    for index in (0, 83, 100, len(net.parameters) - 3, len(net.parameters) - 1):
        kept = net.parameters[index]
        net.parameters[index] = kept + 1e-2
        above = loss()
        net.parameters[index] = kept - 1e-2
        below = loss()
        net.parameters[index] = kept
        assert net.gradient[index] == pytest.approx((above - below) / 2e-2, rel=2e-2, abs=2e-2)


def test_parameters_that_an_optimiser_moved_are_seen() -> None:
    net, inputs = network(), np.ones((2, 5), np.float32)
    torch_net = TorchNetwork(net, "cpu")
    torch_net.forward(inputs)
    net.parameters[:] = 0.0
    net.biases[-1][:] = 4.0
    np.testing.assert_array_equal(torch_net.forward(inputs).detach().numpy(), np.full((2, 3), 4.0))


@NEEDS_GPU
@pytest.mark.parametrize("space", [ActionSpace("continuous", 3), ActionSpace("discrete", 3)])
def test_policy_gradients_on_a_gpu_equal_those_on_the_processor(space: ActionSpace) -> None:
    rng = np.random.default_rng(0)
    sizes = (11, 1500, 1500, 3)
    free = np.zeros(3, np.float32) if space.kind == "continuous" else None
    inputs = rng.normal(size=(64, 11)).astype(np.float32)
    log_probs, advantages = rng.normal(size=(2, 64)).astype(np.float32)
    actions = rng.integers(3, size=64)
    if space.kind == "continuous":
        actions = rng.normal(size=(64, 3)).astype(np.float32)
    shown, gradients = [], []
    for device in ("cpu", "cuda"):
        actor = Network(sizes, np.random.default_rng(1), last_gain=0.1, free=free)
        way = TorchPolicyGradients(actor, space, device)
        shown.append(way(inputs, actions, log_probs - 3.0, advantages, clip_range=0.2, entropy_coef=0.1))
        gradients.append(actor.gradient)
    np.testing.assert_allclose(shown[1], shown[0], rtol=1e-4, atol=1e-5)
    assert np.linalg.norm(gradients[1] - gradients[0]) <= 1e-4 * np.linalg.norm(gradients[0])


@NEEDS_GPU
def test_value_gradients_on_a_gpu_equal_those_on_the_processor() -> None:
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(64, 11)).astype(np.float32), rng.normal(size=64).astype(np.float32)
    losses, gradients = [], []
    for device in ("cpu", "cuda"):
        critic = Network((11, 1500, 1500, 1), np.random.default_rng(1), last_gain=1.0)
        losses.append(TorchValueGradients(critic, device)(inputs, targets))
        gradients.append(critic.gradient)
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert np.linalg.norm(gradients[1] - gradients[0]) <= 1e-4 * np.linalg.norm(gradients[0])
