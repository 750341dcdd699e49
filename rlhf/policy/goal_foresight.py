"""Foresight for the learner with goals: the model's state is the observation, futures are judged by Q.

Each step costs 1 until the goal is reached, as in ``q_learning``; whether it is comes from the rule that
experience itself goes by.
"""

import dataclasses

import numpy as np

from rlhf.policy.dynamics import Choices, DynamicsConfig, DynamicsModel, Steps, distinct
from rlhf.policy.foresight import ForesightConfig, Plan, Planner, RealFutures
from rlhf.policy.q_learning import QLearner
from rlhf.types.experience import Actions, Bool, Float32, Int64
from rlhf.types.goals import GoalEpisodes, GoalSpace, Reached

_FUTURES_MEASURED = 512


@dataclasses.dataclass(frozen=True, kw_only=True)
class GoalForesightConfig:
    """Whether a learner with goals looks ahead, and how."""

    on: bool = False
    """Whether a model is learned, and success also measured with foresight. What the learner does while it
    learns, and so what it learns, is the same."""
    updates_per_step: float = 0.25
    """Gradient steps of the model per environment step. .05 to 1."""
    episodes: int = 192
    """Episodes that foresight is measured on, with it and without it, each time."""
    model: DynamicsConfig = dataclasses.field(default_factory=DynamicsConfig)
    plan: ForesightConfig = dataclasses.field(default_factory=ForesightConfig)

    def __post_init__(self) -> None:
        """Check ranges."""
        if self.updates_per_step <= 0 or self.episodes < 1:
            raise ValueError(
                f"updates_per_step is {self.updates_per_step} and episodes {self.episodes}; they must be > 0 "
                "and >= 1."
            )


class GoalJudge:
    """A ``Judge`` of N situations with a goal each.

    Args:
        learner: acts, and values where futures end.
        discount: gamma, the learner's.
        goals: (N, G).
        reached: whether a goal counts as reached.
        shown: which column of an observation shows each column of the goal that it achieves, (G,).
    """

    def __init__(
        self, learner: QLearner, discount: float, goals: Float32, reached: Reached, shown: Int64
    ) -> None:
        self.discount = discount
        self._learner, self._goals, self._reached, self._shown = learner, goals, reached, shown

    def rewards(
        self, states: Float32, actions: Actions, following: Float32, ended: Bool
    ) -> tuple[Float32, Bool]:
        """Return 0 where the goal is reached, which is the end, and -1 elsewhere; see ``Judge``."""
        achieved = following[..., self._shown]
        reached = self._reached(achieved, np.broadcast_to(self._goals[None, :, None], achieved.shape))
        return reached.astype(np.float32) - np.float32(1.0), reached

    def values(self, states: Float32) -> Float32:
        """Return the value of the best action, (M, N, S)."""
        best: Float32 = self._of_options(states).max(axis=-1).mean(axis=-1)
        return best

    def act(self, states: Float32) -> Int64:
        """Return the best actions, (M, N, S, A)."""
        best: Int64 = self._of_options(states).argmax(axis=-1)
        return best

    def _of_options(self, states: Float32) -> Float32:
        """Return the values of options, (M, N, S, A, K). States that come up again are looked at once."""
        goals = np.broadcast_to(self._goals[None, :, None], (*states.shape[:3], self._goals.shape[1]))
        rows = np.concatenate([states, goals], axis=-1).reshape(-1, states.shape[-1] + goals.shape[-1])
        first, which = distinct(rows)
        alone, wanted = np.split(rows[first], [states.shape[-1]], axis=1)
        values = self._learner.values(alone, wanted)[which]
        return values.reshape(*states.shape[:3], *values.shape[1:])


class GoalForesight:
    """Learns how a world with goals works and looks ahead for its Q-learner.

    Args:
        config: how.
        space: sizes.
        learner: whose actions are overruled where something clearly better is seen; it is not changed.
        discount: gamma, the learner's.
        reached: whether a goal counts as reached.
        rng: of the model, and of what is remembered of real futures.
    """

    def __init__(
        self,
        config: GoalForesightConfig,
        space: GoalSpace,
        learner: QLearner,
        discount: float,
        reached: Reached,
        rng: np.random.Generator,
    ) -> None:
        self._learner, self._discount = learner, discount
        self._reached, self._rng = reached, rng
        self._choices = Choices(space.action_dims, space.action_options)
        self.model = DynamicsModel(config.model, space.observation_dim, self._choices.columns, rng)
        self.planner = Planner(config.plan, self.model, self._choices)
        self.config = config
        self._may_show = np.ones((space.goal_dim, space.observation_dim), np.bool_)
        self._num_episodes = 0
        self._due = 0.0
        self._recent: list[tuple[Float32, Int64, Float32]] = []

    def learn(self, episodes: GoalEpisodes) -> None:
        """Remember episodes, and let the model take as many updates as belong to their steps.

        Raises:
            ValueError: their observations do not show what they achieve.
        """
        self.add(episodes)
        self._due += episodes.num_steps * self.config.updates_per_step
        self.model.fit(int(self._due))
        self._due -= int(self._due)

    def add(self, episodes: GoalEpisodes) -> None:
        """Remember episodes.

        Raises:
            ValueError: their observations do not show what they achieve.
        """
        steps = np.arange(episodes.actions.shape[1]) < episodes.lengths[:, None]
        before, after = episodes.observations[:, :-1][steps], episodes.observations[:, 1:][steps]
        achieved = episodes.achieved[:, 1:][steps]
        self._may_show &= (achieved[:, :, None] == after[:, None, :]).all(axis=0)
        if not self._may_show.any(axis=1).all():
            raise ValueError(
                "foresight needs observations that show the goal they achieve, each number of it as a number "
                "of theirs; these do not. Learn without foresight.on."
            )
        numbers = self._num_episodes + np.arange(len(steps))
        self._num_episodes += len(steps)
        self.model.add(
            Steps(
                states=before,
                actions=self._choices.to_columns(episodes.actions[steps]),
                following=after,
                ended=np.zeros(len(before), np.bool_),
                episodes=np.broadcast_to(numbers[:, None], steps.shape)[steps],
            )
        )
        self._remember(episodes)

    def forget(self) -> None:
        """Let go of what is remembered and keep what was learned, as when the world has changed."""
        self.model.forget()
        self._recent.clear()

    def calibrate(self) -> None:
        """Measure anew what to trust, on remembered futures under their own actions and goals.

        As long as there is none, as no episode was as long as a plan, nothing is overruled.
        """
        states, actions, goals = (np.concatenate(part) for part in zip(*self._recent, strict=True))
        real = RealFutures(states, actions, np.zeros(actions.shape[:2], np.bool_))
        self.planner.calibrate(real, self._judge(goals))

    def plan(self, observations: Float32, goals: Float32) -> Plan:
        """Return what to do in observations (N, D) for goals (N, G); anything where the goal is reached."""
        to_go = ~self._reached(observations[:, self._shown], goals)
        actions = np.zeros((len(goals), self._choices.dims), np.int64)
        overruled, gains = np.zeros(len(goals), np.bool_), np.zeros(len(goals), np.float32)
        if to_go.any():
            judge = self._judge(goals[to_go])
            actions[to_go], overruled[to_go], gains[to_go] = self.planner.plan(
                observations[to_go], judge, self._rng
            )
        return Plan(actions, overruled, gains)

    @property
    def _shown(self) -> Int64:
        # Where several columns are alike so far, the same place is the likelier one.
        same = np.eye(*self._may_show.shape, dtype=np.bool_)
        shown: Int64 = np.argmax(self._may_show * 1 + (self._may_show & same), axis=1)
        return shown

    def imagine(self, observation: Float32, actions: Int64) -> Float32:
        """Return what was to follow from an observation (D,) by actions (T, A), (T + 1, D): members' mean."""
        mean: Float32 = self.model.imagine(observation, self._choices.to_columns(actions)).mean(axis=0)
        return mean

    def _judge(self, goals: Float32) -> GoalJudge:
        return GoalJudge(self._learner, self._discount, goals, self._reached, self._shown)

    def _remember(self, episodes: GoalEpisodes) -> None:
        """Keep one future of every episode that is long enough, of the latest episodes only."""
        horizon = self.config.plan.horizon
        rows = np.flatnonzero(episodes.lengths >= horizon)
        starts = (self._rng.random(len(rows)) * (episodes.lengths[rows] - horizon + 1)).astype(np.int64)
        during = starts[:, None] + np.arange(horizon + 1)
        self._recent.append(
            (
                episodes.observations[rows[:, None], during],
                episodes.actions[rows[:, None], during[:, :-1]],
                episodes.desired[rows],
            )
        )
        while sum(len(states) for states, _, _ in self._recent[1:]) >= _FUTURES_MEASURED:
            del self._recent[0]
