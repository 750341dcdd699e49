import pytest
import torch

from rlhf.policy.autograd import clipped_surrogate, gaussian_log_probs


def test_golden_clipped_surrogate() -> None:
    # ratio 2 with A = 1 counts as 1.2; ratio .5 with A = -1 as -.8; ratio 2 with A = -1 as -2; ratio .5 with
    # A = 1 as .5. Mean = (1.2 - .8 - 2 + .5) / 4 = -.275
    loss = clipped_surrogate(torch.tensor([2.0, 0.5, 2.0, 0.5]), torch.tensor([1.0, -1.0, -1.0, 1.0]), 0.2)
    assert loss.item() == pytest.approx(0.275)


def test_gaussian_log_probs_equal_those_of_torch_distributions() -> None:
    mean, actions, log_std = torch.randn(5, 3), torch.randn(5, 3), torch.tensor([-1.0, 0.0, 0.5])
    expected = torch.distributions.Normal(mean, log_std.exp()).log_prob(actions)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(gaussian_log_probs(mean, log_std, actions), expected.sum(dim=1))
