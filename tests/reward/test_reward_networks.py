import numpy as np
import torch
import torch.nn.functional as F

from rlhf.reward.frozen import PRODUCT_SCALE
from rlhf.reward.networks import MAX_QUADRATIC_FEATURES, EnsembleNetwork, mean_inputs, product_columns

NONE = np.empty(0, np.int64)


def make(
    num_members: int = 5, hidden: tuple[int, ...] = (8, 6), columns: np.ndarray = NONE
) -> EnsembleNetwork:
    generator = torch.Generator().manual_seed(0)
    return EnsembleNetwork(num_members, 4, columns=columns, hidden=hidden, generator=generator)


def test_batched_members_equal_single_networks() -> None:
    network, inputs = make(num_members=3), torch.randn(3, 10, 4)
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


def test_without_hidden_layers_it_is_linear_in_its_features() -> None:
    network = make(num_members=2, hidden=())
    one, other = torch.randn(2, 2, 5, 4)
    torch.testing.assert_close(network(one + 2.0 * other), network(one) + 2.0 * network(other))


def test_quadratic_inputs_are_all_products_of_the_columns() -> None:
    means = mean_inputs(torch.tensor([[[2.0, 3.0, 5.0]]]), np.array([0, 2]))
    products = [PRODUCT_SCALE * value for value in (4.0, 10.0, 25.0)]
    assert means.tolist() == [[2.0, 3.0, 5.0, *products]]


def test_the_mean_output_is_the_linear_term_of_the_mean_inputs() -> None:
    columns = np.array([0, 1, 3])
    network, inputs = make(num_members=2, hidden=(), columns=columns), torch.randn(7, 3, 4)
    outputs = network(inputs.flatten(0, 1).expand(2, -1, -1)).view(2, 7, 3).mean(dim=-1)
    from_means = network.skip[..., 0].double() @ torch.from_numpy(mean_inputs(inputs, columns)).T
    torch.testing.assert_close(outputs.double(), from_means, atol=1e-5, rtol=1e-5)


def test_few_features_all_make_products() -> None:
    features = np.random.default_rng(0).normal(size=(10, 5, 4)).astype(np.float32)
    assert product_columns(features).tolist() == [0, 1, 2, 3]


def test_of_many_features_those_that_differ_between_segments_make_products() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(50, 20, 60)).astype(np.float32)
    features[..., 10:50:2] += rng.normal(size=(50, 1, 20)).astype(np.float32)
    columns = product_columns(features)
    assert len(columns) == MAX_QUADRATIC_FEATURES
    assert set(range(10, 50, 2)) <= set(columns.tolist())


def test_same_generator_gives_the_same_weights_and_members_differ() -> None:
    one, other = make(), make()
    np.testing.assert_array_equal(one.skip.detach(), other.skip.detach())
    assert not torch.equal(one.skip[0], one.skip[1])
