"""Proximal policy optimisation: from a rollout and its rewards to a better policy.

    values and lambda-returns -> return scale -> epochs of minibatch steps -> observation scale -> version + 1

Knows nothing of where rewards come from: it is given one reward per step, and for each terminated step the
reward of one step in the absorbing state. Gradients are in ``minibatch``, acting is in ``snapshot``.

Source: https://arxiv.org/abs/1707.06347; implementation details as studied in https://arxiv.org/abs/2006.05990.
Differs: absorbing states have a value; actor and critic have separate optimisers; the critic goes on when
``target_kl`` has stopped the policy.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rlhf.checks import check_finite, check_shape
from rlhf.errors import CheckpointError
from rlhf.parallel import Companion
from rlhf.policy.advantages import explained_variance, generalised_advantages, successor_values
from rlhf.policy.config import PPOConfig
from rlhf.policy.losses import Reference
from rlhf.policy.minibatch import (
    ActorLearner,
    CriticBeside,
    CriticLearner,
    PolicyStep,
    minibatches,
    num_minibatches,
    uses_kernels,
)
from rlhf.policy.networks import Network
from rlhf.policy.normalise import ObservationNormaliser, ReturnNormaliser
from rlhf.policy.partial import learned_part
from rlhf.policy.reference import StartingPolicy
from rlhf.policy.snapshot import PolicySnapshot
from rlhf.policy.stats import CriticStats, PolicyStats
from rlhf.seeding import generator_state, restore_generator
from rlhf.types.experience import Actions, Float32, Int64, Rollout
from rlhf.types.task import ActionSpace

_MOST_GAINED = 2.0
"""Standard deviations of returns that a step counts as better than expected, at most."""


class PPO:
    """A policy that acts and learns from rollouts. Implements ``ActingPolicy``.

    Args:
        config: hyperparameters.
        observation_dim: D.
        action_space: kind and size of the actions.
        rng: draws the first weights and the minibatches; saved and restored with the state.
        processes: with 2, the critic learns in a process of its own while the actor learns in this one; the
            results are the same.
        device: ``cpu`` or ``cuda``, where the gradients are computed.
    """

    def __init__(
        self,
        config: PPOConfig,
        observation_dim: int,
        action_space: ActionSpace,
        rng: np.random.Generator,
        *,
        processes: int = 1,
        device: str = "cpu",
    ) -> None:
        self.config = config
        self.version = 0
        self._rng = rng
        is_continuous = action_space.kind == "continuous"
        log_std = np.full(action_space.size, config.initial_log_std, np.float32) if is_continuous else None
        # The last gain of .01 makes all actions nearly equally likely at first, whatever the observation.
        self._actor = Network(
            (observation_dim, *config.hidden, action_space.size), rng, last_gain=0.01, free=log_std
        )
        # The first values stay close to the mean return: until they have been fitted they are only noise.
        critic_sizes = (observation_dim, *config.hidden, 1)
        self._critic = Network(critic_sizes, rng, last_gain=0.1)
        learned = learned_part(self._actor, config.update, rng)
        self._actor_learner = ActorLearner(self._actor, action_space, device, learned)
        self._critic_learner = CriticLearner(self._critic, device)
        self._beside: Companion | None = None
        if processes > 1 and uses_kernels(self._critic, device):
            self._beside = Companion(CriticBeside, (critic_sizes,))
        self._observations = ObservationNormaliser(observation_dim, config.observation_clip)
        self._returns = ReturnNormaliser(config.return_scale_rate)
        self._acting = PolicySnapshot(
            weights=self._actor.weights,
            biases=self._actor.biases,
            log_std=self._actor.free if is_continuous else None,
            observation_shift=self._observations.shift,
            observation_scale=self._observations.scale,
            observation_clip=config.observation_clip,
            version=self.version,
            action_space=action_space,
        )
        self._start: StartingPolicy | None = None

    def act(
        self, observations: Float32, rng: np.random.Generator, *, deterministic: bool = False
    ) -> tuple[Actions, Float32]:
        """Return unclipped actions and their log-probabilities; see ``PolicySnapshot.act``."""
        return self._acting.act(observations, rng, deterministic=deterministic)

    def values(self, observations: Float32) -> Float32:
        """Return V, float32 (...), in reward units, for raw observations (..., D)."""
        inputs = self._observations(observations.reshape(-1, observations.shape[-1]))
        outputs = self._critic.numpy_forward(inputs)
        return self._returns.unnormalise(outputs).reshape(observations.shape[:-1])

    def hold_to_start(self, progress: float) -> None:
        """Hold the policy to what it does now, as ``config.reference_kl`` says.

        Args:
            progress: share of the training done, in [0, 1]; from here on the hold loosens.
        """
        self._start = StartingPolicy(self.policy_arrays(), progress, self._acting.action_space)

    def update(
        self,
        rollout: Rollout,
        rewards: Float32,
        absorbing_rewards: Float32,
        *,
        progress: float = 0.0,
        min_advantage_sd: float = 0.0,
    ) -> PolicyStats:
        """Improve policy and critic from one rollout.

        Advantages are normalised once over the whole rollout. The observation scale is the one that acted
        until the update is over, and takes this rollout in afterwards.

        Args:
            rollout: collected by the policy as it is now, (T, N).
            rewards: of each step, (T, N).
            absorbing_rewards: of one step in the absorbing state, (T, N); read only where terminated. Zeros
                give ordinary termination.
            progress: share of the training done, in [0, 1], for the learning rate and the hold to the start.
            min_advantage_sd: advantages are divided by their standard deviation, but not by less than this,
                in reward units. Above 0, differences too small to matter move the policy little.

        Raises:
            ShapeError: the rewards are not (T, N) or not finite.
            ValueError: the rollout was collected by another version of the policy.
        """
        if rollout.policy_version != self.version:
            raise ValueError(
                f"the rollout is of policy version {rollout.policy_version}, the policy is at "
                f"{self.version}; update only with what the current policy has collected."
            )
        values, next_values = self.values(rollout.observations), self.values(rollout.next_observations)
        advantages = self._advantages(
            rollout, rewards, absorbing_rewards, values, next_values, self.config.gae_lambda
        )
        returns = advantages + values
        self._returns.update(returns, self._critic.weights[-1], self._critic.biases[-1])
        learning_rate = self._learning_rate(progress)
        scaled = (advantages - advantages.mean()) / max(float(advantages.std()), min_advantage_sd, 1e-8)
        steps, value_loss = self._run_epochs(rollout, scaled, returns, learning_rate, progress)
        self._observations.update(rollout.observations)
        self._set_version(self.version + 1)

        return PolicyStats(
            policy_loss=_mean(steps, "loss"),
            value_loss=value_loss,
            entropy=_mean(steps, "entropy"),
            approx_kl=_mean(steps, "approx_kl"),
            clip_fraction=_mean(steps, "clip_fraction"),
            explained_variance=explained_variance(values, returns),
            learning_rate=learning_rate,
            num_epochs=len(steps) / num_minibatches(rollout.num_steps, self.config.minibatch_size),
            grad_norm=_mean(steps, "grad_norm"),
            reference_kl=_mean(steps, "reference_kl"),
        )

    def refit_critic(
        self, rollouts: Sequence[Rollout], rewards: Sequence[Float32], absorbing_rewards: Sequence[Float32]
    ) -> CriticStats:
        """Fit the critic to a changed reward; the policy and its version stay as they are.

        The first targets are discounted returns (lambda = 1) that say nothing of the old reward: where a
        rollout or an episode is cut they go on with the mean reward. Every ``critic_refit_interval`` epochs
        the targets become lambda-returns of the critic so far. The critic starts from its old outputs, read
        in the scale of the new returns: where the reward only became clearer they are nearly right.

        Args:
            rollouts: recent ones, any number.
            rewards: new rewards of each rollout, (T, N) each.
            absorbing_rewards: new absorbing rewards of each rollout, (T, N) each.

        Raises:
            ValueError: there are no rollouts, or not one reward array for each.
        """
        if not rollouts or not len(rollouts) == len(rewards) == len(absorbing_rewards):
            raise ValueError(
                f"refit_critic got {len(rollouts)} rollouts, {len(rewards)} rewards and "
                f"{len(absorbing_rewards)} absorbing rewards; give one of each per rollout, at least one."
            )
        config = self.config
        relabelled = list(zip(rollouts, rewards, absorbing_rewards, strict=True))
        observations = np.concatenate([_flat(rollout.observations) for rollout in rollouts])
        inputs = self._observations(observations)
        before = self.values(observations)
        outlook = float(np.mean([array.mean() for array in rewards])) / (1.0 - config.discount)
        self._critic_learner.forget_moments()
        losses: list[float] = []
        for epoch in range(config.critic_refit_epochs):
            if epoch % config.critic_refit_interval == 0:
                targets = self._refit_targets(relabelled, None if epoch else outlook)
                if epoch == 0:
                    self._returns.restart(targets)
                else:
                    self._returns.update(targets, self._critic.weights[-1], self._critic.biases[-1])
            orders = [self._rng.permutation(len(targets))]
            losses = self._critic_learner.fit(
                inputs, self._returns.normalise(targets), orders, **self._fit_settings(config.learning_rate)
            )
        targets = self._refit_targets(relabelled, None)
        return CriticStats(
            explained_variance_before=explained_variance(before, targets),
            explained_variance_after=explained_variance(self.values(observations), targets),
            value_loss=float(np.mean(losses)),
        )

    def imitate(
        self,
        rollouts: Sequence[Rollout],
        rewards: Sequence[Float32],
        absorbing_rewards: Sequence[Float32],
        *,
        rate: float,
        progress: float = 0.0,
    ) -> None:
        """Make what came to more than the critic expects likelier, in one pass; the version stays.

        Advantages are min((R - V)+ / sd, 2): R is the discounted return of what was done, which may be long
        ago, and sd that of returns. Steps that came to less are left out.

        Source: https://arxiv.org/abs/1806.05635 eq. 2. Differs: the surrogate is PPO's, so that a pass cannot
        move the policy by more than ``clip_range``; advantages are bounded; the critic, which is fitted to
        what the policy does now, stays.

        Args:
            rollouts: what was done, by any policy; log-probabilities are not read.
            rewards: of each rollout, (T, N) each.
            absorbing_rewards: of each rollout, (T, N) each.
            rate: learning rate, as a share of the one that ``update`` has.
            progress: share of the training done, in [0, 1].
        """
        config = self.config
        gains = [
            self._advantages(
                one, paid, after, self.values(one.observations), self.values(one.next_observations), 1.0
            )
            for one, paid, after in zip(rollouts, rewards, absorbing_rewards, strict=True)
        ]
        gained = np.concatenate([gain.ravel() for gain in gains])
        better = gained > 0.0
        if not better.any():
            return
        observations = np.concatenate([_flat(one.observations) for one in rollouts])[better]
        actions = np.concatenate([_flat(one.actions) for one in rollouts])[better]
        arrays = (
            self._observations(observations),
            actions,
            self._acting.log_probs(observations, actions),
            np.minimum(gained[better] / np.float32(self._returns.sd), _MOST_GAINED),
        )
        for batch in minibatches(self._rng.permutation(len(actions)), config.minibatch_size, *arrays):
            self._actor_learner.step(
                *batch,
                learning_rate=rate * self._learning_rate(progress),
                clip_range=config.clip_range,
                entropy_coef=0.0,
                max_grad_norm=config.max_grad_norm,
            )

    def close(self) -> None:
        """End the process beside this one, if there is one."""
        if self._beside is not None:
            self._beside.close()

    def policy_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return a copy of what is needed to act, for ``PolicySnapshot.from_arrays``."""
        return self._acting.to_arrays()

    def state_dict(self) -> dict[str, Any]:
        """Return everything learning depends on: flat keys, numpy arrays and JSON data, all copies."""
        state: dict[str, Any] = {"version": self.version, "rng": generator_state(self._rng)}
        for name, learner in self._learners():
            state.update({f"{name}.{key}": value for key, value in learner.state_dict().items()})
        state.update({f"observations.{key}": value for key, value in self._observations.state_dict().items()})
        state.update({f"returns.{key}": value for key, value in self._returns.state_dict().items()})
        if self._start is not None:
            state.update({f"start.{key}": value for key, value in self._start.state_dict().items()})
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore ``state_dict``; what follows is bit-equal to never having stopped.

        Raises:
            CheckpointError: something is missing, or belongs to a policy of another shape.
        """
        self._start = None  # it may have none then
        if missing := self.state_dict().keys() - state.keys():
            raise CheckpointError(f"the policy checkpoint lacks {', '.join(sorted(missing))}.")
        parts = (*self._learners(), ("observations", self._observations), ("returns", self._returns))
        for name, part in parts:
            part.load_state_dict(_part(state, name))
        start = _part(state, "start")
        self._start = StartingPolicy.from_state(start, self._acting.action_space) if start else None
        restore_generator(self._rng, state["rng"])
        self._set_version(int(state["version"]))

    def _run_epochs(
        self, rollout: Rollout, advantages: Float32, returns: Float32, learning_rate: float, progress: float
    ) -> tuple[list[PolicyStep], float]:
        """Run the epochs of one update; when the KL stops the policy, the critic goes on alone."""
        config = self.config
        inputs = self._observations(_flat(rollout.observations))
        orders = [self._rng.permutation(len(inputs)) for _ in range(config.num_epochs)]
        finish_critic = self._start_critic(
            inputs, self._returns.normalise(_flat(returns)), orders, learning_rate
        )
        arrays = [inputs, _flat(rollout.actions), _flat(rollout.log_probs), _flat(advantages)]
        start, hold = self._start, 0.0
        if start is not None and (hold := start.weight(config, progress)):
            arrays.append(start.outputs(_flat(rollout.observations)))
        steps: list[PolicyStep] = []
        for order in orders:
            num_before = len(steps)
            steps += [
                self._actor_learner.step(
                    *batch[:4],
                    reference=Reference(batch[4], start.log_std, hold) if start and hold else None,
                    learning_rate=learning_rate,
                    clip_range=config.clip_range,
                    entropy_coef=config.entropy_coef,
                    max_grad_norm=config.max_grad_norm,
                )
                for batch in minibatches(order, config.minibatch_size, *arrays)
            ]
            if config.target_kl is not None and _mean(steps[num_before:], "approx_kl") > config.target_kl:
                break
        return steps, float(np.mean(finish_critic()))

    def _start_critic(
        self, inputs: Float32, targets: Float32, orders: list[Int64], learning_rate: float
    ) -> Callable[[], list[float]]:
        """Begin to fit the critic, beside this process if there is one; return what waits for the losses."""
        arrays, settings = (inputs, targets, orders), self._fit_settings(learning_rate)
        beside = self._beside
        if beside is None:
            return functools.partial(self._critic_learner.fit, *arrays, **settings)
        beside.start("fit", self._critic_learner.state_dict(), arrays, settings)

        def finish() -> list[float]:
            state, losses = beside.finish()
            self._critic_learner.load_state_dict(state)
            return list(losses)

        return finish

    def _fit_settings(self, learning_rate: float) -> dict[str, Any]:
        return {
            "minibatch_size": self.config.minibatch_size,
            "learning_rate": learning_rate,
            "max_grad_norm": self.config.max_grad_norm,
        }

    def _advantages(
        self,
        rollout: Rollout,
        rewards: Float32,
        absorbing_rewards: Float32,
        values: Float32,
        next_values: Float32,
        gae_lambda: float,
    ) -> Float32:
        """Return advantages (T, N) under the given values of observations and next observations."""
        for name, array in (("rewards", rewards), ("absorbing_rewards", absorbing_rewards)):
            check_shape(name, array, rollout.terminated.shape)
            check_finite(name, array)
        discount = self.config.discount
        return generalised_advantages(
            rewards=rewards,
            values=values,
            successors=successor_values(next_values, rollout.terminated, absorbing_rewards, discount),
            terminated=rollout.terminated,
            truncated=rollout.truncated,
            discount=discount,
            gae_lambda=gae_lambda,
        )

    def _refit_targets(
        self, relabelled: Sequence[tuple[Rollout, Float32, Float32]], outlook: float | None
    ) -> Float32:
        """Return returns of all rollouts, flat: lambda-returns, or plain ones that end in ``outlook``."""
        targets = []
        for rollout, rewards, absorbing_rewards in relabelled:
            if outlook is None:
                values, next_values = (
                    self.values(rollout.observations),
                    self.values(rollout.next_observations),
                )
                gae_lambda = self.config.gae_lambda
            else:
                # With lambda = 1 a constant critic cancels out everywhere but where a rollout is cut.
                values = next_values = np.full(rewards.shape, outlook, np.float32)
                gae_lambda = 1.0
            advantages = self._advantages(
                rollout, rewards, absorbing_rewards, values, next_values, gae_lambda
            )
            targets.append((advantages + values).ravel())
        return np.concatenate(targets)

    def _learners(self) -> tuple[tuple[str, ActorLearner | CriticLearner], ...]:
        return ("actor", self._actor_learner), ("critic", self._critic_learner)

    def _learning_rate(self, progress: float) -> float:
        left = 1.0 - min(max(progress, 0.0), 1.0)
        final = self.config.final_learning_rate_factor
        return self.config.learning_rate * (final + (1.0 - final) * left)

    def _set_version(self, version: int) -> None:
        self.version = self._acting.version = version


def _flat(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return (T * N, ...) for (T, N, ...)."""
    return array.reshape(-1, *array.shape[2:])


def _part(state: dict[str, Any], name: str) -> dict[str, Any]:
    prefix = f"{name}."
    return {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}


def _mean(steps: Sequence[PolicyStep], name: str) -> float:
    return float(np.mean([getattr(step, name) for step in steps]))
