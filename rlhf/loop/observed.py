"""What the entries of an observation are called, and in which units: the names that people see. No torch."""

import sqlalchemy as sa

from rlhf.errors import FeedbackError
from rlhf.experience.presets import PRESETS
from rlhf.experience.tasks import get_task
from rlhf.loop.config import resolve
from rlhf.reward.features import RewardInputs
from rlhf.storage import runs, segments
from rlhf.storage.blobs import Blobs
from rlhf.types.task import ActionSpace, base_name

_NO_ACTIONS = ActionSpace("continuous", 0)


def observed(task: str, dim: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return names and units of an observation's entries; numbers where the task has no names.

    Args:
        task: its name.
        dim: entries of an observation.
    """
    preset = PRESETS.get(base_name(task))
    if preset is None or len(preset.feature_names) != dim:
        return tuple(f"observation {index}" for index in range(dim)), ("",) * dim
    return preset.feature_names, preset.feature_units


def shapeable(connection: sa.Connection, blobs: Blobs, run_id: str) -> dict[str, str]:
    """Return the entries of a run's observations, which a potential can be of, with their units.

    Raises:
        NotFoundError: there is no such run.
        FeedbackError: the task has no names, and the run has shown no behaviour yet that says how many there
            are to be.
    """
    task = runs.get_run(connection, run_id)["task"]
    preset = PRESETS.get(base_name(task))
    dim = len(preset.feature_names) if preset is not None else 0
    if not dim:
        # from what is stored: making the environment would load its simulator
        row = segments.newest_segment(connection, run_id)
        if row is None:
            raise FeedbackError(f"run {run_id} has shown no behaviour yet; start it, then design its reward.")
        dim = segments.load_segment(connection, blobs, row["id"]).observations.shape[1]
    return dict(zip(*observed(task, dim), strict=True))


def designable(connection: sa.Connection, blobs: Blobs, run_id: str) -> dict[str, str]:
    """Return the features of a run that a term of a design can name, with their units.

    Actions are not among them: a weighted sum of them says nothing that anybody wants.

    Raises:
        NotFoundError, FeedbackError: as ``shapeable``.
    """
    run, entries = runs.get_run(connection, run_id), shapeable(connection, blobs, run_id)
    seen = resolve(get_task(run["task"]), run["overrides"]).reward
    inputs = RewardInputs(action_space=_NO_ACTIONS, use_changes=seen.use_changes)
    return dict(zip(inputs.names([*entries]), inputs.units([*entries.values()]), strict=True))
