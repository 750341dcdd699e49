"""What a run remembers of its recent behaviour: episodes to ask about, rollouts to relabel.

True rewards are kept beside the episodes, by reset seed, only to be stored for teachers and evaluation.
"""

from collections import deque
from typing import Any

import numpy as np

from rlhf.seeding import generator_state, restore_generator
from rlhf.types.experience import Episode, Float64, Rollout, Segment


class Memory:
    """Recent and older episodes, and recent rollouts.

    Args:
        recent: episodes that count as near-on-policy.
        older: earlier episodes kept, each that leaves ``recent`` replacing a random one.
        rollouts: rollouts kept.
        rng: chooses which older episode gives way.
    """

    def __init__(self, *, recent: int, older: int, rollouts: int, rng: np.random.Generator) -> None:
        self.recent: deque[Episode] = deque()
        self.older: list[Episode] = []
        self.rollouts: deque[Rollout] = deque(maxlen=rollouts)
        self._max_recent, self._max_older, self._rng = recent, older, rng
        self._true_rewards: dict[int, Float64] = {}

    def add(self, episodes: list[Episode], true_rewards: list[Float64]) -> None:
        """Remember finished episodes; the oldest recent ones move on or are forgotten."""
        for episode, rewards in zip(episodes, true_rewards, strict=True):
            self.recent.append(episode)
            self._true_rewards[episode.reset_seed] = rewards
            if len(self.recent) > self._max_recent:
                self._retire(self.recent.popleft())

    def retire_all(self) -> None:
        """Make every recent episode an older one, as when a new kind of behaviour starts."""
        while self.recent:
            self._retire(self.recent.popleft())

    def true_returns(self, horizon: int) -> list[float]:
        """Return the recent whole episodes' true returns, for the curves that people look at."""
        whole = [e for e in self.recent if e.terminated or e.num_steps == horizon]
        return [float(self._true_rewards[episode.reset_seed].sum()) for episode in whole]

    def true_rewards_of(self, segment: Segment) -> Float64:
        """Return the true rewards (L,) of a segment cut from a remembered episode; zero when absorbing."""
        whole = self._true_rewards[segment.replay.reset_seed]
        rewards = np.zeros(segment.num_steps)
        real = segment.num_real_steps
        rewards[:real] = whole[segment.replay.start : segment.replay.start + real]
        return rewards

    def state_dict(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return (arrays, JSON data) that ``load_state_dict`` restores."""
        arrays: dict[str, Any] = {}
        episodes = [*self.recent, *self.older]
        for index, episode in enumerate(episodes):
            arrays[f"episode.{index}.observations"] = episode.observations
            arrays[f"episode.{index}.actions"] = episode.actions
            arrays[f"episode.{index}.true_rewards"] = self._true_rewards[episode.reset_seed]
            if episode.sim_states is not None:
                arrays[f"episode.{index}.sim_states"] = episode.sim_states
        for index, rollout in enumerate(self.rollouts):
            arrays |= {f"rollout.{index}.{name}": getattr(rollout, name) for name in _ROLLOUT_ARRAYS}
        details = {
            "num_recent": len(self.recent),
            "episodes": [[e.terminated, e.reset_seed, e.policy_version] for e in episodes],
            "rollouts": [rollout.policy_version for rollout in self.rollouts],
            "rng": generator_state(self._rng),
        }
        return arrays, details

    def load_state_dict(self, arrays: dict[str, Any], details: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned; what is forgotten next is the same as without a stop."""
        restore_generator(self._rng, details["rng"])
        episodes = []
        for index, (terminated, reset_seed, version) in enumerate(details["episodes"]):
            episodes.append(
                Episode(
                    observations=arrays[f"episode.{index}.observations"],
                    actions=arrays[f"episode.{index}.actions"],
                    sim_states=arrays.get(f"episode.{index}.sim_states"),
                    terminated=terminated,
                    reset_seed=reset_seed,
                    policy_version=version,
                )
            )
            self._true_rewards[reset_seed] = arrays[f"episode.{index}.true_rewards"]
        self.recent = deque(episodes[: details["num_recent"]])
        self.older = episodes[details["num_recent"] :]
        self.rollouts.clear()
        for index, version in enumerate(details["rollouts"]):
            parts = {name: arrays[f"rollout.{index}.{name}"] for name in _ROLLOUT_ARRAYS}
            self.rollouts.append(Rollout(policy_version=version, **parts))

    def _retire(self, episode: Episode) -> None:
        if len(self.older) < self._max_older:
            self.older.append(episode)
            return
        slot = int(self._rng.integers(2 * self._max_older))  # half of those that come are let go
        forgotten = episode
        if slot < self._max_older:
            forgotten, self.older[slot] = self.older[slot], episode
        del self._true_rewards[forgotten.reset_seed]


_ROLLOUT_ARRAYS = (
    "observations",
    "actions",
    "log_probs",
    "next_observations",
    "terminated",
    "truncated",
)
