"""Recorded episodes -> store: what people and scripted experts show. Needs no torch."""

import dataclasses
import secrets

import sqlalchemy as sa

from rlhf.experience.recording import EpisodeRecorder, act_out
from rlhf.experience.tasks import get_task
from rlhf.seeding import generator
from rlhf.storage import demonstrations, jobs, runs, segments
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading, writing
from rlhf.types.demonstration import DemonstrationSource
from rlhf.types.run import JobKind


@dataclasses.dataclass(frozen=True, kw_only=True)
class Origin:
    """Which stored segment was taken over, and after how many steps of it."""

    segment_id: str
    step: int


def keep_demonstration(
    engine: sa.Engine,
    blobs: Blobs,
    run_id: str,
    recorder: EpisodeRecorder,
    *,
    annotator_id: str | None,
    origin: Origin | None = None,
) -> str:
    """Store what was recorded as a demonstration of a run, and have its clip drawn; return its id.

    Args:
        engine: the store's database.
        blobs: the store's files.
        run_id: whose demonstration it is.
        recorder: holds at least one step.
        annotator_id: the person who acted; None for a scripted expert.
        origin: what the person took over, if anything.

    Raises:
        TaskError: nothing was recorded.
        StorageError: it could not be written; nothing was.
    """
    segment = recorder.segment()
    arrays = blobs.write_arrays(segment.to_arrays())
    true_rewards = None
    if recorder.task.has_true_reward:
        true_rewards = blobs.write_arrays({"true_rewards": recorder.true_rewards})
    source = DemonstrationSource.PERSON if origin is None else DemonstrationSource.TAKEOVER
    with writing(engine) as connection:
        run = runs.get_run(connection, run_id)
        segment_id = segments.insert_segment(connection, run_id, segment, arrays, true_rewards)
        demonstration_id = demonstrations.insert_demonstration(
            connection,
            run_id,
            segment_id,
            source=DemonstrationSource.EXPERT if annotator_id is None else source,
            num_steps=segment.num_steps,
            terminated=recorder.terminated,
            annotator_id=annotator_id,
            origin_id=None if origin is None else origin.segment_id,
            origin_step=None if origin is None else origin.step,
        )
        who = "A scripted expert" if annotator_id is None else "A person"
        message = f"{who} showed an episode of {segment.num_steps} steps."
        runs.add_event(connection, run_id, run["steps"], "demonstration", message)
        jobs.enqueue(connection, run_id, JobKind.DRAW, segment_id)
    return demonstration_id


def demonstrate_by_expert(engine: sa.Engine, blobs: Blobs, run_id: str, num_episodes: int) -> list[float]:
    """Record episodes of the task's scripted expert into a run; return their true returns, for people.

    Every call shows other episodes.

    Raises:
        TaskError: the task has no scripted expert.
    """
    with reading(engine) as connection:
        run = runs.get_run(connection, run_id)
        shown = len(demonstrations.list_demonstrations(connection, run_id))
    task = get_task(run["task"])
    seeds = generator(run["seed"], "demonstrations", shown).integers(2**31, size=num_episodes)
    returns = []
    for seed in seeds:
        recorder = act_out(task, int(seed))
        keep_demonstration(engine, blobs, run_id, recorder, annotator_id=None)
        returns.append(float(recorder.true_rewards.sum()))
        recorder.close()
    return returns


def new_seed() -> int:
    """Return the reset seed of an episode that a person is to act."""
    return secrets.randbelow(2**31)
