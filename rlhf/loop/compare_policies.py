"""Saved policies -> blind pairs: the same stretch of two policies' episodes from the same start.

A pair looks like any other to whoever answers it, and no reward learns from the answer: what people say of
the progress is independent of what the reward believes. Each policy is compared with the one that was
compared last, so that however few comparisons there are, they lead from the first policy to the
newest.
"""

import numpy as np
import sqlalchemy as sa

from rlhf.experience.rollout import play_episodes
from rlhf.experience.segments import cut, num_starts
from rlhf.experience.tasks import get_task, spaces_of
from rlhf.loop.config import resolve
from rlhf.loop.report import acts_by_mean
from rlhf.policy.snapshot import PolicySnapshot
from rlhf.reward.ensemble import RewardModel
from rlhf.reward.features import RewardInputs
from rlhf.seeding import generator
from rlhf.storage import answers, jobs, models, queries, runs, segments
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading, writing
from rlhf.types.experience import Episode, Float64, Segment
from rlhf.types.feedback import QueryKind
from rlhf.types.run import JobKind
from rlhf.types.task import ActionSpace, Task

_MOST = 5
"""Pairs of the same two policies, at most."""
Played = tuple[Episode, Float64]
"""An episode and the true rewards of its steps."""
Shown = tuple[Segment, Float64]
"""A stretch of one and its true rewards, for teachers."""


def compare_policies(engine: sa.Engine, blobs: Blobs, run_id: str, version: int) -> int:
    """Ask about a saved policy beside an earlier one, as often as the share of such questions allows.

    Returns:
        How many pairs were asked; 0 where none is due or there is no earlier policy.
    """
    with reading(engine) as connection:
        run = runs.get_run(connection, run_id)
        task = get_task(run["task"])
        due = _num_due(connection, run, task)
        older = _compared_with(connection, run_id, version)
        newer = models.get_policy_version(connection, run_id, version)
    if due <= 0 or older is None:
        return 0
    rng = generator(run["seed"], "blind pairs", version)
    seed = int(rng.integers(2**31))
    space = spaces_of(task)[1]
    played = [_play(blobs, row, task, space, seed, min(due, _MOST)) for row in (older, newer)]
    pairs = [shown for both in zip(*played, strict=True) if (shown := _same_stretch(both, task, rng))]
    if pairs:
        _publish(engine, blobs, newer, pairs, _predicted(engine, blobs, newer, pairs, space), rng)
    return len(pairs)


def _num_due(connection: sa.Connection, run: sa.RowMapping, task: Task) -> int:
    share = resolve(task, run["overrides"]).queries.win_rate_share
    given = sum(answers.count_standing(connection, run["id"]).values())
    return int(share * given) - len(queries.list_win_rate_versions(connection, run["id"]))


def _compared_with(connection: sa.Connection, run_id: str, version: int) -> sa.RowMapping | None:
    """Return the policy compared last before ``version``, or the first one saved; None if there is none."""
    compared = set(queries.list_win_rate_versions(connection, run_id))
    earlier = [row for row in models.list_policy_versions(connection, run_id) if row["version"] < version]
    return next((row for row in reversed(earlier) if row["version"] in compared), next(iter(earlier), None))


def _play(
    blobs: Blobs, row: sa.RowMapping, task: Task, space: ActionSpace, seed: int, number: int
) -> list[Played]:
    policy = PolicySnapshot.from_arrays(blobs.read_arrays(row["arrays"])[0], space)
    by_mean = acts_by_mean(space)
    return list(zip(*play_episodes(task, policy, number, seed, deterministic=by_mean), strict=True))


def _same_stretch(both: tuple[Played, ...], task: Task, rng: np.random.Generator) -> tuple[Shown, ...] | None:
    """Return the same steps of two episodes, drawn from those that both reach; None if they are too short."""
    starts = min(num_starts(episode, task.segment_steps, task.horizon) for episode, _ in both)
    if not starts:
        return None
    start = int(rng.integers(starts))
    shown = []
    for episode, true_rewards in both:
        segment = cut(episode, start, task.segment_steps, task.horizon)
        paid = np.zeros(segment.num_steps)
        paid[: segment.num_real_steps] = true_rewards[start : start + segment.num_real_steps]
        shown.append((segment, paid))
    return tuple(shown)


def _predicted(
    engine: sa.Engine,
    blobs: Blobs,
    newer: sa.RowMapping,
    pairs: list[tuple[Shown, ...]],
    space: ActionSpace,
) -> list[float | None]:
    """Return P(newer preferred) of each pair by the reward that it had learned from; None without one."""
    if newer["reward_version"] == 0:
        return [None] * len(pairs)
    with reading(engine) as connection:
        row = models.get_reward_version(connection, newer["run_id"], newer["reward_version"])
    reward = RewardModel.from_arrays(blobs.read_arrays(row["arrays"])[0])
    inputs = RewardInputs.of(reward.config, space)
    features = [inputs.segment(segment) for pair in pairs for segment, _ in pair]
    index = 2 * np.arange(len(pairs))
    probs = reward.member_probs(reward.member_returns(np.stack(features)), index + 1, index)
    return [float(prob) for prob in probs.mean(axis=0)]


def _publish(
    engine: sa.Engine,
    blobs: Blobs,
    newer: sa.RowMapping,
    pairs: list[tuple[Shown, ...]],
    predicted: list[float | None],
    rng: np.random.Generator,
) -> None:
    """Store the clips as blobs, then the queries in one transaction, each side as often the newer one."""
    run_id = newer["run_id"]
    names = [
        [
            (blobs.write_arrays(segment.to_arrays()), blobs.write_arrays({"true_rewards": paid}))
            for segment, paid in pair
        ]
        for pair in pairs
    ]
    with writing(engine) as connection:
        for pair, blob_names, prob in zip(pairs, names, predicted, strict=True):
            ids = [
                segments.insert_segment(connection, run_id, segment, arrays, truth)
                for (segment, _), (arrays, truth) in zip(pair, blob_names, strict=True)
            ]
            is_swapped = rng.random() < 0.5  # the newer one is on the left
            query_id = queries.insert_query(
                connection,
                run_id,
                left_id=ids[is_swapped],
                right_id=ids[not is_swapped],
                kind=QueryKind.WIN_RATE,
                score=None,
                predicted=prob if is_swapped or prob is None else 1.0 - prob,
                policy_version=newer["version"],
                reward_version=newer["reward_version"],
            )
            jobs.enqueue(connection, run_id, JobKind.RENDER, query_id)
