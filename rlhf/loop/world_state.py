"""What a run knows of its world: a model of what follows an action, and how well it foretells."""

from typing import Any

import numpy as np

from rlhf.evaluation.changes import Cusum
from rlhf.loop.config import WorldConfig
from rlhf.policy.dynamics import Choices, DynamicsConfig, DynamicsModel, Steps
from rlhf.types.experience import Rollout
from rlhf.types.task import ActionSpace

_MODEL = DynamicsConfig(members=3, batch_size=128, capacity=8192)
"""Small, as it learns beside the policy and goes into every checkpoint."""
READING_STEPS = 256
"""Steps that say together how well they were foretold: a rollout of more has several readings."""


class WorldState:
    """The model and the sum of its excess errors.

    Args:
        config: how changes are noticed.
        observation_dim: D.
        action_space: kind and size of the actions.
        rng: draws the model's weights and batches.
    """

    def __init__(
        self, config: WorldConfig, observation_dim: int, action_space: ActionSpace, rng: np.random.Generator
    ) -> None:
        is_discrete = action_space.kind == "discrete"
        self._choices = Choices(1, action_space.size) if is_discrete else Choices(action_space.size, 0)
        self._config, self._episodes = config, 0
        self.model = DynamicsModel(_MODEL, observation_dim, self._choices.columns, rng)
        self.errors = Cusum(limit=config.limit, warm_up=config.warm_up)
        self.alarms: list[int] = []
        """Steps of the run at which it warned."""

    def look(self, rollout: Rollout) -> bool:
        """Foretell a rollout, then learn from it; return whether the world seems to have changed."""
        steps, is_changed = self._steps(rollout), False
        if self.model.num_steps:
            for part in np.array_split(np.arange(rollout.num_steps), -(-rollout.num_steps // READING_STEPS)):
                is_changed = self.errors.update(self.model.surprise(steps.at(part))) or is_changed
        self.model.add(steps)
        self.model.fit(-(-rollout.num_steps // self._config.steps_per_update))
        return is_changed

    def suspect_steps(self, rollout: Rollout) -> int:
        """Return how many of the latest steps are of another world, if they are."""
        return self.errors.rising * min(READING_STEPS, rollout.num_steps)

    def relearn(self, rollouts: list[Rollout]) -> None:
        """Let the model forget what it was shown, and learn from these."""
        self.model.forget()
        for rollout in rollouts:
            self.model.add(self._steps(rollout))
        self.model.fit(self._config.refit_updates)
        self.errors.restart()

    def state_dict(self) -> dict[str, Any]:
        """Return arrays and JSON data, all copies."""
        kept = {name: getattr(self.errors, name) for name in ("total", "rising", "count", "level", "spread")}
        model = {f"model.{key}": value for key, value in self.model.state_dict().items()}
        return {**model, "errors": kept, "alarms": list(self.alarms), "episodes": self._episodes}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore ``state_dict``."""
        prefix = "model."
        parts = {k.removeprefix(prefix): value for k, value in state.items() if k.startswith(prefix)}
        self.model.load_state_dict(parts)
        for name, value in state["errors"].items():
            setattr(self.errors, name, value)
        self.alarms, self._episodes = list(state["alarms"]), int(state["episodes"])

    def _steps(self, rollout: Rollout) -> Steps:
        """Return a rollout's steps, those of each environment as an episode of their own."""
        actions = rollout.applied_actions()
        actions = actions.reshape(rollout.num_steps, -1)
        envs = np.broadcast_to(np.arange(rollout.terminated.shape[1]), rollout.terminated.shape)
        self._episodes += 1
        return Steps(
            states=rollout.observations.reshape(rollout.num_steps, -1),
            actions=self._choices.to_columns(actions),
            following=rollout.next_observations.reshape(rollout.num_steps, -1),
            ended=rollout.terminated.reshape(-1),
            episodes=(envs + self._episodes).reshape(-1),
        )
