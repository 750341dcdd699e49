"""A model of what comes next: an ensemble of networks that foretell how actions change a state. No torch.

Where the members disagree there was too little experience: they begin differently, and each weighs the same
steps in its own way. Every tenth episode is learned from by nobody and says how good the model is.

Source: https://arxiv.org/abs/1805.12114 (bootstrapped ensembles of dynamics models). Differs: each member
foretells one next state, no distribution.
"""

import dataclasses
from typing import Any, NamedTuple

import numpy as np

from rlhf.checks import check_shape
from rlhf.policy.adam import Adam
from rlhf.policy.kernels import Backpropagation
from rlhf.policy.networks import Network
from rlhf.policy.normalise import ObservationNormaliser
from rlhf.seeding import generator_state, restore_generator
from rlhf.types.experience import Actions, Bool, Float32, Int64

_ADAPT_CHECKED = 25
"""Updates after which ``adapt`` looks how well it does."""
HELD_OUT_EVERY = 10
"""Of so many episodes, by number, one is learned from by nobody."""
_CLIP = 10.0
_SMALLEST = 1e-4
"""Squared error below which none counts as smaller: a hundredth of what usually changes is foretold well."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DynamicsConfig:
    """Hyperparameters of the model."""

    members: int = 5
    """Networks. More: a steadier measure of doubt, slower. 3 to 7."""
    hidden: tuple[int, ...] = (64, 64)
    """Widths of the hidden layers of each."""
    learning_rate: float = 1e-3
    """Adam's step size. 3e-4 to 3e-3."""
    batch_size: int = 256
    """Steps per update of each member. 64 to 1024."""
    capacity: int = 100_000
    """Steps that are remembered; the oldest go first."""

    def __post_init__(self) -> None:
        """Check ranges."""
        if self.members < 2:
            raise ValueError(f"members is {self.members}; it must be >= 2, as doubt is what they differ in.")
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"hidden is {self.hidden}; it must be one or more widths >= 1.")
        if self.learning_rate <= 0 or self.batch_size < 1 or self.capacity < 1:
            raise ValueError(
                f"learning_rate is {self.learning_rate}, batch_size {self.batch_size} and capacity "
                f"{self.capacity}; they must be > 0, >= 1 and >= 1."
            )


class Steps(NamedTuple):
    """B steps to learn from."""

    states: Float32
    """(B, D)."""
    actions: Float32
    """(B, A), as columns: one-hot where actions are discrete."""
    following: Float32
    """(B, D), the state each step led to, before any reset."""
    ended: Bool
    """(B,): whether the step led to an absorbing state."""
    episodes: Int64
    """(B,), numbers of the episodes they are of."""

    def at(self, rows: Int64) -> "Steps":
        """Return some of the steps."""
        states, actions, following, ended, episodes = self
        return Steps(states[rows], actions[rows], following[rows], ended[rows], episodes[rows])


@dataclasses.dataclass(frozen=True)
class Choices:
    """Which actions there are: ``dims`` numbers in [-1, 1] where ``options`` is 0, else in [0, options)."""

    dims: int
    options: int

    @property
    def columns(self) -> int:
        """Columns of an action as the model sees it."""
        return self.dims * max(1, self.options)

    def to_columns(self, actions: Actions) -> Float32:
        """Return actions (..., dims) as the model sees them, (..., columns): one-hot where discrete."""
        if not self.options:
            return np.asarray(actions, np.float32)
        taken: Bool = actions[..., None] == np.arange(self.options)
        return taken.reshape(*actions.shape[:-1], self.columns).astype(np.float32)


def distinct(rows: Float32) -> tuple[Int64, Int64]:
    """Return the indices of distinct rows of (B, D), (U,), and which of them each row is, (B,).

    Rows count as alike if their products with one random vector are: a sort of single numbers, which takes a
    fraction of what looking ahead from the same states again would.
    """
    keys = rows @ np.random.default_rng(0).standard_normal(rows.shape[1])
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    return first, which


class DynamicsModel:
    """The ensemble and what it learns from.

    A column of the state that has only ever had two values is foretold as one of them, and no column moves
    out of the range it has been seen in: errors then do not grow with every step that is imagined.

    Args:
        config: hyperparameters.
        state_dim: D.
        action_dim: A, columns of an action.
        rng: draws first weights, the members' own views of the data, and batches.
    """

    def __init__(
        self, config: DynamicsConfig, state_dim: int, action_dim: int, rng: np.random.Generator
    ) -> None:
        self._config, self._rng = config, rng
        sizes = (state_dim + action_dim, *config.hidden, state_dim + 1)
        self._members = [Network(sizes, rng, last_gain=0.1) for _ in range(config.members)]
        self._adams = [Adam(len(member.parameters)) for member in self._members]
        self._passes = [Backpropagation(member, config.batch_size) for member in self._members]
        self._scale = ObservationNormaliser(state_dim, _CLIP)
        self._changes = ObservationNormaliser(state_dim, _CLIP)
        self._low = np.full(state_dim, np.inf, np.float32)
        self._high = np.full(state_dim, -np.inf, np.float32)
        self._is_binary = np.ones(state_dim, np.bool_)
        self._inputs = np.empty((config.capacity, state_dim + action_dim), np.float32)
        self._following = np.empty((config.capacity, state_dim), np.float32)
        self._ended = np.empty(config.capacity, np.bool_)
        self._weights = np.empty((config.members, config.capacity), np.float32)
        self._held_out = np.empty(config.capacity, np.bool_)
        self._next_row = 0
        self.forget()

    @property
    def num_members(self) -> int:
        """M."""
        return len(self._members)

    @property
    def num_steps(self) -> int:
        """Steps remembered."""
        return self._num_rows

    @property
    def is_discrete(self) -> bool:
        """Whether every column of the state has had two values at most, so that states come up again."""
        return bool(self._is_binary.all())

    def forget(self) -> None:
        """Let go of all steps and keep what was learned from them, as when the world has changed."""
        self._next_row = self._num_rows = 0
        self._learned_from: Int64 = np.empty(0, np.int64)

    def add(self, steps: Steps) -> None:
        """Remember steps.

        Raises:
            ShapeError: the states are of another size.
        """
        count, state_dim = len(steps.states), len(self._low)
        check_shape("Steps.states", steps.states, (None, state_dim))
        if not count:
            return
        capacity = self._config.capacity
        rows = (self._next_row + np.arange(count)) % capacity
        self._inputs[rows] = np.concatenate([steps.states, steps.actions], axis=1)
        self._following[rows], self._ended[rows] = steps.following, steps.ended
        self._weights[:, rows] = self._rng.poisson(1.0, (self.num_members, count))
        self._held_out[rows] = steps.episodes % HELD_OUT_EVERY == 0
        self._next_row = int(rows[-1] + 1) % capacity
        self._num_rows = min(self._num_rows + count, capacity)
        self._learned_from = np.flatnonzero(~self._held_out[: self._num_rows])
        self._scale.update(steps.states)
        self._changes.update(steps.following - steps.states)
        self._note_range(np.concatenate([steps.states, steps.following]))

    def fit(self, num_updates: int) -> None:
        """Let every member take so many steps down its squared error; nothing where nothing is remembered."""
        if not len(self._learned_from):
            return
        size, state_dim = self._config.batch_size, len(self._low)
        for _ in range(num_updates):
            batches = self._rng.choice(self._learned_from, (self.num_members, size))
            for index, rows in enumerate(batches):
                inputs, passes = self._inputs[rows], self._passes[index]
                states = inputs[:, :state_dim].copy()
                inputs[:, :state_dim] = self._scale(states)
                passes.forward(inputs)
                errors = passes.output_gradients
                errors[:state_dim] = self._changes(self._following[rows] - states).T
                errors[state_dim] = self._ended[rows]
                np.subtract(passes.outputs, errors, out=errors)
                errors *= self._weights[index, rows] / size
                passes.backward()
                member = self._members[index]
                self._adams[index].step(member.parameters, member.gradient, self._config.learning_rate)

    def adapt(self, num_updates: int) -> None:
        """Take so many steps as ``fit`` does, then go back to where held-out steps were foretold best.

        That may be where it began: few steps of a world can teach a model more wrong than right, and those
        who look ahead by it then do worse than without. Where nothing is held out it stays where it ends.
        """
        least, best = self.held_out_error(), [member.parameters.copy() for member in self._members]
        for done in range(0, num_updates, _ADAPT_CHECKED):
            self.fit(min(_ADAPT_CHECKED, num_updates - done))
            error = self.held_out_error()
            if not error >= least:  # also where there is none
                least, best = error, [member.parameters.copy() for member in self._members]
        for member, parameters in zip(self._members, best, strict=True):
            member.load_parameters(parameters)

    def step(self, states: Float32, actions: Float32) -> tuple[Float32, Bool]:
        """Foretell one step.

        Args:
            states: what each member takes for the state, (M, B, D).
            actions: columns, (M, B, A).

        Returns:
            The states that follow, float32 (M, B, D), and whether the step ends the episode, (M, B).
        """
        inputs = np.concatenate([self._scale(states), actions], axis=-1, dtype=np.float32)
        forward = self._forward_distinct if self.is_discrete else Network.numpy_forward
        outputs = np.stack(
            [forward(member, rows) for member, rows in zip(self._members, inputs, strict=True)]
        )
        following = outputs[..., :-1]
        following /= self._changes.scale
        following += self._changes.shift
        following += states
        np.maximum(following, np.minimum(self._low, states), out=following)
        np.minimum(following, np.maximum(self._high, states), out=following)
        two = self._is_binary
        if two.any():
            middle = (self._low + self._high) / 2
            following[..., two] = np.where(following[..., two] > middle[two], self._high[two], self._low[two])
        return following, outputs[..., -1] > 0.5

    def imagine(self, state: Float32, actions: Float32) -> Float32:
        """Return what the members take to follow from a state (D,) by actions (T, A), (M, T + 1, D)."""
        states = [np.tile(state, (self.num_members, 1, 1))]
        for action in actions:
            states.append(self.step(states[-1], np.tile(action, (self.num_members, 1, 1)))[0])
        return np.concatenate(states, axis=1)

    def spread(self, states: Float32) -> Float32:
        """Return how far apart the members' states (M, ..., D) are, (...).

        The standard deviation over members, in units of each column's own, and its mean over columns.
        """
        spread: Float32 = (states.std(axis=0) * self._scale.scale).mean(axis=-1)
        return spread

    def surprise(self, steps: Steps) -> float:
        """Return the mean logarithm of the squared error of foretold steps, in units of usual changes.

        A mean of logarithms: rare steps that nothing foretells, such as a foot that touches the ground, do
        not drown what happens at all others.

        Args:
            steps: that were not learned from yet.
        """
        everyone = (self.num_members, 1, 1)
        foretold, _ = self.step(np.tile(steps.states, everyone), np.tile(steps.actions, everyone))
        missed = (foretold.mean(axis=0) - steps.following) * self._changes.scale
        return float(np.log(np.square(missed).mean(axis=1) + _SMALLEST).mean())

    def state_dict(self) -> dict[str, Any]:
        """Return everything that it has learned and remembers: arrays and JSON data, all copies."""
        rows = slice(0, self._num_rows)
        state: dict[str, Any] = {
            "inputs": self._inputs[rows].copy(),
            "following": self._following[rows].copy(),
            "ended": self._ended[rows].copy(),
            "weights": self._weights[:, rows].copy(),
            "held_out": self._held_out[rows].copy(),
            "low": self._low.copy(),
            "high": self._high.copy(),
            "is_binary": self._is_binary.copy(),
            "next_row": self._next_row,
            "rng": generator_state(self._rng),
        }
        for name, part in self._parts():
            state |= {f"{name}.{key}": value for key, value in part.state_dict().items()}
        return state | {f"{index}.parameters": m.parameters.copy() for index, m in enumerate(self._members)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore ``state_dict``; what follows is bit-equal to never having stopped."""
        self._num_rows, self._next_row = len(state["inputs"]), int(state["next_row"])
        rows = slice(0, self._num_rows)
        self._inputs[rows], self._following[rows] = state["inputs"], state["following"]
        self._ended[rows], self._held_out[rows] = state["ended"], state["held_out"]
        self._weights[:, rows] = state["weights"]
        self._learned_from = np.flatnonzero(~self._held_out[rows])
        self._low, self._high = state["low"].copy(), state["high"].copy()
        self._is_binary = state["is_binary"].copy()
        restore_generator(self._rng, state["rng"])
        for name, part in self._parts():
            part.load_state_dict({key: state[f"{name}.{key}"] for key in part.state_dict()})
        for index, member in enumerate(self._members):
            member.load_parameters(state[f"{index}.parameters"])

    def _parts(self) -> list[tuple[str, Adam | ObservationNormaliser]]:
        adams = [(f"{index}.adam", adam) for index, adam in enumerate(self._adams)]
        return [*adams, ("scale", self._scale), ("changes", self._changes)]

    def held_out_error(self) -> float:
        """Return the share of the change of held-out steps that is not foretold: 0 all is, 1 nothing.

        Squared error of the members' mean over that of foretelling no change; NaN where nothing is held out.
        """
        rows = np.flatnonzero(self._held_out[: self._num_rows])
        state_dim = len(self._low)
        states, actions = np.split(self._inputs[rows], [state_dim], axis=1)
        everyone = (self.num_members, 1, 1)
        foretold, _ = self.step(np.tile(states, everyone), np.tile(actions, everyone))
        scale = self._changes.scale
        missed = np.square((foretold.mean(axis=0) - self._following[rows]) * scale).sum()
        changed = np.square((self._following[rows] - states) * scale).sum()
        return float(missed / changed) if changed else float("nan")

    def _forward_distinct(self, member: Network, inputs: Float32) -> Float32:
        first, which = distinct(inputs)
        return member.numpy_forward(inputs[first])[which]

    def _note_range(self, states: Float32) -> None:
        if np.isfinite(self._low).all():
            states = np.concatenate([states, [self._low, self._high]])
        self._low, self._high = states.min(axis=0), states.max(axis=0)
        self._is_binary &= ((states == self._low) | (states == self._high)).all(axis=0)
