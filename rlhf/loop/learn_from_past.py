"""Past episodes -> policy: soft Q-learning of one task, from scratch or from what another task taught.

On the true reward, as a study of transfer, or on another one, by which the past is relabelled. Uses no store.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from rlhf.experience.rollout import run_episodes
from rlhf.experience.vector import StepResult, VectorStepper
from rlhf.loop.report import Progress
from rlhf.policy.past_episodes import PastEpisode, PastEpisodes
from rlhf.policy.soft_q import SoftQ, SoftQConfig
from rlhf.seeding import generator
from rlhf.types.experience import Actions, Episode, Float32, Float64, Int64
from rlhf.types.task import Task

_ROUND_STEPS = 32
"""Steps of each environment between two rounds of updates."""
_LEAST_HASTE = 0.1
"""The learning rate falls linearly to this share of it."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PastConfig:
    """A training run of the soft Q-learner."""

    total_steps: int = 20_000
    """Environment steps to learn from."""
    num_envs: int = 8
    """Environments stepped together. 1 to 64."""
    updates_per_step: float = 0.25
    """Gradient steps per environment step. More: better use of what was seen, slower. .05 to 1."""
    first_entropy: float = 0.6
    """Entropy of a policy that starts from scratch, as a share of a uniform policy's; it falls linearly to
    ``q.last_entropy``. One that knows the task's actions from its source has that from the start."""
    source_haste: float = 0.3
    """Factor on the learning rate of one that knows the task's actions from its source: its values need to be
    adapted, not found. .1 to 1."""
    source_episodes: int = 100
    """Latest episodes of such a source that are learned from as well, until newer ones crowd them out."""
    exploration: float = 0.25
    """Share of the steps over which the entropy falls."""
    persistence: float = 1.0
    """Steps for which the noise of the last environment's choices stays the same on average; in the first one
    it is new in each step, and in between it grows. Above 1 where chance alone never gets anywhere, as on a
    hill; a pole that is pushed one way for long just falls. 1 to 32."""
    curve_points: int = 40
    """Evaluations on the way."""
    curve_episodes: int = 16
    """Episodes of each."""
    q: SoftQConfig = dataclasses.field(default_factory=SoftQConfig)

    def __post_init__(self) -> None:
        """Check ranges."""
        for name in ("total_steps", "num_envs", "persistence", "curve_points", "curve_episodes"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be >= 1.")
        if self.updates_per_step <= 0 or self.source_haste <= 0 or self.source_episodes < 0:
            raise ValueError(
                f"updates_per_step is {self.updates_per_step}, source_haste {self.source_haste} and "
                f"source_episodes {self.source_episodes}; they must be > 0, > 0 and >= 0."
            )
        if not (self.q.last_entropy <= self.first_entropy < 1 and 0 < self.exploration <= 1):
            raise ValueError(
                f"first_entropy is {self.first_entropy} and exploration {self.exploration}; they must be in "
                f"[q.last_entropy = {self.q.last_entropy}, 1) and in (0, 1]."
            )


class OtherReward(Protocol):
    """A reward to learn from in place of the true one, such as a learned one."""

    def rewards(self, episode: PastEpisode, actions: Actions, discount: float) -> Float32:
        """Return what each step of an episode is worth, (T,).

        The last one of an episode that terminated also has all that the absorbing state after it is worth.

        Args:
            episode: of T steps, whatever rewards it has.
            actions: that were taken in it, (T,) or (T, A).
            discount: gamma of whoever learns from it.
        """

    def returns(self, episodes: Sequence[Episode]) -> Float64:
        """Return each episode's sum of rewards over the horizon, absorbing steps included, (E,)."""


class PastLearner:
    """One task's environments, what happened in them, and the Q-learner that learns from it.

    Args:
        task: what is learned.
        config: how.
        seed: of everything random.
        source: whose trunk is taken over, and where the shapes are the same also adapter, head and past.
    """

    def __init__(
        self, task: Task, config: PastConfig, seed: int, source: "PastLearner | None" = None
    ) -> None:
        self.task, self.config, self._seed = task, config, seed
        self._stepper = VectorStepper(task, config.num_envs, seed)
        shape = self._stepper.observation_dim, self._stepper.action_space
        self.q = SoftQ(config.q, *shape, generator(seed, "q"))
        self.past = PastEpisodes(config.q.capacity, config.q.half_life, config.q.discount)
        self._knows_task = source is not None and source.q.shape == shape
        if source is not None:
            self.q.start_from(source.q, generator(seed, "transfer"))
            if self._knows_task and config.source_episodes:
                self.past.add(source.past.episodes[-config.source_episodes :])
        self.steps = 0
        self.curve: list[dict[str, Any]] = []
        self.returns: Float64 = np.zeros(0)
        """Of the episodes measured last, by the reward that is learned from."""
        self._running = [_Running() for _ in range(config.num_envs)]
        self._act, self._draw = generator(seed, "act"), generator(seed, "replay")
        self._renewal = config.persistence ** -np.linspace(0.0, 1.0, config.num_envs)
        self._noise = self._act.gumbel(size=(config.num_envs, *self.q.num_options))
        self._updates_due = 0.0
        self._reward: OtherReward | None = None

    def train(self, until: int, progress: Progress) -> None:
        """Learn until ``until`` environment steps are done; ``curve`` gets points on the way.

        Args:
            until: steps that have been taken then, those of an earlier call included.
            progress: hears of each point.
        """
        while self.steps < until:
            self.measure_if_due(progress)
            self.learn(self.collect())
        if self.steps >= self.config.total_steps:
            self.measure_if_due(progress)

    def relabel(self, reward: OtherReward) -> None:
        """Learn another reward from now on, also from what happened before."""
        self._reward = reward
        self.past.relabel(self._rewards)
        self.q.meet_reward(self.past.steps() if self.past.episodes else None)

    def measure(self, num_episodes: int) -> dict[str, float]:
        """Return how calm behaviour does in episodes that are not learned from.

        Returns:
            ``{"true_return"}``, and with another reward also ``"learned_return"``, by that one: means.
        """
        episodes, self.returns = _play(self.task, self.q, num_episodes, self._seed)
        found = {"true_return": float(self.returns.mean())}
        if self._reward is not None:
            self.returns = self._reward.returns(episodes)
            found["learned_return"] = float(self.returns.mean())
        return found

    def close(self) -> None:
        """Release the environments."""
        self._stepper.close()

    def _entropy(self) -> float:
        config = self.config
        if self._knows_task:
            return config.q.last_entropy
        done = min(1.0, self.steps / (config.exploration * config.total_steps))
        return config.first_entropy + done * (config.q.last_entropy - config.first_entropy)

    def _haste(self) -> float:
        left = max(_LEAST_HASTE, 1.0 - self.steps / self.config.total_steps)
        return self.config.source_haste * left if self._knows_task else left

    def learn(self, seen: "Seen") -> None:
        """Take in a round, one's own or another learner's, and learn from the past as often as is due."""
        self.past.add([dataclasses.replace(one, rewards=self._rewards(one)) for one in seen.finished])
        if not self._knows_task:
            self.q.observations.update(seen.observations)
        steps = seen.observations[..., 0].size
        self.steps += steps
        self._updates_due += steps * self.config.updates_per_step
        updates = int(self._updates_due)
        if updates and self.past.episodes:
            self.q.learn(self.past.steps(), updates, self._entropy(), self._draw, haste=self._haste())
            self._updates_due -= updates

    def _rewards(self, episode: PastEpisode) -> Float32:
        if self._reward is None:
            return episode.rewards
        actions = self.q.to_actions(episode.options)
        return self._reward.rewards(episode, actions, self.config.q.discount)

    def collect(self) -> "Seen":
        """Act for a round; nothing is learned from it yet."""
        stepper, seen, finished = self._stepper, [], []
        for _ in range(_ROUND_STEPS):
            before = stepper.observations
            options, log_probs = self.q.explore(before, self._next_noise())
            result = stepper.step(self.q.to_actions(options))
            for i, running in enumerate(self._running):
                finished += running.add(i, before, options, log_probs, result)
            seen.append(before)
        return Seen(np.stack(seen), finished)

    def _next_noise(self) -> Float64:
        """Return standard Gumbel noise (N, A, K), in some environments that of the step before.

        Source: https://arxiv.org/abs/2006.01782 (actions repeated for a random time). Differs: the noise is.
        """
        fresh = self._act.random(len(self._renewal)) < self._renewal
        drawn = self._act.gumbel(size=self._noise.shape)
        self._noise = np.where(fresh[:, None, None], drawn, self._noise)
        return self._noise

    def measure_if_due(self, progress: Progress) -> bool:
        """Add the next point to ``curve``, and let ``progress`` hear of it, if it is time; return whether."""
        config = self.config
        if self.steps * config.curve_points < len(self.curve) * config.total_steps:
            return False
        found = self.measure(config.curve_episodes)
        self.curve.append({"steps": self.steps, **found})
        text = f"true return {found['true_return']:.0f}"
        progress(min(self.steps, config.total_steps), config.total_steps, text)
        return True


def mean_return(task: Task, q: SoftQ, num_episodes: int, seed: int) -> float:
    """Return the mean true return of ``num_episodes`` episodes, the same ones for equal seeds."""
    return float(_play(task, q, num_episodes, seed)[1].mean())


def _play(task: Task, q: SoftQ, num_episodes: int, seed: int) -> tuple[list[Episode], Float64]:
    evaluation_seed = int(generator(seed, "evaluation").integers(2**31))
    return run_episodes(task, q, num_episodes, evaluation_seed, deterministic=True)


@dataclasses.dataclass(frozen=True)
class Seen:
    """A round of steps."""

    observations: Float32
    """Acted on, (T, N, D)."""
    finished: list[PastEpisode]
    """That ended in it."""


class _Running:
    """The episode under way in one environment."""

    def __init__(self) -> None:
        self._steps: list[tuple[Float32, Int64, np.float32, np.float64]] = []

    def add(
        self, i: int, before: Float32, options: Int64, log_probs: Float32, result: StepResult
    ) -> list[PastEpisode]:
        """Take in environment i's step; return its episode if that ended, else nothing."""
        self._steps.append((before[i], options[i], log_probs[i], result.true_rewards[i]))
        if not (result.terminated[i] or result.truncated[i]):
            return []
        observations, taken, then, rewards = zip(*self._steps, strict=True)
        self._steps = []
        return [
            PastEpisode(
                observations=np.stack([*observations, result.next_observations[i]]),
                options=np.stack(taken),
                log_probs=np.array(then, np.float32),
                rewards=np.array(rewards, np.float32),
                terminated=bool(result.terminated[i]),
            )
        ]
