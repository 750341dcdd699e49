"""Looking ahead before acting: futures are imagined, and the policy is overruled where one is clearly better.

A sequence of actions is worth, by the mean of the model's members,

    J = mean_m [ sum_k gamma^k r(s_k) + gamma^H V(s_H) ] - caution * mean_k spread_m(s_k)

in units of the standard deviation of V. Its first action replaces the policy's only where J is better than
that of the policy's own future by more than ``margin`` and what J usually misses, and where the members agree
about it as well as they do about most of what has really happened.
"""

import dataclasses
from typing import Any, NamedTuple, Protocol

import numpy as np

from rlhf.policy.dynamics import Choices, DynamicsModel
from rlhf.types.experience import Actions, Bool, Float32, Int64

_LEAST_CHANCE = 0.02
_LEAST_NOISE = 0.05


@dataclasses.dataclass(frozen=True, kw_only=True)
class ForesightConfig:
    """How far to look, and when to trust what is seen."""

    horizon: int = 5
    """Steps imagined. More: sees further, by a model that is wrong in more ways. 1 to 15."""
    margin: float = 0.1
    """How much better a future must be to overrule the policy, in standard deviations of V. 0 to 1."""
    doubt: float = 1.0
    """Added to the margin for each unit of the error (RMS) in what real futures are worth. 0 to 2."""
    caution: float = 0.5
    """What is taken off for each unit of the members' disagreement. 0 to 2."""
    trusted: float = 0.9
    """Futures count up to the disagreement that this share of real ones has. .5 to .99."""
    max_sequences: int = 1024
    """Where there are no more sequences of discrete actions than this, all are looked at; else a search."""
    candidates: int = 128
    """Sequences per round of a search. 32 to 512."""
    rounds: int = 3
    """Rounds of a search, each near the best of the one before."""
    elites: int = 16
    """How many are the best."""

    def __post_init__(self) -> None:
        """Check ranges."""
        if self.horizon < 1 or min(self.margin, self.doubt, self.caution) < 0 or not 0 < self.trusted <= 1:
            raise ValueError(
                f"horizon is {self.horizon}, margin {self.margin}, doubt {self.doubt}, caution "
                f"{self.caution} and trusted {self.trusted}; they must be >= 1, >= 0 (three) and in (0, 1]."
            )
        if self.max_sequences < 1 or self.rounds < 1 or not 1 <= self.elites <= self.candidates:
            raise ValueError(
                f"max_sequences is {self.max_sequences}, rounds {self.rounds}, elites {self.elites} and "
                f"candidates {self.candidates}; they must be >= 1, and elites at most candidates."
            )


class Judge(Protocol):
    """What N situations are about. States are (M, N, S, D): by member, situation and imagined future."""

    discount: float

    def rewards(
        self, states: Float32, actions: Actions, following: Float32, ended: Bool
    ) -> tuple[Float32, Bool]:
        """Return rewards of steps, (M, N, S), and whether nothing more comes: the reward is then of all time.

        Args:
            states: (M, N, S, D).
            actions: (M, N, S, dims).
            following: (M, N, S, D).
            ended: (M, N, S): whether the model says that the step ends the episode.
        """

    def values(self, states: Float32) -> Float32:
        """Return what comes after states, (M, N, S)."""

    def act(self, states: Float32) -> Actions:
        """Return what the policy does, (M, N, S, dims)."""


class Plan(NamedTuple):
    """What to do in N situations."""

    actions: Actions
    """(N, dims): the policy's, or better ones."""
    overruled: Bool
    """(N,)."""
    gains: Float32
    """(N,), how much better the best future is than the policy's, in standard deviations of V."""


class RealFutures(NamedTuple):
    """B of the futures that happened."""

    states: Float32
    """(B, horizon + 1, D)."""
    actions: Actions
    """(B, horizon, dims)."""
    ended: Bool
    """(B, horizon): whether a step led to an absorbing state."""


class _Future:
    """S imagined futures for each of N situations, under way."""

    def __init__(self, states: Float32) -> None:
        self.states = states
        self.returns = np.zeros(states.shape[:3], np.float32)
        self.going_on = np.ones(states.shape[:3], np.bool_)
        self.spread = np.zeros(states.shape[1:3], np.float32)

    def repeat(self, times: int) -> None:
        """Let every future go on in ``times`` ways, which are neighbours on the axis S."""
        self.states = np.repeat(self.states, times, axis=2)
        self.returns = np.repeat(self.returns, times, axis=2)
        self.going_on = np.repeat(self.going_on, times, axis=2)
        self.spread = np.repeat(self.spread, times, axis=1)

    def go_to(self, following: Float32, ended: Bool, taken: Actions, step: int, judge: Judge) -> None:
        """Take one step with actions (M, N, S, dims), judged. What is over stays where it is."""
        rewards, is_over = judge.rewards(self.states, taken, following, ended)
        self.returns += judge.discount**step * rewards * self.going_on
        self.states = np.where(self.going_on[..., None], following, self.states)
        self.going_on &= ~is_over


class Planner:
    """Plans with a model. ``calibrate`` first, and again when model or values have changed.

    Args:
        config: how far, and when to trust it.
        model: what comes next.
        choices: the actions there are.
    """

    def __init__(self, config: ForesightConfig, model: DynamicsModel, choices: Choices) -> None:
        self._config, self._model, self._choices = config, model, choices
        self._value_sd, self._most_spread, self._least_gain = 1.0, np.inf, config.margin
        self._enumerates = choices.options ** (choices.dims * config.horizon) <= config.max_sequences
        self._enumerates &= choices.options > 0

    def calibrate(self, real: RealFutures, judge: Judge) -> None:
        """Measure the unit of futures, and how much the members disagree and are wrong about real ones.

        Args:
            real: from experience. Without any there is nothing to trust futures by: nobody is overruled.
            judge: of their B situations.
        """
        if not len(real.states):
            self._least_gain = np.inf
            return
        foretold, happened = self._begin(real.states[:, 0]), _Future(real.states[None, :, None, 0])
        self._value_sd = max(float(judge.values(happened.states).std()), 1e-6)
        for step in range(real.actions.shape[1]):
            actions = real.actions[None, :, None, step]
            self._advance(foretold, actions, step, judge)
            following, ended = real.states[None, :, None, step + 1], real.ended[None, :, None, step]
            happened.go_to(following, ended, actions, step, judge)
        self._most_spread = float(np.quantile(foretold.spread, self._config.trusted))
        for future in (foretold, happened):
            self._finish(future, judge)
        missed = (foretold.returns.mean(axis=0) - happened.returns[0]) / self._value_sd
        error = float(np.sqrt(np.square(missed).mean()))
        self._least_gain = self._config.margin + self._config.doubt * error

    def plan(self, states: Float32, judge: Judge, rng: np.random.Generator) -> Plan:
        """Return what to do in states (N, D).

        Args:
            states: as they really are.
            judge: of these N situations.
            rng: for the search; not used where all sequences are looked at.
        """
        own, sequences = self.imagine_policy(states, judge)
        scores, spreads = self._score(own)
        own_score, first = scores[:, 0], sequences[0, :, 0]
        actions: Actions
        if self._enumerates:
            actions, scores, spreads = self._enumerate(states, judge)
        else:
            actions, scores, spreads = self._search(states, judge, sequences, rng)
        scores = np.where(spreads <= self._most_spread, scores, -np.inf)
        rows, best = np.arange(len(states)), scores.argmax(axis=1)
        gains = scores[rows, best] - own_score
        better = actions[rows, best]
        overruled = (gains > self._least_gain) & (better != first).any(axis=1)
        return Plan(np.where(overruled[:, None], better, first), overruled, gains)

    def imagine_policy(self, states: Float32, judge: Judge) -> tuple[_Future, Actions]:
        """Return what members take to follow if the policy acts, and its actions, (M, N, horizon, dims)."""
        future, sequence = self._begin(states), list[Any]()
        for step in range(self._config.horizon):
            actions = judge.act(future.states)
            sequence.append(actions[:, :, 0])
            self._advance(future, actions, step, judge)
        self._finish(future, judge)
        return future, np.stack(sequence, axis=2)

    def _begin(self, states: Float32) -> _Future:
        return _Future(np.tile(states[None, :, None], (self._model.num_members, 1, 1, 1)))

    def _advance(self, future: _Future, actions: Actions, step: int, judge: Judge) -> None:
        """Take one step with actions that broadcast to (M, N, S, dims). What is over stays where it is."""
        shape = future.states.shape
        taken: Any = np.broadcast_to(actions, (*shape[:3], self._choices.dims))
        columns = self._choices.to_columns(taken)
        members, width = shape[0], shape[3]
        following, ended = self._model.step(
            future.states.reshape(members, -1, width), columns.reshape(members, -1, columns.shape[-1])
        )
        following, ended = following.reshape(shape), ended.reshape(shape[:3])
        future.go_to(following, ended, taken, step, judge)
        future.spread += self._model.spread(future.states) / self._config.horizon

    def _finish(self, future: _Future, judge: Judge) -> None:
        values = judge.values(future.states)
        future.returns += judge.discount**self._config.horizon * values * future.going_on

    def _score(self, future: _Future) -> tuple[Float32, Float32]:
        """Return J and the members' disagreement of finished futures, each (N, S)."""
        worth = future.returns.mean(axis=0) / self._value_sd
        return worth - self._config.caution * future.spread, future.spread

    def _enumerate(self, states: Float32, judge: Judge) -> tuple[Int64, Float32, Float32]:
        """Return first actions (N, S, dims), scores and spreads of all sequences: a tree, level by level."""
        options, dims = self._choices.options, self._choices.dims
        every = np.stack(np.unravel_index(np.arange(options**dims), (options,) * dims), axis=-1)
        future = self._begin(states)
        for step in range(self._config.horizon):
            so_far = future.states.shape[2]
            future.repeat(len(every))
            self._advance(future, np.tile(every, (so_far, 1)), step, judge)
        self._finish(future, judge)
        scores, spreads = self._score(future)
        first = np.repeat(every, scores.shape[1] // len(every), axis=0)
        return np.broadcast_to(first, (*scores.shape, dims)), scores, spreads

    def _search(
        self, states: Float32, judge: Judge, own: Actions, rng: np.random.Generator
    ) -> tuple[Actions, Float32, Float32]:
        """Return the same of the last candidates of a search by the cross-entropy method.

        Source: https://arxiv.org/abs/1805.12114 plans so. Differs: it begins around the policy's own future.

        Args:
            states: (N, D).
            judge: of them.
            own: the policy's actions by member, (M, N, horizon, dims).
            rng: draws candidates.
        """
        sampler = (_Numbers if self._choices.options == 0 else _Options)(own, self._choices)
        rows = np.arange(len(states))[:, None]
        for _ in range(self._config.rounds):
            sequences = sampler.draw(self._config.candidates, rng)
            future = self._begin(states)
            future.repeat(self._config.candidates)
            for step in range(self._config.horizon):
                self._advance(future, sequences[None, :, :, step], step, judge)
            self._finish(future, judge)
            scores, spreads = self._score(future)
            best = np.argpartition(-scores, self._config.elites - 1, axis=1)[:, : self._config.elites]
            sampler.narrow(sequences[rows, best])
        return sequences[:, :, 0], scores, spreads


class _Numbers:
    """Sequences of numbers: independent normal distributions."""

    def __init__(self, own: Actions, choices: Choices) -> None:
        self._mean = own.mean(axis=0)
        self._noise = np.full_like(self._mean, 0.5)

    def draw(self, count: int, rng: np.random.Generator) -> Float32:
        """Return (N, count, H, dims)."""
        n, *rest = self._mean.shape
        noise = rng.standard_normal((n, count, *rest), dtype=np.float32)
        drawn: Float32 = np.clip(self._mean[:, None] + self._noise[:, None] * noise, -1.0, 1.0)
        return drawn

    def narrow(self, elites: Actions) -> None:
        """Take over the distribution of the best (N, E, H, dims)."""
        self._mean = elites.mean(axis=1)
        self._noise = np.maximum(elites.std(axis=1), _LEAST_NOISE)


class _Options:
    """Sequences of options: independent categorical distributions, half of the first one the policy's."""

    def __init__(self, own: Actions, choices: Choices) -> None:
        self._options = np.arange(choices.options)
        self._set(0.5 * (own[..., None] == self._options).mean(axis=0) + 0.5 / choices.options)

    def draw(self, count: int, rng: np.random.Generator) -> Int64:
        """Return (N, count, H, dims)."""
        n, *rest = self._totals.shape[:-1]
        chosen: Int64 = (rng.random((n, count, *rest))[..., None] > self._totals[:, None]).sum(axis=-1)
        return chosen

    def narrow(self, elites: Actions) -> None:
        """Take over the frequencies among the best (N, E, H, dims); nothing becomes impossible."""
        self._set((elites[..., None] == self._options).mean(axis=1))

    def _set(self, chances: Float32) -> None:
        chances = chances + _LEAST_CHANCE
        # without the last total, which may fall short of 1 by rounding
        self._totals = (chances / chances.sum(axis=-1, keepdims=True)).cumsum(axis=-1)[..., :-1]
