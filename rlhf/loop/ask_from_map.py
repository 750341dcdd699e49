"""Behaviour that somebody points at on the map -> queries about it that are asked next.

Each shows something of it, beside more of it or beside anything else on the map, and is what the ensemble
agrees least about among such pairs. Needs no torch: the map holds what every member thinks of its points.
"""

import dataclasses
import re
from collections.abc import Sequence

import numpy as np
import sqlalchemy as sa

from rlhf.errors import FeedbackError
from rlhf.experience.segments import part_of
from rlhf.loop.behaviour_map import BehaviourMap
from rlhf.queries.batch import look_alike
from rlhf.queries.config import QueryConfig
from rlhf.queries.diversity import describe_motion
from rlhf.reward.answer_model import AnswerModel
from rlhf.seeding import generator
from rlhf.storage import jobs, queries, runs, segments
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading, writing
from rlhf.types.experience import Float32, Int64, Segment
from rlhf.types.feedback import QueryKind
from rlhf.types.run import JobKind

MOST_QUERIES = 20
"""Asked at once, at most."""
_CANDIDATES = 2000
_READS = 6
"""Stored segments that are read for each query wanted, about."""
_MAX_ASKED = 5000
_PIECE = re.compile(r"([0-9a-zA-Z_-]{1,64}):([0-9]{1,9})")


@dataclasses.dataclass(frozen=True)
class Piece:
    """A stretch of behaviour as long as a question shows."""

    segment_id: str
    """The stored segment that holds it, or is it."""
    start: int
    """First step within that."""

    @classmethod
    def parse(cls, text: object) -> "Piece":
        """Return what ``<segment>:<first step>`` names.

        Raises:
            FeedbackError: it names nothing.
        """
        found = _PIECE.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise FeedbackError("a piece of behaviour is named <segment>:<first step>.")
        return cls(found[1], int(found[2]))


def ask_from_map(
    engine: sa.Engine,
    blobs: Blobs,
    run_id: str,
    drawn: BehaviourMap,
    pieces: Sequence[Piece],
    count: int,
) -> int:
    """Put up to ``count`` queries about some of a map's points before all others; return how many.

    Fewer where there are no more pairs that people could tell apart.

    Args:
        engine: the store's database.
        blobs: the store's files.
        run_id: the run.
        drawn: its map.
        pieces: points of it; those that it does not hold any more are passed over.
        count: 1 to ``MOST_QUERIES``.

    Raises:
        FeedbackError: ``count`` is out of range, or the map holds none of the pieces.
        NotFoundError: there is no such run.
    """
    if not 1 <= count <= MOST_QUERIES:
        raise FeedbackError(f"{count} questions cannot be asked at once; 1 to {MOST_QUERIES} can.")
    chosen = _points_of(drawn, pieces)
    if not len(chosen):
        raise FeedbackError("none of the chosen behaviour is on the map any more; choose some again.")
    with reading(engine) as connection:
        run = runs.get_run(connection, run_id)
        num_picked = queries.count_of_kind(connection, run_id, QueryKind.PICKED)
        asked = {frozenset(pair) for pair in queries.list_asked_pairs(connection, run_id, _MAX_ASKED)}
    reader = _Reader(engine, blobs, drawn)
    pairs, probs = _candidates(drawn, chosen, generator(run["seed"], "picked", num_picked))
    taken = _take(reader, pairs, asked, count)
    predicted = [None if probs is None else float(probs[:, row].mean()) for row in taken]
    _publish(reader, run, [pairs[row].tolist() for row in taken], predicted)
    return len(taken)


def _points_of(drawn: BehaviourMap, pieces: Sequence[Piece]) -> Int64:
    """Return the points of the map that the pieces are, without repeats."""
    wanted = {(piece.segment_id.encode(), piece.start) for piece in pieces}
    is_wanted = np.isin(drawn.segment_id, np.array([name for name, _ in wanted] or [b""], np.bytes_))
    near = np.flatnonzero(is_wanted)
    return near[[(drawn.segment_id[i], drawn.start[i]) in wanted for i in near.tolist()]]


def _candidates(drawn: BehaviourMap, chosen: Int64, rng: np.random.Generator) -> tuple[Int64, Float32 | None]:
    """Return random pairs (B, 2) with a chosen point each, best first, and each member's P(left), (M, B)."""
    first = rng.choice(chosen, _CANDIDATES)
    is_within = rng.random(_CANDIDATES) < 0.5 if len(chosen) > 1 else np.zeros(_CANDIDATES, np.bool_)
    second = np.where(is_within, rng.choice(chosen, _CANDIDATES), rng.integers(len(drawn), size=_CANDIDATES))
    pairs = rng.permuted(np.stack([first, second], axis=1), axis=1)
    _, kept = np.unique(np.sort(pairs, axis=1), axis=0, return_index=True)
    pairs = pairs[rng.permutation(kept)]
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    if not drawn.facts.answer_model:
        return pairs, None
    model = AnswerModel.from_dict(drawn.facts.answer_model)
    returns = drawn.returns.astype(np.float64)
    probs = model.prob_first(returns[:, pairs[:, 0]] - returns[:, pairs[:, 1]]).astype(np.float32)
    order = np.argsort(-probs.std(axis=0), kind="stable")
    return pairs[order], probs[:, order]


def _take(reader: "_Reader", pairs: Int64, asked: set[frozenset[str]], count: int) -> list[int]:
    """Return rows of the first pairs that are new and can be told apart, no point in two of them."""
    limit, taken, used = QueryConfig().look_alike_distance, list[int](), set[int]()
    for row in range(len(pairs)):
        points = set(pairs[row].tolist())
        if len(taken) == count or reader.num_read > _READS * count:
            break
        if points & used or frozenset(map(reader.stored_id, points)) in asked:
            continue
        motions = np.stack([reader.motion(point) for point in points])
        if not look_alike(motions, np.array([[0, 1]], np.int64), limit)[0]:
            used |= points
            taken.append(row)
    return taken


class _Reader:
    """Reads points of a map, each stored segment once."""

    def __init__(self, engine: sa.Engine, blobs: Blobs, drawn: BehaviourMap) -> None:
        self.engine, self.blobs, self._drawn = engine, blobs, drawn
        self._whole: dict[str, Segment] = {}

    @property
    def num_read(self) -> int:
        """How many stored segments were read."""
        return len(self._whole)

    def stored_id(self, point: int) -> str:
        """Return the id of the segment that holds a point."""
        return str(self._drawn.segment_id[point].decode())

    def is_whole(self, point: int) -> bool:
        """Whether a point is all of its stored segment."""
        return self._read(self.stored_id(point)).num_steps == self._drawn.facts.length

    def segment(self, point: int) -> Segment:
        """Return a point's behaviour."""
        whole = self._read(self.stored_id(point))
        return part_of(whole, int(self._drawn.start[point]), self._drawn.facts.length)

    def motion(self, point: int) -> Float32:
        """Return what a point looks like, as ``queries.diversity.standardise`` would."""
        segment = self.segment(point)
        row = describe_motion(segment.observations, segment.absorbing)[None]
        motion: Float32 = self._drawn.projection.standardised(row)[0] / np.float32(np.sqrt(row.size))
        return motion

    def _read(self, segment_id: str) -> Segment:
        if segment_id not in self._whole:
            with reading(self.engine) as connection:
                self._whole[segment_id] = segments.load_segment(connection, self.blobs, segment_id)
        return self._whole[segment_id]


def _publish(
    reader: _Reader, run: sa.RowMapping, pairs: Sequence[Sequence[int]], predicted: Sequence[float | None]
) -> None:
    """Store windows of episodes as segments of their own, then the queries, in one transaction."""
    points = [point for pair in pairs for point in pair]
    cut = {point: reader.segment(point) for point in points if not reader.is_whole(point)}
    arrays = {point: reader.blobs.write_arrays(segment.to_arrays()) for point, segment in cut.items()}
    with writing(reader.engine) as connection:
        ids = {point: reader.stored_id(point) for point in points} | {
            # Without true rewards, which the episodes do not have either: only people are asked.
            point: segments.insert_segment(connection, run["id"], segment, arrays[point], None)
            for point, segment in cut.items()
        }
        for (left, right), probability in zip(pairs, predicted, strict=True):
            query_id = queries.insert_query(
                connection,
                run["id"],
                left_id=ids[left],
                right_id=ids[right],
                kind=QueryKind.PICKED,
                score=None,
                predicted=probability,
                policy_version=run["policy_version"],
                reward_version=run["reward_version"],
            )
            jobs.enqueue(connection, run["id"], JobKind.RENDER, query_id)
        if pairs:
            message = f"A researcher pointed at behaviour on the map: {len(pairs)} pairs are asked next."
            runs.add_event(connection, run["id"], run["steps"], "picked", message)
