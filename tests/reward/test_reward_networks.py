import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rlhf.errors import ConfigError
from rlhf.reward.config import RewardConfig
from rlhf.reward.networks import EnsembleNetwork, expand, num_expanded


def make(**settings: object) -> EnsembleNetwork:
    return EnsembleNetwork(RewardConfig(**settings), 4, torch.Generator().manual_seed(0))  # type: ignore[arg-type]


def test_batched_members_equal_single_networks() -> None:
    network, inputs = make(num_members=3, hidden=(8, 6)), torch.randn(3, 10, 4)
    together = network(inputs)
    for member in range(3):
        hidden = inputs[member]
        for weight, bias in zip(network.weights[:-1], network.biases, strict=True):
            hidden = F.silu(hidden @ weight[member] + bias[member])
        alone = hidden @ network.weights[-1][member] + inputs[member] @ network.skip[member]
        torch.testing.assert_close(together[member], alone[:, 0])


def test_members_do_not_touch_each_others_gradients() -> None:
    network = make(num_members=3)
    network(torch.randn(3, 10, 4))[1].sum().backward()
    for parameter in network.parameters():
        assert parameter.grad is not None
        assert not parameter.grad[[0, 2]].any()
        assert parameter.grad[1].any()


@pytest.mark.parametrize("settings", [{"model_class": "linear"}, {"hidden": ()}])
def test_linear_is_linear(settings: dict[str, object]) -> None:
    network = make(num_members=2, **settings)
    one, other = torch.randn(2, 2, 5, 4)
    torch.testing.assert_close(network(one + 2.0 * other), network(one) + 2.0 * network(other))


def test_quadratic_inputs_are_all_products() -> None:
    expanded = expand("quadratic", torch.tensor([2.0, 3.0]))
    assert expanded.tolist() == [2.0, 3.0, 4.0, 6.0, 9.0]
    assert num_expanded("quadratic", 2) == 5


def test_quadratic_refuses_too_many_features() -> None:
    with pytest.raises(ConfigError, match="24"):
        num_expanded("quadratic", 25)


def test_same_generator_gives_the_same_weights_and_members_differ() -> None:
    one, other = make(), make()
    np.testing.assert_array_equal(one.skip.detach(), other.skip.detach())
    assert not torch.equal(one.skip[0], one.skip[1])
