"""What a run remembers of its recent behaviour: episodes to ask about, rollouts to relabel.

True rewards are kept beside the episodes, by reset seed, only to be stored for teachers and evaluation.
"""

from collections import deque
from typing import Any

import numpy as np

from rlhf.seeding import generator_state, restore_generator
from rlhf.types.experience import Episode, Float64, Rollout, Segment


class Memory:
    """Recent and older episodes, the best policy's, recent rollouts, the exploration until it has served.

    Args:
        recent: episodes that count as near-on-policy.
        older: earlier episodes kept, each that leaves ``recent`` replacing a random one.
        rollouts: rollouts kept.
        rng: chooses which older episode gives way.
    """

    def __init__(self, *, recent: int, older: int, rollouts: int, rng: np.random.Generator) -> None:
        self.recent: deque[Episode] = deque()
        self.older: list[Episode] = []
        self.explored: list[Episode] = []
        self.champion: list[Episode] = []
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

    def add_explored(self, episodes: list[Episode], true_rewards: list[Float64]) -> None:
        """Remember all of these too, beside what ``add`` keeps, until ``forget_exploration``."""
        self.explored += episodes
        self.add(episodes, true_rewards)

    def forget_exploration(self) -> None:
        """Let go of the explored episodes that are neither recent nor older ones."""
        self.explored.clear()
        kept = {episode.reset_seed for episode in (*self.recent, *self.older, *self.champion)}
        self._true_rewards = {seed: r for seed, r in self._true_rewards.items() if seed in kept}

    def crown(self, episodes: list[Episode]) -> None:
        """Keep these remembered episodes as the best policy's, in place of those before."""
        self.champion = list(episodes)
        if not self.explored:
            self.forget_exploration()  # lets go of the true rewards that belong to no episode any more

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
        groups = {
            "recent": self.recent,
            "older": self.older,
            "explored": self.explored,
            "champion": self.champion,
        }
        episodes = {episode.reset_seed: episode for group in groups.values() for episode in group}
        arrays = self._join(list(episodes.values()))
        for index, rollout in enumerate(self.rollouts):
            arrays |= {f"rollout.{index}.{name}": getattr(rollout, name) for name in _ROLLOUT_ARRAYS}
        details = {
            "episodes": [
                [e.num_steps, e.terminated, e.reset_seed, e.policy_version] for e in episodes.values()
            ],
            "groups": {name: [e.reset_seed for e in group] for name, group in groups.items()},
            "rollouts": [rollout.policy_version for rollout in self.rollouts],
            "rng": generator_state(self._rng),
        }
        return arrays, details

    def load_state_dict(self, arrays: dict[str, Any], details: dict[str, Any]) -> None:
        """Restore what ``state_dict`` returned; what is forgotten next is the same as without a stop."""
        restore_generator(self._rng, details["rng"])
        episodes = self._split(arrays, details["episodes"])
        groups = {name: [episodes[seed] for seed in seeds] for name, seeds in details["groups"].items()}
        self.recent = deque(groups["recent"])
        self.older, self.explored = groups["older"], groups["explored"]
        self.champion = groups.get("champion", [])  # checkpoints of earlier programs have none
        self.rollouts.clear()
        for index, version in enumerate(details["rollouts"]):
            parts = {name: arrays[f"rollout.{index}.{name}"] for name in _ROLLOUT_ARRAYS}
            self.rollouts.append(Rollout(policy_version=version, **parts))

    def _join(self, episodes: list[Episode]) -> dict[str, Any]:
        """Return the episodes' arrays one after the other: few long arrays are quicker to write than many."""
        if not episodes:
            return {}
        arrays = {
            "observations": np.concatenate([e.observations for e in episodes]),
            "actions": np.concatenate([e.actions for e in episodes]),
            "true_rewards": np.concatenate([self._true_rewards[e.reset_seed] for e in episodes]),
        }
        states = [e.sim_states for e in episodes if e.sim_states is not None]
        return arrays | ({"sim_states": np.concatenate(states)} if states else {})

    def _split(self, arrays: dict[str, Any], facts: list[list[Any]]) -> dict[int, Episode]:
        """Return the episodes of ``_join`` by reset seed; their true rewards go back to their place."""
        self._true_rewards = {}
        episodes: dict[int, Episode] = {}
        step = 0
        for index, (num_steps, terminated, reset_seed, version) in enumerate(facts):
            # Copies: a part of the whole would keep all of it in memory.
            steps = slice(step, step + num_steps)
            states = slice(step + index, step + index + num_steps + 1)  # one more than steps, per episode
            episodes[reset_seed] = Episode(
                observations=arrays["observations"][states].copy(),
                actions=arrays["actions"][steps].copy(),
                sim_states=arrays["sim_states"][states].copy() if "sim_states" in arrays else None,
                terminated=terminated,
                reset_seed=reset_seed,
                policy_version=version,
            )
            self._true_rewards[reset_seed] = arrays["true_rewards"][steps].copy()
            step += num_steps
        return episodes

    def _retire(self, episode: Episode) -> None:
        if len(self.older) < self._max_older:
            self.older.append(episode)
            return
        slot = int(self._rng.integers(2 * self._max_older))  # half of those that come are let go
        forgotten = episode
        if slot < self._max_older:
            forgotten, self.older[slot] = self.older[slot], episode
        is_champion = any(forgotten.reset_seed == best.reset_seed for best in self.champion)
        if not self.explored and not is_champion:  # explored ones are ``forget_exploration``'s
            del self._true_rewards[forgotten.reset_seed]


_ROLLOUT_ARRAYS = (
    "observations",
    "actions",
    "log_probs",
    "next_observations",
    "terminated",
    "truncated",
)
