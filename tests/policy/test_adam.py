import numpy as np
import pytest
import torch

from rlhf.errors import CheckpointError
from rlhf.policy.adam import Adam, clip_norm


def test_steps_equal_those_of_torch() -> None:
    rng = np.random.default_rng(0)
    parameters = rng.normal(size=40).astype(np.float32)
    reference = torch.from_numpy(parameters.copy()).requires_grad_(True)
    torch_adam = torch.optim.Adam([reference], lr=1e-2, eps=1e-5)
    adam = Adam(40)
    for _ in range(30):
        gradient = rng.normal(size=40).astype(np.float32)
        reference.grad = torch.from_numpy(gradient)
        torch_adam.step()
        adam.step(parameters, gradient, 1e-2)
    np.testing.assert_allclose(parameters, reference.detach().numpy(), atol=1e-6)


def test_after_a_reset_the_steps_are_those_of_a_new_optimiser() -> None:
    gradient = np.array([1.0, -2.0], np.float32)
    used, fresh = Adam(2), Adam(2)
    for _ in range(5):
        used.step(np.zeros(2, np.float32), gradient * 100, 1e-2)
    used.reset()
    moved, expected = np.zeros(2, np.float32), np.zeros(2, np.float32)
    used.step(moved, gradient, 1e-2)
    fresh.step(expected, gradient, 1e-2)
    np.testing.assert_array_equal(moved, expected)


def test_moments_of_another_size_are_refused() -> None:
    with pytest.raises(CheckpointError, match="3 parameters"):
        Adam(2).load_state_dict(Adam(3).state_dict())


def test_clip_norm_shortens_long_gradients_only() -> None:
    long, short = np.array([3.0, 4.0], np.float32), np.array([0.3, 0.4], np.float32)
    assert clip_norm(long, 1.0) == pytest.approx(5.0)
    assert clip_norm(short, 1.0) == pytest.approx(0.5)
    np.testing.assert_allclose(long, [0.6, 0.8], rtol=1e-6)
    np.testing.assert_array_equal(short, np.array([0.3, 0.4], np.float32))
