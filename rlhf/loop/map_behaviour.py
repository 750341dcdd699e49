"""Stored segments -> a map of behaviour: where each lies among the others, and what the reward says of it.

Works in short stretches, so that clips are drawn in between, and only on what is new: a point keeps its place
while the number of segments less than doubles, and its reward while the reward version stays.
"""

import dataclasses
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from rlhf.errors import NotFoundError
from rlhf.evaluation.projection import Projection, fit_projection, name_axes
from rlhf.experience.segments import part_of, window_starts
from rlhf.experience.tasks import get_task, spaces_of
from rlhf.loop.behaviour_map import BehaviourMap, Facts, PointSource, Verdict, read_map, write_map
from rlhf.queries.diversity import describe_motion, motion_names
from rlhf.reward.ensemble import RewardModel
from rlhf.reward.features import RewardInputs
from rlhf.seeding import generator
from rlhf.storage import answers, maps, models, runs
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading, writing
from rlhf.types.experience import Float32, Segment
from rlhf.types.feedback import Choice
from rlhf.types.task import ActionSpace, Task

MAX_SEGMENTS = 100_000
"""Newest segments of a run that are on its map; also how many of the latest answers are."""
STRETCH_S = 1.5
"""How long one call goes on reading segments: people may be waiting for clips."""
_BATCH = 32
"""Stored segments that are read and scored at once."""
_SAMPLE = 400
"""Stored segments that the projection is fitted to, at most."""
_REFIT_GROWTH = 2.0
_BLOBS = ("arrays", "draft")


def map_behaviour(engine: sa.Engine, blobs: Blobs, run_id: str, *, stretch_s: float = STRETCH_S) -> bool:
    """Go on making the map of a run; return whether it now shows all there is.

    The first map is shown while it grows; later ones take the place of the one before when they are done.
    """
    with reading(engine) as connection:
        run = runs.get_run(connection, run_id)
        task = get_task(run["task"])
        stored = maps.get_map(connection, run_id)
        sources = maps.list_sources(connection, run_id, least_steps=task.segment_steps, limit=MAX_SEGMENTS)
        now = maps.what_there_is(connection, run_id)
    shown, draft = (read_map(blobs, stored[name]) if stored and stored[name] else None for name in _BLOBS)
    grows = stored is None or stored["arrays"] == stored["draft"]
    reader = _Reader(engine, blobs, run, task)
    if draft is None or not reader.open_reward(draft.facts.reward_version):
        draft = reader.begin(shown, sources, now)
    if draft is None:
        return True
    draft, num_left = _go_on(reader, draft, sources, stretch_s)
    is_shown = grows or num_left == 0
    if is_shown:
        draft = dataclasses.replace(draft, verdict=_verdicts(engine, run_id, draft))
    name = write_map(blobs, draft)
    with writing(engine) as connection:
        forgotten = maps.save_map(
            connection,
            run_id,
            arrays=name if is_shown or stored is None else stored["arrays"],
            draft=name if num_left else None,
            num_done=len(sources) - num_left,
            num_segments=len(sources),
            shows=draft.facts.shows if is_shown or shown is None else shown.facts.shows,
        )
    for blob in forgotten:
        blobs.delete(blob)
    return num_left == 0


def _go_on(
    reader: "_Reader", draft: BehaviourMap, sources: Sequence[sa.RowMapping], stretch_s: float
) -> tuple[BehaviourMap, int]:
    """Add points until the time is up; return the longer draft and how many segments are left."""
    end = time.perf_counter() + stretch_s
    known = set(draft.segment_id.tolist())
    left = [source for source in sources if source["id"].encode() not in known]
    added: list[BehaviourMap] = []
    while left and (not added or time.perf_counter() < end):
        added.append(reader.points(left[:_BATCH], draft))
        left = left[_BATCH:]
    return draft.joined(added), len(left)


class _Window(NamedTuple):
    stored_id: str
    start: int
    source: PointSource
    segment: Segment


class _Reader:
    """Reads the stored segments of one run, and scores them by one reward version."""

    def __init__(self, engine: sa.Engine, blobs: Blobs, run: sa.RowMapping, task: Task) -> None:
        self._engine, self._blobs, self._run, self._task = engine, blobs, run, task
        self._action_space: ActionSpace = spaces_of(task)[1]
        self._reward: RewardModel | None = None

    def open_reward(self, version: int) -> bool:
        """Score by this version from now on, by none if it is 0; return False if there is none like it."""
        self._reward = None
        if version == 0:
            return True
        try:
            with reading(self._engine) as connection:
                row = models.get_reward_version(connection, self._run["id"], version)
        except NotFoundError:  # the run went back to an earlier checkpoint
            return False
        self._reward = RewardModel.from_arrays(self._blobs.read_arrays(row["arrays"])[0])
        return True

    def begin(
        self, shown: BehaviourMap | None, sources: Sequence[sa.RowMapping], now: dict[str, int]
    ) -> BehaviourMap | None:
        """Return the draft of the next map: the one shown where it still holds, else one without points.

        None where there are not enough segments for a map.
        """
        version = self._run["reward_version"]
        version = version if self.open_reward(version) else 0
        if shown is not None and len(sources) < _REFIT_GROWTH * shown.facts.num_fitted:
            facts = dataclasses.replace(shown.facts, reward_version=version, shows=now)
            if shown.facts.reward_version == version:
                return dataclasses.replace(shown, facts=facts)
            facts = dataclasses.replace(facts, answer_model=self._answer_model())
            return self._empty(facts, shown.projection)
        rng = generator(self._run["seed"], "map")
        sample = rng.choice(len(sources), min(_SAMPLE, len(sources)), replace=False)
        segments = [window.segment for index in sample for window in self._windows(sources[index])]
        if len(segments) < 2:
            return None
        projection = fit_projection(_motions(segments))
        known, width = self._task.feature_names, segments[0].observations.shape[1]
        names = known if len(known) == width else [f"observation {index + 1}" for index in range(width)]
        facts = Facts(
            reward_version=version,
            length=self._task.segment_steps,
            frame_skip=self._task.frame_skip,
            num_fitted=len(sources),
            axis_names=name_axes(projection, motion_names(names)),
            answer_model=self._answer_model(),
            shows=now,
        )
        return self._empty(facts, projection)

    def points(self, sources: Sequence[sa.RowMapping], draft: BehaviourMap) -> BehaviourMap:
        """Return the points of some segments, under the draft's facts and projection."""
        windows = [window for source in sources for window in self._windows(source)]
        parts = [window.segment for window in windows]
        returns, rewards = self._score(parts)
        return dataclasses.replace(
            draft,
            segment_id=np.array([window.stored_id.encode() for window in windows], np.bytes_),
            start=np.array([window.start for window in windows], np.int32),
            source=np.array([window.source for window in windows], np.uint8),
            policy_version=np.array([part.policy_version for part in parts], np.int32),
            place=draft.projection(_motions(parts)),
            returns=returns,
            reward=rewards.mean(axis=0) if len(rewards) else np.zeros(len(parts), np.float32),
            spread=rewards.std(axis=0) if len(rewards) else np.zeros(len(parts), np.float32),
            verdict=np.full(len(parts), Verdict.UNKNOWN, np.uint8),
        )

    def _windows(self, source: sa.RowMapping) -> list[_Window]:
        """Return the windows of a stored segment; itself alone, if it is no longer than a question's."""
        whole = Segment.from_arrays(self._blobs.read_arrays(source["arrays"])[0])
        length = self._task.segment_steps
        kind = PointSource.QUERY if whole.num_steps == length else PointSource.REPLAY
        kind = kind if source["demonstration"] is None else PointSource.DEMONSTRATION
        return [
            _Window(source["id"], start, kind, part_of(whole, start, length))
            for start in window_starts(whole.num_steps, length)
        ]

    def _score(self, segments: Sequence[Segment]) -> tuple[Float32, Float32]:
        """Return each member's returns in logits and mean normalised rewards per step, (M, P) each."""
        if self._reward is None:
            return np.zeros((0, len(segments)), np.float32), np.zeros((0, len(segments)), np.float32)
        inputs = RewardInputs.of(self._reward.config, self._action_space)
        features = np.stack([inputs.segment(segment) for segment in segments])
        rewards = self._reward.member_rewards(features.reshape(-1, features.shape[-1]))
        per_step = rewards.reshape(len(rewards), *features.shape[:2])
        return self._reward.member_returns(features), per_step.mean(axis=-1)

    def _answer_model(self) -> dict[str, Any]:
        return {} if self._reward is None else self._reward.answer_model.to_dict()

    def _empty(self, facts: Facts, projection: Projection) -> BehaviourMap:
        members = 0 if self._reward is None else len(self._reward.gain)
        nothing = np.zeros(0)
        return BehaviourMap(
            facts=facts,
            projection=projection,
            segment_id=nothing.astype("S32"),
            start=nothing.astype(np.int32),
            source=nothing.astype(np.uint8),
            policy_version=nothing.astype(np.int32),
            place=np.zeros((0, 2), np.float32),
            returns=np.zeros((members, 0), np.float32),
            reward=nothing.astype(np.float32),
            spread=nothing.astype(np.float32),
            verdict=nothing.astype(np.uint8),
        )


def _motions(segments: Sequence[Segment]) -> Float32:
    return np.stack([describe_motion(segment.observations, segment.absorbing) for segment in segments])


def _verdicts(engine: sa.Engine, run_id: str, drawn: BehaviourMap) -> npt.NDArray[np.uint8]:
    """Return what the answers that stand say of each point, (P,)."""
    with reading(engine) as connection:
        rows = answers.standing_answers(connection, run_id, newest=MAX_SEGMENTS)
    lead: dict[bytes, int | None] = {}
    for row in rows:
        worth = {Choice.LEFT: 1, Choice.RIGHT: -1, Choice.EQUAL: 0}.get(row["choice"])
        for segment_id, sign in ((row["left_id"].encode(), 1), (row["right_id"].encode(), -1)):
            before = lead.get(segment_id)
            lead[segment_id] = before if worth is None else (before or 0) + sign * worth
    said = {one: _verdict(number) for one, number in lead.items()}
    found = [said.get(segment_id, Verdict.UNKNOWN) for segment_id in drawn.segment_id.tolist()]
    return np.array(found, np.uint8)


def _verdict(lead: int | None) -> Verdict:
    if lead is None:
        return Verdict.SKIPPED
    return Verdict.EQUAL if lead == 0 else Verdict.BETTER if lead > 0 else Verdict.WORSE
