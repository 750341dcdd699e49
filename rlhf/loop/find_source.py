"""Another run's reward -> where this run's reward starts from. Light enough for the web process: no torch."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import sqlalchemy as sa

from rlhf.experience.tasks import get_task
from rlhf.loop.config import RunConfig
from rlhf.reward.config import RewardConfig
from rlhf.reward.ensemble import RewardModel
from rlhf.reward.features import RewardInputs
from rlhf.reward.source import Source, match_features
from rlhf.storage import models, origins, runs
from rlhf.storage.engine import reading
from rlhf.types.task import ActionSpace, Task

if TYPE_CHECKING:
    from rlhf.loop.session import Session

_NO_ACTIONS = ActionSpace("continuous", 0)


def find_source(session: "Session") -> Source | None:
    """Return the reward that this run's starts from, or None.

    That is the one its settings name, or one that was taken from another run without its answers: the answers
    given here say how far to follow it, so that the first of them do not push it aside.

    Raises:
        NotFoundError: that version is no longer there.
        ConfigError: it looks at nothing that is observed in this run.
        CheckpointError: it is damaged.
    """
    with reading(session.engine) as connection:
        named = named_source(connection, session.run_id, session.config)
        if named is None:
            return None
        run_id, version = named
        source_task = get_task(runs.get_run(connection, run_id)["task"])
        stored = models.get_reward_version(connection, run_id, version)["arrays"]
    model = RewardModel.from_arrays(session.blobs.read_arrays(stored)[0])
    its_inputs = RewardInputs.of(model.config, session.action_space)
    if source_task.env_id == session.task.env_id and session.inputs == its_inputs:
        return Source(model=model, columns=np.arange(model.num_features))
    theirs = _observed(source_task, model.config)
    columns = match_features(theirs, session.inputs.names(session.task.feature_names))
    # Actions of one body mean nothing to another, so the source sees none of them.
    hidden = [-1] * (model.num_features - len(columns))
    return Source(model=model, columns=np.insert(columns, theirs.index("absorbing"), hidden))


def named_source(connection: sa.Connection, run_id: str, config: RunConfig) -> tuple[str, int] | None:
    """Return run and version of the reward that a run's starts from; see ``find_source``."""
    if config.transfer.reward_from:
        return config.transfer.source
    origin = origins.find_origin(connection, run_id)
    if origin is None or origin["reward_version"] is None or origin["num_answers"] is not None:
        return None
    return run_id, origin["reward_version"]  # the run's own copy


def check_source(connection: sa.Connection, task: Task, config: RunConfig) -> None:
    """Refuse a source that a new run could not start from.

    Raises:
        NotFoundError: there is no such run, or no such version of its reward.
        ConfigError: it looks at nothing that is observed in this task.
    """
    if not config.transfer.reward_from:
        return
    run_id, version = config.transfer.source
    source_task = get_task(runs.get_run(connection, run_id)["task"])
    models.get_reward_version(connection, run_id, version)
    if source_task.env_id != task.env_id:
        match_features(_observed(source_task, RewardConfig()), _observed(task, config.reward))


def _observed(task: Task, seen: RewardConfig) -> tuple[str, ...]:
    inputs = RewardInputs.of(dataclasses.replace(seen, use_actions=False), _NO_ACTIONS)
    return inputs.names(task.feature_names)
