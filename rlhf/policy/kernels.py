"""Losses and gradients of small tanh networks by hand, in numpy, without allocating.

Arrays are features first, (features, B), with a row of ones below each layer's activations: the bias is then
the last row of the layer's matrix, and one matrix product per layer gives the outputs, or the gradients of
weights and bias together. At 64 x 64 the calls cost as much as the arithmetic, so fewer calls are the gain.

Source: the chain rule; ``autograd`` computes the same and is what the tests compare with.
"""

from typing import Any

import numpy as np

from rlhf.policy.losses import LOG_2PI, PolicyLoss, Reference
from rlhf.policy.networks import Network
from rlhf.types.experience import Actions, Float32
from rlhf.types.task import ActionSpace


class Backpropagation:
    """Forward and backward pass of one network over batches of one size.

    Args:
        network: its ``gradient`` is overwritten by ``backward``.
        batch_size: B.
    """

    def __init__(self, network: Network, batch_size: int) -> None:
        dtype = network.parameters.dtype
        self._matrices = network.matrices
        self._matrices_t = [matrix.T for matrix in network.matrices]
        self._gradients = network.matrix_gradients
        self._activations = [np.ones((len(matrix), batch_size), dtype) for matrix in network.matrices]
        self._hidden = [activation[:-1] for activation in self._activations]
        self._hidden_gradients = [np.empty_like(hidden) for hidden in self._hidden]
        self._squares = [np.empty_like(hidden) for hidden in self._hidden]
        self.outputs: Float32 = np.empty((network.matrices[-1].shape[1], batch_size), dtype)
        """(O, B), filled by ``forward``; whoever computes the loss may write to it."""
        self.output_gradients: Float32 = np.empty_like(self.outputs)
        """(O, B), d loss / d outputs; to be filled before ``backward``."""

    def forward(self, inputs: Float32) -> None:
        """Compute ``outputs`` of inputs (B, D)."""
        self._hidden[0][:] = inputs.T
        last = len(self._matrices) - 1
        for layer in range(last):
            hidden = self._hidden[layer + 1]
            np.dot(self._matrices_t[layer], self._activations[layer], out=hidden)
            np.tanh(hidden, out=hidden)
        np.dot(self._matrices_t[last], self._activations[last], out=self.outputs)

    def backward(self) -> None:
        """Fill the network's gradient of weights and biases from ``output_gradients``."""
        gradients = self.output_gradients
        for layer in range(len(self._matrices) - 1, 0, -1):
            np.dot(self._activations[layer], gradients.T, out=self._gradients[layer])
            hidden, below, squares = self._hidden[layer], self._hidden_gradients[layer], self._squares[layer]
            np.dot(self._matrices[layer][:-1], gradients, out=below)
            np.multiply(hidden, hidden, out=squares)  # tanh' = 1 - tanh^2
            np.subtract(1.0, squares, out=squares)
            np.multiply(below, squares, out=below)
            gradients = below
        np.dot(self._activations[0], gradients.T, out=self._gradients[0])


class Surrogate:
    """The clipped surrogate of PPO, and its gradient by the log-probabilities, for batches of one size."""

    def __init__(self, batch_size: int, dtype: Any) -> None:
        self.ones: Float32 = np.ones(batch_size, dtype)
        """(B,), for sums: a product with ones takes a third of the time of ``sum``."""
        self.log_ratios: Float32 = np.empty(batch_size, dtype)
        """(B,), to be filled with log-probabilities, new minus old."""
        self.gradients: Float32 = np.empty(batch_size, dtype)
        """(B,), d loss / d log-probabilities."""
        self._ratios, self._bounded, self._gains = (np.empty(batch_size, dtype) for _ in range(3))
        self._flows = np.empty(batch_size, np.bool_)

    def measure(self, advantages: Float32, clip_range: float) -> tuple[float, float, float]:
        """Fill ``gradients``; return (loss, approximate KL, clipped share)."""
        ratios, bounded, gains, flows = self._ratios, self._bounded, self._gains, self._flows
        size, ones = len(advantages), self.ones
        np.exp(self.log_ratios, out=ratios)
        np.maximum(ratios, 1.0 - clip_range, out=bounded)
        np.minimum(bounded, 1.0 + clip_range, out=bounded)
        np.not_equal(ratios, bounded, out=flows)
        clip_fraction = np.count_nonzero(flows) / size
        np.multiply(ratios, advantages, out=gains)
        np.multiply(bounded, advantages, out=bounded)
        # The unbounded gain counts, and has a gradient, wherever it is the smaller one.
        np.less_equal(gains, bounded, out=flows)
        np.minimum(gains, bounded, out=bounded)
        np.multiply(gains, flows, out=self.gradients)
        self.gradients *= -1.0 / size
        ratios -= self.log_ratios
        return -float(bounded.dot(ones)) / size, float(ratios.dot(ones)) / size - 1.0, clip_fraction


class GaussianActor:
    """The policy loss of a Gaussian actor whose ``free`` parameters are log_std, for one batch size."""

    def __init__(self, network: Network, batch_size: int) -> None:
        self._pass = Backpropagation(network, batch_size)
        self._log_std, self._log_std_gradient = network.free, network.free_gradient
        self._surrogate = Surrogate(batch_size, network.parameters.dtype)
        self._scaled, self._squares = (np.empty_like(self._pass.outputs) for _ in range(2))
        self._minus_halves = np.full(len(network.free), -0.5, network.parameters.dtype)

    def differentiate(
        self,
        inputs: Float32,
        actions: Actions,
        log_probs: Float32,
        advantages: Float32,
        *,
        clip_range: float,
        entropy_coef: float,
        reference: Reference | None = None,
    ) -> PolicyLoss:
        """Fill the actor's gradient; see ``losses.PolicyGradients``."""
        passes, surrogate, scaled, squares = self._pass, self._surrogate, self._scaled, self._squares
        passes.forward(inputs)
        inverse_std = np.exp(-self._log_std)[:, None]
        np.subtract(actions.T, passes.outputs, out=scaled)
        scaled *= inverse_std
        np.multiply(scaled, scaled, out=squares)
        log_scale = float(np.add.reduce(self._log_std))
        log_ratios = np.dot(self._minus_halves, squares, out=surrogate.log_ratios)
        log_ratios -= log_probs
        log_ratios -= log_scale + 0.5 * LOG_2PI * len(scaled)
        loss, approx_kl, clip_fraction = surrogate.measure(advantages, clip_range)

        # log N = -scaled^2 / 2 - log_std: d / d mean = scaled / std, d / d log_std = scaled^2 - 1
        slope = surrogate.gradients
        np.multiply(scaled, slope, out=passes.output_gradients)
        passes.output_gradients *= inverse_std
        np.dot(squares, slope, out=self._log_std_gradient)
        self._log_std_gradient -= float(slope.dot(surrogate.ones)) + entropy_coef
        kl = 0.0 if reference is None else self._hold(reference)
        passes.backward()
        entropy = log_scale + 0.5 * (1.0 + LOG_2PI) * len(scaled)
        return PolicyLoss(loss, entropy, approx_kl, clip_fraction, kl)

    def _hold(self, reference: Reference) -> float:
        """Add the gradient of the weighted divergence from a reference; return the divergence.

        KL = sum_a log(s_ref / s) + (s^2 + (mean - mean_ref)^2) / (2 s_ref^2) - 1/2
        """
        assert reference.log_std is not None, "its actions are continuous too"
        passes, size = self._pass, self._pass.outputs.shape[1]
        precision = np.exp(-2.0 * reference.log_std)
        excess = np.exp(2.0 * self._log_std) * precision - 1.0
        apart = passes.outputs - reference.outputs.T
        pulls = apart * precision[:, None]
        kl = np.sum(reference.log_std - self._log_std + 0.5 * excess) + 0.5 * np.sum(apart * pulls) / size
        pulls *= reference.weight / size
        passes.output_gradients += pulls
        self._log_std_gradient += reference.weight * excess
        return float(kl)


class CategoricalActor:
    """The policy loss of a categorical actor, for one batch size."""

    def __init__(self, network: Network, batch_size: int) -> None:
        self._pass = Backpropagation(network, batch_size)
        self._surrogate = Surrogate(batch_size, network.parameters.dtype)
        outputs = self._pass.outputs
        self._probs, self._chosen, self._terms = (np.empty_like(outputs) for _ in range(3))
        self._per_sample = np.empty(batch_size, outputs.dtype)
        self._choices = np.arange(len(outputs))[:, None]

    def differentiate(
        self,
        inputs: Float32,
        actions: Actions,
        log_probs: Float32,
        advantages: Float32,
        *,
        clip_range: float,
        entropy_coef: float,
        reference: Reference | None = None,
    ) -> PolicyLoss:
        """Fill the actor's gradient; see ``losses.PolicyGradients``."""
        passes, surrogate = self._pass, self._surrogate
        probs, chosen, terms, per_sample = self._probs, self._chosen, self._terms, self._per_sample
        passes.forward(inputs)
        new_log_probs = passes.outputs
        new_log_probs -= np.maximum.reduce(new_log_probs, axis=0, out=per_sample)
        np.exp(new_log_probs, out=probs)
        np.add.reduce(probs, axis=0, out=per_sample)
        probs /= per_sample
        new_log_probs -= np.log(per_sample, out=per_sample)
        np.equal(self._choices, actions, out=chosen)
        np.multiply(new_log_probs, chosen, out=terms)
        log_ratios = np.add.reduce(terms, axis=0, out=surrogate.log_ratios)
        log_ratios -= log_probs
        loss, approx_kl, clip_fraction = surrogate.measure(advantages, clip_range)

        # d log p_a / d logits = chosen - p
        chosen -= probs
        np.multiply(chosen, surrogate.gradients, out=passes.output_gradients)
        np.multiply(probs, new_log_probs, out=terms)
        minus_entropies = np.add.reduce(terms, axis=0, out=per_sample)
        entropy = -float(minus_entropies.dot(surrogate.ones)) / len(per_sample)
        kl = 0.0 if reference is None else self._hold(reference)
        if entropy_coef:  # d entropy / d logits = -p (log p + entropy)
            probs *= minus_entropies
            terms -= probs
            terms *= entropy_coef / len(per_sample)
            passes.output_gradients += terms
        passes.backward()
        return PolicyLoss(loss, entropy, approx_kl, clip_fraction, kl)

    def _hold(self, reference: Reference) -> float:
        """Add the gradient of the weighted divergence from a reference; return the divergence.

        KL = sum_a p_a log(p_a / q_a), and d KL / d logits = p (log(p / q) - KL)
        """
        passes, probs = self._pass, self._probs
        pulls = passes.outputs - reference.outputs.T  # the outputs are log-probabilities by now
        pulls *= probs
        divergences = pulls.sum(axis=0)
        pulls -= probs * divergences
        pulls *= reference.weight / len(divergences)
        passes.output_gradients += pulls
        return float(divergences.mean())


class Critic:
    """The mean squared error of a critic, for one batch size."""

    def __init__(self, network: Network, batch_size: int) -> None:
        self._pass = Backpropagation(network, batch_size)

    def differentiate(self, inputs: Float32, targets: Float32) -> float:
        """Fill the critic's gradient; see ``losses.ValueGradients``."""
        passes = self._pass
        passes.forward(inputs)
        errors = passes.output_gradients[0]
        np.subtract(passes.outputs[0], targets, out=errors)
        loss = float(errors.dot(errors)) / len(errors)
        errors *= 1.0 / len(errors)
        passes.backward()
        return loss


class NumpyPolicyGradients:
    """``PolicyGradients`` with work arrays kept for every batch size met (they are few)."""

    def __init__(self, actor: Network, action_space: ActionSpace) -> None:
        self._actor = actor
        self._kind = GaussianActor if action_space.kind == "continuous" else CategoricalActor
        self._of_size: dict[int, GaussianActor | CategoricalActor] = {}

    def __call__(
        self,
        inputs: Float32,
        actions: Actions,
        log_probs: Float32,
        advantages: Float32,
        *,
        clip_range: float,
        entropy_coef: float,
        reference: Reference | None = None,
    ) -> PolicyLoss:
        """Fill the actor's gradient; see ``losses.PolicyGradients``."""
        size = len(inputs)
        if size not in self._of_size:
            self._of_size[size] = self._kind(self._actor, size)
        return self._of_size[size].differentiate(
            inputs,
            actions,
            log_probs,
            advantages,
            clip_range=clip_range,
            entropy_coef=entropy_coef,
            reference=reference,
        )


class NumpyValueGradients:
    """``ValueGradients`` with work arrays kept for every batch size met."""

    def __init__(self, critic: Network) -> None:
        self._critic = critic
        self._of_size: dict[int, Critic] = {}

    def __call__(self, inputs: Float32, targets: Float32) -> float:
        """Fill the critic's gradient; see ``losses.ValueGradients``."""
        size = len(inputs)
        if size not in self._of_size:
            self._of_size[size] = Critic(self._critic, size)
        return self._of_size[size].differentiate(inputs, targets)
