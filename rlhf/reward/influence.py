"""What single answers do to a reward that is solved for: what it would say, and how it would differ, without.

Nothing is fitted again: the solution without one answer is about one Newton step away, and all answers share
one matrix. Good for ``linear`` and ``quadratic``; of a network it is about the part that was solved for.
Pure numpy.

Source: Pregibon 1981, "Logistic regression diagnostics", the one-step estimate after deleting an
observation; https://arxiv.org/abs/1703.04730 for what it is used for here, finding wrong labels.
"""

import dataclasses

import numpy as np

from rlhf.reward.answer_model import AnswerModel, answer_terms, intervals, rows
from rlhf.reward.linear import Directions, fit_linear
from rlhf.types.experience import Float64
from rlhf.types.feedback import PreferenceData

_LARGEST_LEVERAGE = 0.95
"""An answer that alone decides a direction would be left with a step of any length."""
_SMALLEST_SCALE = 1e-9


@dataclasses.dataclass(frozen=True, kw_only=True)
class Influences:
    """What Q comparisons do to the reward, each array (Q,)."""

    unseen: Float64
    """Return of the first less that of the second, in logits, as a reward says that did not learn from this
    answer."""
    influence: Float64
    """How far the reward moves when this answer is left out: root mean square change of the differences of
    all compared pairs, as a share of their own root mean square; 0 where nothing moves."""


def influences(inputs: Directions, data: PreferenceData, model: AnswerModel, ridge: float) -> Influences:
    """Return what each comparison does to the reward that is linear in ``inputs``.

        w_without_a = w - H^-1 c_a g_a / (1 - c_a i_a d_a^T H^-1 d_a),   g_a = s_a d_a

    with the differences d of the inputs, weights c, and the scores s and curvatures i of ``Terms``, which
    make up  H = sum_a c_a i_a d_a d_a^T + ridge I.

    Args:
        inputs: what the reward is linear in.
        data: the answers; rankings take part in the fit, but are not left out.
        model: how they were given.
        ridge: penalty of the fit.
    """
    weights, ridges = data.weight_of[None], np.array([ridge])
    solved = fit_linear(inputs.values, data, model, weights, ridges, offset=inputs.started)[0, 0]
    first, second, answer = rows(data)
    differences = inputs.values[first] - inputs.values[second]
    returns = inputs.returns(solved)
    terms = answer_terms(returns, data, model)
    counts = data.weight_of[answer].astype(np.float64)
    bend = (differences.T * (counts * terms.information)) @ differences + ridge * np.eye(len(solved))
    pairs = len(data.first)
    asked, counts = differences[:pairs], counts[:pairs]
    steps = np.linalg.solve(bend, asked.T).T
    leverage = counts * terms.information[:pairs] * np.einsum("qp,qp->q", asked, steps)
    kept = 1.0 - np.minimum(leverage, _LARGEST_LEVERAGE)
    steps *= (counts * terms.score[:pairs] / kept)[:, None]
    spread = differences.T @ differences / max(1, len(differences))
    leads = returns[first] - returns[second]
    scale = max(float(np.sqrt((leads**2).mean())), _SMALLEST_SCALE)
    moved = np.sqrt(np.maximum(np.einsum("qp,pr,qr->q", steps, spread, steps, optimize=True), 0.0))
    return Influences(
        unseen=leads[:pairs] - np.einsum("qp,qp->q", asked, steps),
        influence=moved / scale,
    )


def disagreement(differences: Float64, data: PreferenceData, model: AnswerModel) -> Float64:
    """Return how far predictions are from what was answered, in logits, (Q,); 0 where they agree.

    The lead that an annotator is expected to see is held against the leads that their answer stands for:
    beyond the width of ties on the side they chose, within it for an equal. So a tie is held against a clear
    prediction, but not for being rarer than a preference, which every tie is.

    Args:
        differences: predicted returns of the first less those of the second, in logits, (Q,).
        data: the answers.
        model: how they were given.
    """
    said = intervals(data, model)
    lead = said.rationality * differences + said.side_bias
    return np.maximum(0.0, np.maximum(said.lower - lead, lead - said.upper))
