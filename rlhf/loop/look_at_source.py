"""What a run can give to a new one. Uses no torch: pages ask too."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import sqlalchemy as sa

from rlhf.errors import RlhfError
from rlhf.experience.tasks import get_task, spaces_of
from rlhf.policy.config import Update
from rlhf.policy.partial import count_learned, learning_layers
from rlhf.policy.transfer import Arrays, new_layers, widths_of
from rlhf.storage import answers, models, runs
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading
from rlhf.types.task import ActionSpace, Task

PARTS = ("policy", "critic", "reward", "answers")
"""What can be taken, in the order in which it is shown."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """A run to start from, and how it fits a target."""

    run: sa.RowMapping
    num_answers: int
    """That stand and came in time."""
    task: Task
    """The target."""
    observation_dim: int
    """Of the target."""
    action_space: ActionSpace
    """Of the target."""
    policy_version: int | None
    """The policy that would be taken; None: there is none."""
    policy: Arrays
    """That policy, empty where there is none."""
    missing: Mapping[str, str]
    """Part that cannot be taken -> why, in words."""

    @property
    def parts(self) -> list[str]:
        """What can be taken."""
        return [part for part in PARTS if part not in self.missing]

    @property
    def new_layers(self) -> set[int]:
        """Layers of the policy that would start anew."""
        return new_layers(self.policy, self.observation_dim, self.action_space)

    @property
    def kept_settings(self) -> dict[str, Any]:
        """What a new run has of the source's settings: those of the same task."""
        return dict(self.run["overrides"]) if self.run["task"] == self.task.name else {}

    @property
    def fitting_settings(self) -> dict[str, Any]:
        """What a run has to be set to for the policy to fit."""
        return {
            "ppo.hidden": list(widths_of(self.policy)[1:-1]),
            "ppo.observation_clip": float(self.policy["observation_clip"]),
        }

    def allows(self, update: Update) -> bool:
        """Return whether no layer would be both new and frozen."""
        return 0 not in self.new_layers or 0 in learning_layers(update, len(self.widths) - 1)

    @property
    def widths(self) -> tuple[int, ...]:
        """Of the target's policy, from input to output, if it starts from the source's."""
        return (self.observation_dim, *widths_of(self.policy)[1:-1], self.action_space.size)

    def count_learned(self, update: Update) -> tuple[int, int]:
        """Return how many parameters of that policy would learn and how many it has."""
        num_free = self.action_space.size if self.action_space.kind == "continuous" else 0
        return count_learned(self.widths, num_free, update)


def look_at_source(
    engine: sa.Engine,
    blobs: Blobs,
    source_id: str,
    *,
    task: str | None = None,
    policy_version: int | None = None,
) -> Source:
    """Return what a run can give to a new run.

    Args:
        engine: of the store.
        blobs: where arrays are.
        source_id: the run to start from.
        task: of the new run; None: the same.
        policy_version: which saved policy; None: see ``best_policy``.

    Raises:
        NotFoundError: there is no such run or policy.
        TaskError: there is no such task.
    """
    with reading(engine) as connection:
        run = runs.get_run(connection, source_id)
        if policy_version is None:
            row = best_policy(connection, source_id)
        else:
            row = models.get_policy_version(connection, source_id, policy_version)
        has_begun = bool(models.list_checkpoints(connection, source_id))
        num_answers = sum(answers.count_standing(connection, source_id).values())
    own, target = get_task(run["task"]), get_task(task or run["task"])
    (own_dim, own_actions), (observation_dim, action_space) = _spaces(own.name), _spaces(target.name)
    policy, no_policy = _read_policy(blobs, row)
    others = "what it observes is not what the target observes" if own_dim != observation_dim else None
    unlike = others or ("its actions are of another kind" if own_actions != action_space else None)
    cut = None if own.segment_steps == target.segment_steps else "its clips are of another length"
    why = {
        "policy": no_policy,
        "critic": others or (None if has_begun else "it has not begun"),
        "reward": unlike or (None if run["reward_version"] else "it has learned no reward yet"),
        "answers": unlike or cut or (None if num_answers else "nobody has answered yet"),
    }
    return Source(
        run=run,
        num_answers=num_answers,
        task=target,
        observation_dim=observation_dim,
        action_space=action_space,
        policy_version=None if row is None or no_policy else row["version"],
        policy=policy,
        missing={part: reason for part, reason in why.items() if reason is not None},
    )


def best_policy(connection: sa.Connection, run_id: str) -> sa.RowMapping | None:
    """Return the saved policy that the run's reward likes best; None if none is saved.

    Predictions compare within a reward version only, so it is among those of the newest one that were played;
    without any, the newest policy. The true reward has no say.
    """
    saved = models.list_policy_versions(connection, run_id)
    if not saved:
        return None
    judged = [row for row in saved if (row["evaluation"] or {}).get("predicted_returns")]
    newest = max((row["reward_version"] for row in judged), default=0)
    judged = [row for row in judged if row["reward_version"] == newest]
    return max(
        judged, key=lambda row: float(np.mean(row["evaluation"]["predicted_returns"])), default=saved[-1]
    )


@functools.lru_cache(maxsize=64)
def _spaces(task_name: str) -> tuple[int, ActionSpace]:
    return spaces_of(get_task(task_name))  # an environment is made for it: not each time somebody looks


def _read_policy(blobs: Blobs, row: sa.RowMapping | None) -> tuple[Arrays, str | None]:
    """Return a saved policy's arrays, or why there are none."""
    if row is None:
        return {}, "it has saved no policy yet"
    try:
        policy = blobs.read_arrays(row["arrays"])[0]
        widths_of(policy)
    except RlhfError as error:
        return {}, f"its policy cannot be read: {error}"
    return policy, None
