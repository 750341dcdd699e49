"""A run's policy with foresight: a model of its stored behaviour, its learned reward, its critic at the end.

Nothing is stored and nothing learns from it: PPO's data stay what its policy alone has collected.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import sqlalchemy as sa

from rlhf.errors import JobError
from rlhf.evaluation.statistics import bootstrap_interval
from rlhf.experience.rollout import play_episodes
from rlhf.experience.tasks import get_task, spaces_of
from rlhf.loop.config import RunConfig, resolve
from rlhf.loop.evaluate_policy import predicted_return
from rlhf.loop.memory import Memory
from rlhf.loop.report import Progress, finite
from rlhf.loop.score_rollout import score_steps
from rlhf.policy.advantages import absorbing_values
from rlhf.policy.dynamics import HELD_OUT_EVERY, Choices, DynamicsConfig, DynamicsModel, Steps
from rlhf.policy.foresight import ForesightConfig, Planner, RealFutures
from rlhf.policy.ppo import PPO
from rlhf.reward.ensemble import RewardModel
from rlhf.seeding import generator
from rlhf.storage import models, runs
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading
from rlhf.types.experience import Actions, Bool, Episode, Float32
from rlhf.types.protocols import ActingPolicy
from rlhf.types.task import ActionSpace, Task

_FUTURES_MEASURED = 512
_UPDATES_TOLD = 50
"""Updates of the model between two notes of how far it is."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunForesightConfig:
    """How a run's policy looks ahead."""

    updates: int = 3000
    """Gradient steps of the model. 1000 to 10000."""
    pessimism: float = 1.0
    """Standard deviations of the reward's members that are taken off imagined rewards. 0 to 2."""
    model: DynamicsConfig = dataclasses.field(default_factory=DynamicsConfig)
    plan: ForesightConfig = dataclasses.field(default_factory=ForesightConfig)

    def __post_init__(self) -> None:
        """Check ranges."""
        if self.updates < 1 or self.pessimism < 0:
            raise ValueError(
                f"updates is {self.updates} and pessimism {self.pessimism}; they must be >= 1 and >= 0."
            )


class RunJudge:
    """A ``Judge`` by a learned reward and PPO's critic.

    Args:
        policy: acts, and values where futures end.
        reward: gives imagined steps their reward, less ``pessimism`` spreads of its members.
        action_space: says how actions look.
        config: of the run: what the critic learned is what imagined steps bring.
        pessimism: see ``RunForesightConfig``.
    """

    def __init__(
        self,
        policy: PPO,
        reward: RewardModel,
        action_space: ActionSpace,
        config: RunConfig,
        pessimism: float,
    ) -> None:
        self.discount = config.following.discount
        self._policy, self._reward, self._space = policy, reward, action_space
        self._ending_cost, self._pessimism = config.improve.ending_cost, pessimism

    def rewards(
        self, states: Float32, actions: Actions, following: Float32, ended: Bool
    ) -> tuple[Float32, Bool]:
        """Return the rewards of steps; where one ends the episode, with all of the absorbing state's."""
        scored = score_steps(
            self._reward,
            self._space,
            states,
            actions[..., 0] if self._space.kind == "discrete" else actions,
            following,
            ended,
            pessimism=self._pessimism,
            discount=self.discount,
            ending_cost=self._ending_cost,
        )
        after = absorbing_values(scored.absorbing_rewards, self.discount)
        return scored.followed + np.float32(self.discount) * after, ended

    def values(self, states: Float32) -> Float32:
        """Return the critic's values, (M, N, S)."""
        return self._policy.values(states)

    def act(self, states: Float32) -> Actions:
        """Return the policy's mean or likeliest actions, (M, N, S, dims)."""
        flat = states.reshape(-1, states.shape[-1])
        actions, _ = self._policy.act(flat, np.random.default_rng(0), deterministic=True)
        if self._space.kind == "continuous":
            actions = np.clip(actions, -1.0, 1.0).astype(np.float32)
        return actions.reshape(*states.shape[:3], -1)


class ForeseeingPolicy:
    """An ``ActingPolicy`` that plans."""

    def __init__(self, planner: Planner, judge: RunJudge, action_space: ActionSpace, version: int) -> None:
        self.version = version
        self.overruled: list[Bool] = []
        """Of every call of ``act``, (N,)."""
        self._planner, self._judge, self._space = planner, judge, action_space

    def act(
        self, observations: Float32, rng: np.random.Generator, *, deterministic: bool = False
    ) -> tuple[Actions, Float32]:
        """Return planned actions for raw observations (N, D); their log-probabilities have no meaning, 0."""
        plan = self._planner.plan(observations, self._judge, rng)
        self.overruled.append(plan.overruled)
        actions = plan.actions[:, 0] if self._space.kind == "discrete" else plan.actions
        return actions, np.zeros(len(observations), np.float32)


class _Told:
    """An ``ActingPolicy`` whose every step is told."""

    def __init__(self, acting: ActingPolicy, tell: Callable[[int], None]) -> None:
        self.version = acting.version
        self._acting, self._tell, self._steps = acting, tell, 0

    def act(
        self, observations: Float32, rng: np.random.Generator, *, deterministic: bool = False
    ) -> tuple[Actions, Float32]:
        self._tell(self._steps)
        self._steps += 1
        return self._acting.act(observations, rng, deterministic=deterministic)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Foreseen:
    """A run in the state of its newest checkpoint, and the model of its behaviour."""

    task: Task
    seed: int
    policy: PPO
    reward: RewardModel
    model: DynamicsModel
    choices: Choices
    acting: ForeseeingPolicy

    def imagine(self, observation: Float32, actions: Actions) -> Float32:
        """Return what was to follow from an observation (D,) by T actions, (T + 1, D): the members' mean."""
        columns = self.choices.to_columns(_as_choices(actions))
        mean: Float32 = self.model.imagine(observation, columns).mean(axis=0)
        return mean


def quiet(done: int, in_all: int, text: str) -> None:
    """Tell nobody."""


def foresee_run(
    engine: sa.Engine, blobs: Blobs, run_id: str, config: RunForesightConfig, progress: Progress = quiet
) -> Foreseen:
    """Fit a model to the behaviour that a run remembers and return its policy with foresight.

    Args:
        engine: of the store.
        blobs: of the store.
        run_id: of the run.
        config: how it looks ahead.
        progress: hears how far it is.

    Raises:
        JobError: the run has no checkpoint yet, or no reward that was learned.
    """
    with reading(engine) as connection:
        run = runs.get_run(connection, run_id)
        saved = models.list_checkpoints(connection, run_id)
    task, (observation_dim, action_space) = get_task(run["task"]), spaces_of(get_task(run["task"]))
    arrays, details = blobs.read_arrays(saved[0]["arrays"]) if saved else ({}, {})
    learned = _part(arrays, "reward")
    if not learned:
        raise JobError(
            f"run {run_id} has {'no reward yet' if saved else 'no checkpoint yet'}: foresight needs what it "
            "has learned. Start it, answer questions and try again."
        )
    rng = generator(run["seed"], "foresight")
    settings = resolve(task, run["overrides"])
    policy = PPO(settings.following, observation_dim, action_space, rng)
    policy.load_state_dict(_part(arrays, "policy") | details["policy"])
    memory = Memory(recent=1, older=1, rollouts=1, rng=generator(run["seed"], "memory"))
    memory.load_state_dict(_part(arrays, "memory"), details["memory"])
    is_discrete = action_space.kind == "discrete"
    choices = Choices(1, action_space.size) if is_discrete else Choices(action_space.size, 0)
    model = DynamicsModel(config.model, observation_dim, choices.columns, rng)
    episodes = [*memory.older, *memory.recent]
    for number, episode in enumerate(episodes):
        model.add(_steps(episode, number, choices))
    for done in range(0, config.updates, _UPDATES_TOLD):
        progress(done, config.updates, "learning what follows from what it does")
        model.fit(min(_UPDATES_TOLD, config.updates - done))
    reward = RewardModel.from_arrays(learned)
    judge = RunJudge(policy, reward, action_space, settings, config.pessimism)
    planner = Planner(config.plan, model, choices)
    planner.calibrate(_futures(episodes, config.plan.horizon, rng), judge)
    acting = ForeseeingPolicy(planner, judge, action_space, policy.version)
    return Foreseen(
        task=task,
        seed=run["seed"],
        policy=policy,
        reward=reward,
        model=model,
        choices=choices,
        acting=acting,
    )


def evaluate_foresight(
    found: Foreseen, num_episodes: int, progress: Progress = quiet
) -> tuple[dict[str, Any], Episode]:
    """Return what episodes bring with foresight and without it, from the same states, and one to be filmed.

    The policy's likeliest actions are taken.

    Returns:
        ``{"with", "alone", "predicted_with", "predicted_alone", "gain", "difference", "overruled",
        "held_out_error"}``; the first two are lists of true returns, empty where the task has none, the next
        two of those that the learned reward gives; ``{"mean", "low", "high"}`` of what foresight adds to
        these, with its 95 % bootstrap interval; and the difference of the means of true returns, or null.
        Then the first episode with foresight.
    """
    seed = int(generator(found.seed, "foresight evaluation").integers(2**31))
    task, space = found.task, spaces_of(found.task)[1]

    def tell(step: int) -> None:
        progress(min(step, task.horizon), task.horizon, "acting, with foresight and without")

    true_returns: list[list[float]] = []
    predicted: list[list[float]] = []
    first: list[Episode] = []
    for acting in (_Told(found.acting, tell), _Told(found.policy, lambda _: tell(task.horizon))):
        episodes, paid = play_episodes(task, acting, num_episodes, seed, deterministic=True)
        first.append(episodes[0])
        true_returns.append([float(one.sum()) for one in paid] if task.has_true_reward else [])
        predicted.append([predicted_return(found.reward, episode, task, space) for episode in episodes])
    gains = np.subtract(true_returns[0], true_returns[1])
    added = np.subtract(predicted[0], predicted[1])
    low, high = bootstrap_interval([added], lambda drawn: float(drawn.mean()), np.random.default_rng(0))
    report = {
        "with": true_returns[0],
        "alone": true_returns[1],
        "predicted_with": predicted[0],
        "predicted_alone": predicted[1],
        "gain": {"mean": float(added.mean()), "low": low, "high": high},
        "difference": float(gains.mean()) if len(gains) else None,
        "overruled": float(np.concatenate(found.acting.overruled).mean()),
        "held_out_error": finite(found.model.held_out_error()),
    }
    return report, first[0]


def _part(arrays: dict[str, Any], name: str) -> dict[str, Any]:
    prefix = f"{name}:"
    return {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}


def _as_choices(actions: Actions) -> Actions:
    return actions[:, None] if actions.ndim == 1 else actions


def _steps(episode: Episode, number: int, choices: Choices) -> Steps:
    ended = np.zeros(episode.num_steps, np.bool_)
    ended[-1] = episode.terminated
    return Steps(
        states=episode.observations[:-1],
        actions=choices.to_columns(_as_choices(episode.actions)),
        following=episode.observations[1:],
        ended=ended,
        episodes=np.full(episode.num_steps, number),
    )


def _futures(episodes: list[Episode], horizon: int, rng: np.random.Generator) -> RealFutures:
    """Return what followed random moments, of episodes that no member learned from if any is long enough.

    Nothing where no episode is: nobody is overruled then, see ``Planner.calibrate``.
    """
    usable = [[e for e in some if e.num_steps >= horizon] for some in (episodes[::HELD_OUT_EVERY], episodes)]
    long = usable[0] or usable[1]
    if not long:
        state_dim, dims = episodes[0].observations.shape[1], _as_choices(episodes[0].actions).shape[1]
        return RealFutures(
            states=np.empty((0, horizon + 1, state_dim), np.float32),
            actions=np.empty((0, horizon, dims), np.float32),
            ended=np.empty((0, horizon), np.bool_),
        )
    chosen = [long[index] for index in rng.integers(len(long), size=_FUTURES_MEASURED)]
    starts = [int(rng.integers(episode.num_steps - horizon + 1)) for episode in chosen]
    pairs = list(zip(chosen, starts, strict=True))
    actions: Any = np.stack([_as_choices(e.actions[start : start + horizon]) for e, start in pairs])
    ended = np.zeros((len(pairs), horizon), np.bool_)
    ended[:, -1] = [e.terminated and start + horizon == e.num_steps for e, start in pairs]
    return RealFutures(
        states=np.stack([e.observations[start : start + horizon + 1] for e, start in pairs]),
        actions=actions,
        ended=ended,
    )
