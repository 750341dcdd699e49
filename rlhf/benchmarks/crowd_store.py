"""The store under a crowd: a run whose pairs never run out, and what became of the answers."""

import functools
import threading
from collections.abc import Collection

import numpy as np
import sqlalchemy as sa

from rlhf.config import PROJECT_ROOT
from rlhf.seeding import generator
from rlhf.storage import queries, runs
from rlhf.storage import segments as stored_segments
from rlhf.storage.answers import standing_answers
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading, writing
from rlhf.storage.schema import answers
from rlhf.storage.schema import queries as queries_table
from rlhf.types.experience import Replay, Segment
from rlhf.types.feedback import QueryKind
from rlhf.types.run import QueryStatus, RunState

_SEGMENTS = 64
_AHEAD = 8
"""Pairs kept drawn for each person; their browsers hold six."""
_PAUSE_S = 0.25


class Supply:
    """Puts drawn pairs into a run as fast as they are answered, as trainer and renderer would."""

    def __init__(
        self, engine: sa.Engine, run_id: str, segments: list[str], people: int, overlap: float, seed: int
    ) -> None:
        """Supply pairs of these segments to so many people, a share of the pairs for two of them."""
        self.engine, self.run_id, self.segments = engine, run_id, segments
        self.wanted = _AHEAD * people
        self.overlap = overlap
        self.rng = generator(seed, "supply")

    def keep_up(self, stop: threading.Event) -> None:
        """Go on until told to stop."""
        while not stop.wait(_PAUSE_S):
            self.top_up()

    def top_up(self) -> None:
        """Add as many pairs as are missing."""
        with reading(self.engine) as connection:
            ready = queries.count_by_status(connection, self.run_id, (QueryStatus.READY,))
        missing = self.wanted - ready.get(QueryStatus.READY, 0)
        if missing <= 0:
            return
        with writing(self.engine) as connection:
            for _ in range(missing):
                left, right = self.rng.choice(len(self.segments), 2, replace=False)
                query_id = queries.insert_query(
                    connection,
                    self.run_id,
                    left_id=self.segments[left],
                    right_id=self.segments[right],
                    kind=QueryKind.ACTIVE,
                    score=0.5,
                    predicted=0.5,
                    policy_version=1,
                    reward_version=1,
                    wanted_answers=2 if self.rng.random() < self.overlap else 1,
                )
                queries.set_status(connection, query_id, QueryStatus.READY)


def make_run(engine: sa.Engine, blobs: Blobs) -> tuple[str, list[str]]:
    """Add a going run and drawn segments, all with a clip of the program's own; return their ids."""
    clip = blobs.write((PROJECT_ROOT / "data/previews/pendulum-swingup.mp4").read_bytes(), "mp4")
    poster = blobs.write(b"", "png")
    segment = Segment(
        observations=np.zeros((2, 3), np.float32),
        actions=np.zeros((1, 1), np.float32),
        absorbing=np.zeros(1, np.bool_),
        policy_version=1,
        replay=Replay(reset_seed=0, start=0, sim_states=np.zeros((2, 2))),
    )
    arrays = blobs.write_arrays(segment.to_arrays())
    with writing(engine) as connection:
        run_id = runs.insert_run(
            connection,
            task="pendulum-swingup",
            goal="Swing the pendulum up and hold it",
            seed=0,
            teacher=None,
            overrides={},
            total_steps=10**9,
        )
        runs.update_run(connection, run_id, state=RunState.RUNNING, wanted=RunState.RUNNING)
        add = functools.partial(stored_segments.insert_segment, connection, run_id, segment, arrays, None)
        ids = [add() for _ in range(_SEGMENTS)]
        for one in ids:
            stored_segments.set_clip(
                connection, one, clip=clip, poster=poster, fps=30.0, frames=60, ended_at_frame=None
            )
    return run_id, ids


def judge(engine: sa.Engine, run_id: str, sent: Collection[str]) -> dict[str, int]:
    """Count what went wrong with the answers that were sent, and the overlap.

    Returns:
        ``lost``: keys sent that are not stored. ``doubled``: answers that stand beside another of the same
        person to the same pair, or are stored more often than sent. ``planned_overlap``: pairs for two
        people. ``answered_by_two``: those that two have answered. ``beyond_overlap``: pairs that more people
        answered than were to.
    """
    with reading(engine) as connection:
        keys = list(connection.scalars(sa.select(answers.c.key).where(answers.c.run_id == run_id)))
        given = [(row["query_id"], row["annotator_id"]) for row in standing_answers(connection, run_id)]
        columns = (queries_table.c.id, queries_table.c.wanted_answers)
        asked = connection.execute(sa.select(*columns).where(queries_table.c.run_id == run_id))
        wanted = {row.id: row.wanted_answers for row in asked}
    by_query: dict[str, int] = {}
    for query_id, _ in set(given):
        by_query[query_id] = by_query.get(query_id, 0) + 1
    return {
        "lost": len(set(sent) - set(keys)),
        "doubled": len(given) - len(set(given)) + len(keys) - len(set(keys) & set(sent)),
        "planned_overlap": sum(number > 1 for number in wanted.values()),
        "answered_by_two": sum(by_query.get(query_id, 0) > 1 for query_id in wanted),
        "beyond_overlap": sum(number > wanted[query_id] for query_id, number in by_query.items()),
    }
