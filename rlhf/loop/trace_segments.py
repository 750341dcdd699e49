"""Reward version -> what it gives each step of segments, and which features made it: for people to look at.

Nothing here is learned from, and nothing heavy is loaded: the web process asks for it at once.
"""

import dataclasses
from collections.abc import Sequence

import sqlalchemy as sa

from rlhf.errors import NotFoundError
from rlhf.loop.observed import observed
from rlhf.reward.attribution import attribute
from rlhf.reward.ensemble import RewardModel
from rlhf.reward.features import RewardInputs
from rlhf.storage import models, runs, segments
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading
from rlhf.types.experience import Bool, Float32, Segment
from rlhf.types.task import ActionSpace


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trace:
    """What one reward version makes of the L steps of a segment."""

    segment_id: str
    rewards: Float32
    """(M, L), of every member, in standard deviations of the reward per step."""
    contributions: Float32
    """(L, F), what each feature adds, on the mean of the members."""
    values: Float32
    """(L, F), the raw features."""
    absorbing: Bool
    """(L,), whether the episode was over."""
    steps_per_frame: int
    """Frame k of the clip shows step k times this."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Traces:
    """Segments under one reward version."""

    version: int
    base: float
    """What the average step gets, on the mean of the members: what contributions are added to."""
    names: tuple[str, ...]
    """Of the F features."""
    units: tuple[str, ...]
    """Of the features; "" where there is none."""
    traces: tuple[Trace, ...]


def trace_segments(
    engine: sa.Engine, blobs: Blobs, run_id: str, version: int, segment_ids: Sequence[str]
) -> Traces:
    """Return what a reward version of a run makes of some of its segments.

    Raises:
        NotFoundError: the run has no such version or segment.
    """
    with reading(engine) as connection:
        task = runs.get_run(connection, run_id)["task"]
        model_row = models.get_reward_version(connection, run_id, version)
        rows = [segments.get_segment_row(connection, segment_id) for segment_id in segment_ids]
    if strange := [row["id"] for row in rows if row["run_id"] != run_id]:
        raise NotFoundError(f"run {run_id} has no segment {strange[0]!r}.")
    model = RewardModel.from_arrays(blobs.read_arrays(model_row["arrays"])[0])
    found = [Segment.from_arrays(blobs.read_arrays(row["arrays"])[0]) for row in rows]
    inputs = RewardInputs.of(model.config, _action_space(model, found[0]))
    average, traces = 0.0, []
    for row, segment in zip(rows, found, strict=True):
        features = inputs.segment(segment)
        made_of = attribute(model, features)
        average = float(made_of.base.mean())
        traces.append(
            Trace(
                segment_id=row["id"],
                rewards=model.member_rewards(features),
                contributions=made_of.contributions.mean(axis=0),
                values=features,
                absorbing=segment.absorbing,
                steps_per_frame=_steps_per_frame(segment.num_steps, row["clip_frames"]),
            )
        )
    names, units = observed(task, found[0].observations.shape[1])
    return Traces(
        version=version,
        base=average,
        names=inputs.names(names),
        units=inputs.units(units),
        traces=tuple(traces),
    )


_NO_ACTIONS = ActionSpace("continuous", 0)


def _action_space(model: RewardModel, segment: Segment) -> ActionSpace:
    """Return how actions look, from what is stored: making the environment would load its simulator."""
    if segment.actions.ndim == 2:
        return ActionSpace("continuous", segment.actions.shape[1])
    others = RewardInputs.of(model.config, _NO_ACTIONS).num(segment.observations.shape[1])
    return ActionSpace("discrete", max(1, model.num_features - others))


def _steps_per_frame(steps: int, frames: int | None) -> int:
    """Return k of the  steps // k + 1  frames that a clip has; 1 for a segment that was not drawn."""
    return steps // (frames - 1) if frames is not None and frames > 1 else 1
