import numpy as np
import pytest
import torch

from rlhf.errors import ShapeError
from rlhf.reward.encoder import Encoder
from rlhf.reward.frozen import FrozenNetwork, silu
from rlhf.reward.networks import EnsembleNetwork

NONE = np.empty(0, np.int64)


def make(columns: np.ndarray = NONE, hidden: tuple[int, ...] = (), encoded: bool = False) -> EnsembleNetwork:
    generator = torch.Generator().manual_seed(0)
    encoder = Encoder(6, generator) if encoded else None
    return EnsembleNetwork(5, 6, columns=columns, hidden=hidden, generator=generator, encoder=encoder)


@pytest.mark.parametrize(
    "network",
    [
        make(),
        make(columns=np.array([0, 2, 5])),
        make(hidden=(32, 32)),
        make(columns=np.arange(6), hidden=(16,)),
        make(hidden=(16, 8), encoded=True),
    ],
    ids=["linear", "quadratic", "mlp", "mlp on quadratic", "encoded"],
)
def test_frozen_networks_say_what_the_trained_ones_say(network: EnsembleNetwork) -> None:
    inputs = np.random.default_rng(0).normal(size=(300, 6)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(inputs).expand(5, -1, -1)).numpy()
    frozen = network.frozen()
    outputs = frozen(inputs)
    assert outputs.dtype == np.float32
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    np.testing.assert_array_equal(FrozenNetwork.from_arrays(frozen.to_arrays())(inputs), outputs)


def test_training_on_does_not_reach_a_frozen_network() -> None:
    network = make()
    frozen = network.frozen()
    with torch.no_grad():
        network.skip.zero_()
    assert frozen.skip.all()


def test_no_input_is_too_large_for_the_activation() -> None:
    far = np.array([-1e30, -100.0, 0.0, 100.0, 1e30], np.float32)
    np.testing.assert_allclose(silu(far), np.maximum(far, 0.0), atol=1e-6)


@pytest.mark.parametrize("name", ["skip", "weights.0", "weights.2", "biases.1", "encoder.second_bias"])
def test_layers_that_do_not_fit_are_refused(name: str) -> None:
    arrays = make(columns=np.arange(2), hidden=(8, 4), encoded=True).frozen().to_arrays()
    with pytest.raises(ShapeError):
        FrozenNetwork.from_arrays(arrays | {name: arrays[name][:-1]})
