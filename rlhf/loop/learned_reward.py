"""A run's learned reward, for whoever learns another variant of its task from whole past episodes."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import sqlalchemy as sa

from rlhf.errors import ConfigError
from rlhf.experience.tasks import get_task, spaces_of
from rlhf.loop.config import resolve
from rlhf.loop.evaluate_policy import predicted_return
from rlhf.loop.order_ranking import parse_reward
from rlhf.loop.score_rollout import score_steps
from rlhf.policy.advantages import absorbing_values
from rlhf.policy.past_episodes import PastEpisode
from rlhf.reward.ensemble import RewardModel
from rlhf.reward.features import RewardInputs
from rlhf.storage import models, runs
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading
from rlhf.types.experience import Actions, Episode, Float32, Float64
from rlhf.types.task import ActionSpace, Task


@dataclasses.dataclass(frozen=True, kw_only=True)
class LearnedReward:
    """An ``OtherReward`` of ``learn_from_past``: a reward model, as a policy follows it."""

    run_id: str
    """Whose reward it is."""
    version: int
    """Of the reward."""
    model: RewardModel
    task: Task
    """What is learned by it."""
    action_space: ActionSpace
    """Of the task."""
    ending_cost: float = 0.0
    """``improve.ending_cost`` of that run."""

    def rewards(self, episode: PastEpisode, actions: Actions, discount: float) -> Float32:
        """Return what a policy follows; see ``OtherReward``."""
        ended = np.zeros(len(episode.options), np.bool_)
        ended[-1] = episode.terminated
        scored = score_steps(
            self.model,
            self.action_space,
            episode.observations[:-1],
            actions,
            episode.observations[1:],
            ended,
            pessimism=self.model.config.pessimism,
            discount=discount,
            ending_cost=self.ending_cost,
        )
        return scored.followed + np.float32(discount) * absorbing_values(scored.absorbing_rewards, discount)

    def returns(self, episodes: Sequence[Episode]) -> Float64:
        """Return ``predicted_return`` of each, (E,)."""
        predicted = [predicted_return(self.model, one, self.task, self.action_space) for one in episodes]
        return np.array(predicted, np.float64)


def find_reward(engine: sa.Engine, blobs: Blobs, named: str, task: Task) -> LearnedReward:
    """Return a run's learned reward, to learn a task by.

    Args:
        engine: of the store.
        blobs: of the store.
        named: ``RUN``, whose newest reward is meant, or ``RUN:VERSION``.
        task: of the same environment as the run's.

    Raises:
        NotFoundError: there is no such run or version.
        ConfigError: it is not named like that, the run has no reward yet, or it is of another environment.
    """
    with reading(engine) as connection:
        run_id, version = (parse_reward(named) if ":" in named else None) or (named, 0)
        run = runs.get_run(connection, run_id)
        version = version or run["reward_version"]
        if not version:
            raise ConfigError(f"run {run_id} has learned no reward yet; name a run that has.")
        stored = models.get_reward_version(connection, run_id, version)["arrays"]
    own, (observation_dim, action_space) = get_task(run["task"]), spaces_of(task)
    model = RewardModel.from_arrays(blobs.read_arrays(stored)[0])
    num_features = RewardInputs.of(model.config, action_space).num(observation_dim)
    if own.env_id != task.env_id or model.num_features != num_features:
        raise ConfigError(
            f"the reward of run {run_id} was learned for {own.name}, whose environment is not that of "
            f"{task.name}; name a run of {task.name} or of another variant of it."
        )
    return LearnedReward(
        run_id=run_id,
        version=version,
        model=model,
        task=task,
        action_space=action_space,
        ending_cost=resolve(own, run["overrides"]).improve.ending_cost,
    )
