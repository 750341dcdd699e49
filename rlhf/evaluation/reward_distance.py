"""How different two rewards are for whoever follows them. Pure; for reports, never for learning."""

import math

import numpy as np

from rlhf.checks import check_shape
from rlhf.types.experience import Bool, Float32, Float64

_MAX_PRODUCTS = 24
"""Entries of an observation beyond which a potential has squares only, not all products."""
_STEPS_PER_INPUT = 5
"""Fewer steps than this for each input of the potential say nothing."""
_SMALLEST_SHARE = 1e-6
"""Of the variance that must be left of a reward without its shaping."""


def shaping_invariant_distance(
    first: Float64, second: Float64, observations: Float32, absorbing: Bool, discount: float
) -> float:
    """Return the Pearson distance of two rewards once what is only potential shaping is taken out of both.

        D = sqrt((1 - rho) / 2),   rho the correlation of  R + discount Phi(s') - Phi(s)  of both,

    where each reward gets the potential Phi and the constant that leave the least variance of it. 0: they
    rank all policies alike, as far as these steps show; 0.71: they have nothing in common; 1: opposites.

    Args:
        first: one reward per step, (B, L).
        second: the other, (B, L).
        observations: before and after each step, (B, L + 1, D).
        absorbing: whether a step was spent in the absorbing state, (B, L).
        discount: gamma, in [0, 1).

    Returns:
        NaN where there are too few steps, or one of them is nothing but shaping.

    Sources: https://arxiv.org/abs/2006.13900 for the distance (EPIC); https://arxiv.org/abs/2309.15257 for
    taking out the shaping by the smallest norm. Differs from EPIC, which averages rewards over transitions
    that never happen: a learned reward is not to be trusted there, and a true reward is known only for what
    did happen. So potentials are quadratic in the observation, and free in the absorbing state.
    """
    check_shape("first", first, (None, None))
    segments, steps = first.shape
    check_shape("second", second, (segments, steps))
    check_shape("observations", observations, (segments, steps + 1, None))
    check_shape("absorbing", absorbing, (segments, steps))
    potentials = _potential_inputs(observations[:, :-1], absorbing)
    # Whether the state after the last step of a segment is absorbing is not known.
    shaping = (discount * potentials[:, 1:] - potentials[:, :-1]).reshape(-1, potentials.shape[-1])
    if len(shaping) < _STEPS_PER_INPUT * shaping.shape[1]:
        return math.nan
    inputs = np.concatenate([shaping, np.ones((len(shaping), 1))], axis=1)
    rewards = np.stack([reward[:, :-1].reshape(-1) for reward in (first, second)], axis=1)
    found, *_ = np.linalg.lstsq(inputs, rewards, rcond=None)
    left = rewards - inputs @ found
    if (left.var(axis=0) <= _SMALLEST_SHARE * np.maximum(rewards.var(axis=0), 1e-12)).any():
        return math.nan
    rho = float(np.corrcoef(left.T)[0, 1])
    return math.sqrt(max(0.0, (1.0 - rho) / 2.0))


def _potential_inputs(observations: Float32, absorbing: Bool) -> Float64:
    """Return what potentials are linear in, (B, L, P)."""
    rows = observations[~absorbing].astype(np.float64)
    if not len(rows):
        return np.ones((*absorbing.shape, 1))
    sd = rows.std(axis=0)
    scaled = (observations - rows.mean(axis=0)) / np.where(sd > 0, sd, np.inf)
    width = scaled.shape[-1]
    pairs = np.triu_indices(width) if width <= _MAX_PRODUCTS else (np.arange(width), np.arange(width))
    terms = np.concatenate([scaled, scaled[..., pairs[0]] * scaled[..., pairs[1]]], axis=-1)
    return np.concatenate([np.where(absorbing[..., None], 0.0, terms), absorbing[..., None]], axis=-1)
