import numpy as np
import pytest

from rlhf.errors import CheckpointError
from rlhf.policy.networks import Network, orthogonal


def network(seed: int = 0, last_gain: float = 1.0) -> Network:
    return Network(
        (5, 16, 8, 3), np.random.default_rng(seed), last_gain=last_gain, free=np.zeros(2, np.float32)
    )


def test_a_change_of_the_flat_parameters_reaches_the_layers() -> None:
    net = network()
    inputs = np.ones((2, 5), np.float32)
    net.parameters[:] = 0.0
    net.biases[-1][:] = 4.0
    np.testing.assert_array_equal(net.numpy_forward(inputs), np.full((2, 3), 4.0))


@pytest.mark.parametrize("shape", [(4, 9), (9, 4), (6, 6)])
def test_orthogonal_matrices_have_orthonormal_rows_or_columns(shape: tuple[int, int]) -> None:
    matrix = orthogonal(np.random.default_rng(0), *shape, gain=2.0)
    assert matrix.shape == shape
    small = matrix @ matrix.T if shape[0] <= shape[1] else matrix.T @ matrix
    np.testing.assert_allclose(small, 4.0 * np.eye(min(shape)), atol=1e-5)


def test_same_seed_same_weights_other_seed_other_weights() -> None:
    np.testing.assert_array_equal(network(3).parameters, network(3).parameters)
    assert not np.array_equal(network(3).parameters, network(4).parameters)


def test_a_small_last_gain_makes_outputs_nearly_equal() -> None:
    inputs = np.random.default_rng(1).normal(size=(50, 5)).astype(np.float32)
    assert np.abs(network(last_gain=0.01).numpy_forward(inputs)).max() < 0.1


def test_parameters_of_another_network_are_refused() -> None:
    other = Network((5, 4, 3), np.random.default_rng(0), last_gain=1.0)
    with pytest.raises(CheckpointError, match="parameters"):
        network().load_parameters(other.parameters)
