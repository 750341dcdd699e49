"""What the gates remember between updates; part of a checkpoint."""

import dataclasses
from typing import Any


@dataclasses.dataclass(kw_only=True)
class Champion:
    """The best policy so far, with all that is needed to go on from it."""

    version: int
    steps: int
    """Of the run when it was crowned."""
    critic_reward: int
    """Version of the reward that its critic belongs to."""
    policy: dict[str, Any]
    """``PPO.state_dict``."""


@dataclasses.dataclass(kw_only=True)
class GateState:
    """Latest readings under the present reward, what was warned of, and who is the champion."""

    reward_version: int = 0
    """That the readings are of."""
    spread_limit: float = 0.0
    """Ensemble spread above which a step is unfamiliar."""
    means: list[float] = dataclasses.field(default_factory=list)
    """Mean reward per step of the latest rollouts, oldest first."""
    lower_bounds: list[float] = dataclasses.field(default_factory=list)
    """The same less one ensemble spread."""
    unfamiliar: list[float] = dataclasses.field(default_factory=list)
    """Shares of unfamiliar steps of the same rollouts."""
    standing: list[str] = dataclasses.field(default_factory=list)
    """Gates whose warnings hold now."""
    warned: dict[str, int] = dataclasses.field(default_factory=dict)
    """Reward version that each gate last warned of."""
    champion: Champion | None = None
    since_version: int = 0
    """First policy version after the champion was crowned or gone back to."""
    returns: int = 0
    """How often in a row successors have lost to the champion."""
    contests: dict[str, bool] = dataclasses.field(default_factory=dict)
    """Ids of queries that show champion and successor, and whether the successor is the left one."""

    def forget_readings(self) -> None:
        """Start anew: rewards of different versions, or policies, do not compare."""
        self.means.clear()
        self.lower_bounds.clear()
        self.unfamiliar.clear()

    def dethrone(self, version: int) -> None:
        """Let go of the best policy stored: ``version`` and what follows it start a new contest."""
        self.champion, self.since_version, self.returns = None, version, 0
        self.contests.clear()
        self.forget_readings()

    def to_details(self) -> dict[str, Any]:
        """Return JSON data, without the champion's policy."""
        details = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "champion"}
        if (best := self.champion) is not None:
            details["champion"] = [best.version, best.steps, best.critic_reward]
        return details

    @classmethod
    def from_details(cls, details: dict[str, Any], policy: dict[str, Any]) -> "GateState":
        """Rebuild the state from ``to_details`` and the champion's policy."""
        best = None
        if "champion" in details:
            version, steps, critic_reward = details["champion"]
            best = Champion(version=version, steps=steps, critic_reward=critic_reward, policy=policy)
        return cls(**details | {"champion": best})
