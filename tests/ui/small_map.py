"""Maps of behaviour made by hand, for tests of what shows them."""

from collections.abc import Sequence

import numpy as np
import sqlalchemy as sa

from rlhf.evaluation.projection import Projection
from rlhf.loop.behaviour_map import BehaviourMap, Facts, PointSource, Verdict, write_map
from rlhf.reward.answer_model import AnswerModel
from rlhf.storage import maps
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading, writing

MOTION_SIZE = 9
"""Columns of ``describe_motion`` for the two observations of the segments of ``tests/conftest.py``."""


def small_map(
    segment_ids: Sequence[str],
    *,
    places: np.ndarray | None = None,
    returns: np.ndarray | None = None,
    length: int = 3,
    reward_version: int = 1,
) -> BehaviourMap:
    """Return a map with a point for each segment, in a row from left to right without ``places`` (P, 2).

    Two members return -P/2 to P/2 logits unless ``returns`` (M, P) are given.
    """
    number = len(segment_ids)
    line = np.linspace(-1, 1, number, dtype=np.float32)
    returns = np.stack([line, 2 * line]) * number / 2 if returns is None else returns
    answer_model = AnswerModel(noise=0.0, rationality=np.ones(1), side_bias=np.zeros(1))
    return BehaviourMap(
        facts=Facts(
            reward_version=reward_version,
            length=length,
            frame_skip=1,
            num_fitted=number,
            axis_names=("more speed", "less height"),
            answer_model=answer_model.to_dict() if reward_version else {},
            shows={"reward_version": reward_version},
        ),
        projection=Projection(
            mean=np.zeros(MOTION_SIZE, np.float32),
            sd=np.ones(MOTION_SIZE, np.float32),
            axes=np.eye(MOTION_SIZE, 2, dtype=np.float32),
            explained=np.array([0.5, 0.25], np.float32),
        ),
        segment_id=np.array([one.encode() for one in segment_ids], np.bytes_),
        start=np.zeros(number, np.int32),
        source=np.full(number, PointSource.QUERY, np.uint8),
        policy_version=np.arange(number, dtype=np.int32),
        place=np.stack([line, 0 * line], axis=1) if places is None else places.astype(np.float32),
        returns=returns.astype(np.float32),
        reward=returns.mean(axis=0).astype(np.float32),
        spread=returns.std(axis=0).astype(np.float32),
        verdict=np.full(number, Verdict.UNKNOWN, np.uint8),
    )


def store_map(engine: sa.Engine, blobs: Blobs, run_id: str, drawn: BehaviourMap) -> str:
    """Make a map the one that a run shows, up to date as it is, and return its id."""
    name = write_map(blobs, drawn)
    with reading(engine) as connection:
        shows = maps.what_there_is(connection, run_id)
    with writing(engine) as connection:
        number = len(drawn)
        maps.save_map(
            connection, run_id, arrays=name, draft=None, num_done=number, num_segments=number, shows=shows
        )
    return name.partition(".")[0]
