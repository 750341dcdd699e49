import numpy as np
import pytest
import torch

from rlhf.policy.autograd import TorchNetwork, clipped_surrogate, gaussian_log_probs
from rlhf.policy.networks import Network


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
        TorchNetwork(net).forward(torch.from_numpy(inputs)).detach().numpy(),
        atol=1e-5,
    )


def test_flat_gradient_agrees_with_finite_differences() -> None:
    net = network()
    inputs = np.random.default_rng(1).normal(size=(4, 5)).astype(np.float32)
    torch_net = TorchNetwork(net)
    torch_net.differentiate(
        torch_net.forward(torch.from_numpy(inputs)).pow(2).sum() + torch_net.free.exp().sum()
    )

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
