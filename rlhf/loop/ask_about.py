"""Moments of recordings -> a query: what somebody saw and wants to have compared. No torch.

The answer teaches as any other does. Only people are asked, as whoever picks moments wants to hear them.
"""

import dataclasses

import numpy as np
import sqlalchemy as sa

from rlhf.errors import NotFoundError, QueryError
from rlhf.experience.segments import part_around
from rlhf.experience.tasks import get_task
from rlhf.seeding import generator
from rlhf.storage import demonstrations, jobs, queries, runs, segments
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading, writing
from rlhf.types.experience import Float64, Segment
from rlhf.types.feedback import QueryKind
from rlhf.types.run import JobKind
from rlhf.types.task import Task


@dataclasses.dataclass(frozen=True, kw_only=True)
class Moment:
    """A frame of a recorded episode."""

    segment_id: str
    """The recording."""
    frame: int
    """Frame of its clip, from 0."""


def ask_about(engine: sa.Engine, blobs: Blobs, run_id: str, first: Moment, second: Moment) -> str:
    """Ask people to compare what happens around two moments; return the id of the query.

    It comes before the queries that were chosen, and does not expire. Which of the two is on the left is
    left to chance. The same moments again give the query that waits already.

    Args:
        engine: the store's database.
        blobs: the store's files.
        run_id: whose recordings they are.
        first: one moment.
        second: another one.

    Raises:
        NotFoundError: there is no such run or recording.
        QueryError: a recording has no such frame, or the moments are so close that both clips would show the
            same.
        ShapeError: a recording is too short.
    """
    with reading(engine) as connection:
        run = runs.get_run(connection, run_id)
        task = get_task(run["task"])
        cuts = [_cut(connection, blobs, run_id, task, moment) for moment in (first, second)]
    arrays = [blobs.write_arrays(segment.to_arrays()) for segment, _ in cuts]
    if arrays[0] == arrays[1]:
        raise QueryError("both clips would show the same; pick two moments further apart.")
    truths = [None if paid is None else blobs.write_arrays({"true_rewards": paid}) for _, paid in cuts]
    order = generator(run["seed"], "picked", *sorted(arrays)).permutation(2)
    with writing(engine) as connection:
        waiting = queries.find_open_pair(connection, run_id, QueryKind.PICKED, arrays)
        if waiting is not None:
            return waiting
        ids = [segments.insert_segment(connection, run_id, cuts[i][0], arrays[i], truths[i]) for i in order]
        query_id = queries.insert_query(
            connection,
            run_id,
            left_id=ids[0],
            right_id=ids[1],
            kind=QueryKind.PICKED,
            score=None,
            predicted=None,
            policy_version=run["policy_version"],
            reward_version=run["reward_version"],
        )
        jobs.enqueue(connection, run_id, JobKind.RENDER, query_id)
        message = "A researcher picked moments of recordings: they are asked about next."
        runs.add_event(connection, run_id, run["steps"], "picked", message)
    return query_id


def _cut(
    connection: sa.Connection, blobs: Blobs, run_id: str, task: Task, moment: Moment
) -> tuple[Segment, Float64 | None]:
    """Return the segment around a moment, as long as those of all queries, and what its steps paid."""
    row = segments.get_segment_row(connection, moment.segment_id)
    if row["run_id"] != run_id:
        raise NotFoundError(f"run {run_id} has no recording {moment.segment_id!r}.")
    recorded = segments.load_segment(connection, blobs, moment.segment_id)
    last = recorded.num_steps // task.frame_skip
    if not 0 <= moment.frame <= last:
        raise QueryError(f"the recording has no frame {moment.frame}; it has those from 0 to {last}.")
    terminated = demonstrations.ended_by_itself(connection, moment.segment_id)
    if terminated is None:  # a policy's, which acts to the horizon if it can
        terminated = recorded.num_real_steps < task.horizon
    step, length = moment.frame * task.frame_skip, task.segment_steps
    segment = part_around(recorded, step, length, task.horizon, terminated=terminated)
    paid = segments.find_true_rewards(connection, blobs, moment.segment_id)
    if paid is None:
        return segment, None
    true_rewards = np.zeros(length)  # none in absorbing steps
    start = segment.replay.start - recorded.replay.start
    true_rewards[: segment.num_real_steps] = paid[start : start + segment.num_real_steps]
    return segment, true_rewards
