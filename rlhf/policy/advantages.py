"""Generalised advantage estimation with termination and truncation apart. Pure numpy.

A terminated step enters the absorbing state and stays there: what follows is worth the same absorbing
reward at every later step. A truncated step only ran out of time: what follows is worth the value of the
state it led to. Knows nothing of networks or optimisers.
"""

import numpy as np

from rlhf.checks import check_shape
from rlhf.types.experience import Bool, Float32


def absorbing_values(absorbing_rewards: Float32, discount: float) -> Float32:
    """Return the value of receiving the same reward for ever: r / (1 - gamma).

    Args:
        absorbing_rewards: reward of one step in the absorbing state, any shape.
        discount: gamma in [0, 1).
    """
    return np.asarray(absorbing_rewards / np.float32(1.0 - discount), np.float32)


def successor_values(
    next_values: Float32, terminated: Bool, absorbing_rewards: Float32, discount: float
) -> Float32:
    """Return what follows each step is worth: the absorbing state where terminated, else ``next_values``.

    Args:
        next_values: V of the observation each step led to, before any reset, (T, N).
        terminated: whether the step entered the absorbing state, (T, N).
        absorbing_rewards: reward of one absorbing step, (T, N); read only where terminated.
        discount: gamma in [0, 1).

    Raises:
        ShapeError: the arrays do not all have one shape (T, N).
    """
    check_shape("next_values", next_values, (None, None))
    check_shape("terminated", terminated, next_values.shape)
    check_shape("absorbing_rewards", absorbing_rewards, next_values.shape)
    return np.where(terminated, absorbing_values(absorbing_rewards, discount), next_values)


def generalised_advantages(
    *,
    rewards: Float32,
    values: Float32,
    successors: Float32,
    terminated: Bool,
    truncated: Bool,
    discount: float,
    gae_lambda: float,
) -> Float32:
    """Return the advantages; adding ``values`` gives the lambda-returns that the critic learns.

        delta_t = r_t + gamma * S_t - V_t
        A_t     = delta_t + gamma * lambda * (1 - end_t) * A_{t+1},     end = terminated or truncated

    The sum is cut at both kinds of end because the next row belongs to another episode; what the end is
    worth is in ``successors`` (S), which differs between the two kinds.

    Args:
        rewards: reward of each step, (T, N).
        values: V of the observation acted on, (T, N).
        successors: value of what follows each step, (T, N), from ``successor_values``.
        terminated: (T, N).
        truncated: (T, N).
        discount: gamma in [0, 1).
        gae_lambda: lambda in [0, 1]; 0 is the one-step error, 1 the discounted return minus V.

    Returns:
        Advantages, float32 (T, N).

    Raises:
        ShapeError: the arrays do not all have one shape (T, N).
    Source: https://arxiv.org/abs/1506.02438. Differs: absorbing states have a value of their own.
    """
    check_shape("rewards", rewards, (None, None))
    for name, array in (("values", values), ("successors", successors)):
        check_shape(name, array, rewards.shape)
    for name, ends in (("terminated", terminated), ("truncated", truncated)):
        check_shape(name, ends, rewards.shape)
    deltas = (rewards + discount * successors - values).astype(np.float32)
    carry = (discount * gae_lambda * ~(terminated | truncated)).astype(np.float32)
    advantages = deltas
    for step in range(len(rewards) - 2, -1, -1):
        advantages[step] += carry[step] * advantages[step + 1]
    return advantages


def explained_variance(predictions: Float32, targets: Float32) -> float:
    """Return 1 - Var(targets - predictions) / Var(targets); 0 where the targets do not vary."""
    variance = float(np.var(targets, dtype=np.float64))
    if variance < 1e-12:
        return 0.0
    return 1.0 - float(np.var(targets.astype(np.float64) - predictions)) / variance
