"""A saved policy -> an episode of it from a start of choice, such as a demonstration's, to be watched."""

import dataclasses

import sqlalchemy as sa

from rlhf.experience.recording import EpisodeRecorder, Start
from rlhf.experience.tasks import get_task
from rlhf.loop.report import acts_by_mean
from rlhf.policy.snapshot import PolicySnapshot
from rlhf.seeding import generator
from rlhf.storage import models, runs, segments
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading, writing


def record_replay(engine: sa.Engine, blobs: Blobs, replay_id: str) -> str | None:
    """Record the episode that was asked for, and store it; return the id of its segment.

    Doing it again gives the same episode. None where it is not wanted any more, as its policy was dropped.
    """
    with reading(engine) as connection:
        replay = models.get_replay(connection, replay_id)
        if replay is None:
            return None
        run_id, version = replay["run_id"], replay["policy_version"]
        task = get_task(runs.get_run(connection, run_id)["task"])
        row = models.get_policy_version(connection, run_id, version)
    recorder = EpisodeRecorder(task, Start(reset_seed=replay["reset_seed"]))
    try:
        policy = PolicySnapshot.from_arrays(blobs.read_arrays(row["arrays"])[0], recorder.action_space)
        by_mean, rng = acts_by_mean(recorder.action_space), generator(replay["reset_seed"], "replay", version)
        while recorder.steps_left:
            actions, _ = policy.act(recorder.observation[None], rng, deterministic=by_mean)
            recorder.step(actions[0])
        segment = dataclasses.replace(recorder.segment(), policy_version=version)
        true_rewards = recorder.true_rewards
    finally:
        recorder.close()
    arrays = blobs.write_arrays(segment.to_arrays())
    truth = blobs.write_arrays({"true_rewards": true_rewards}) if task.has_true_reward else None
    with writing(engine) as connection:
        segment_id = segments.insert_segment(connection, run_id, segment, arrays, truth)
        models.set_replay(connection, replay_id, segment_id)
    return segment_id
