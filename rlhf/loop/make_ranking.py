"""A comparison that somebody ordered, of sources or of ways to start from one -> what pages show of it."""

import dataclasses
import time
from collections.abc import Callable

import sqlalchemy as sa

from rlhf.errors import JobStoppedError, NotFoundError
from rlhf.loop.order_ranking import RankConfig, parse_reward
from rlhf.loop.rank_sources import rank_sources
from rlhf.storage import source_rankings
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading, writing

_SEED = 0
_SAY_S = 0.5
"""Seconds between two notes of how far it is, each of which also hears whether it is still wanted."""


def make_ranking(
    engine: sa.Engine, blobs: Blobs, ranking_id: str, check: Callable[[], None] = lambda: None
) -> None:
    """Compare and keep what is found.

    Args:
        engine: of the store.
        blobs: of the store.
        ranking_id: from ``order_ranking``.
        check: called often; ends the work by raising.

    Raises:
        JobStoppedError: somebody stopped it.
        NotFoundError: the reward that was to judge, or the policy, is no longer there.
    """
    with reading(engine) as connection:
        try:
            row = source_rankings.get_ranking(connection, ranking_id)
        except NotFoundError as error:
            raise JobStoppedError(str(error)) from error
    settings = dict(row["settings"])
    reward_from = parse_reward(settings.pop("reward_from"))
    said_at = -_SAY_S

    def progress(done: int, in_all: int, text: str) -> None:
        nonlocal said_at
        check()
        if time.monotonic() - said_at < _SAY_S:
            return
        said_at = time.monotonic()
        with writing(engine) as connection:
            if not source_rankings.note_progress(connection, ranking_id, done, in_all, text):
                raise JobStoppedError("the comparison of sources was stopped.")

    found = rank_sources(
        engine,
        blobs,
        row["target"],
        RankConfig(**settings),
        seed=_SEED,
        progress=progress,
        reward_from=reward_from,
    )
    with writing(engine) as connection:
        try:
            source_rankings.finish_ranking(
                connection, ranking_id, [dataclasses.asdict(source) for source in found]
            )
        except NotFoundError as error:
            raise JobStoppedError(str(error)) from error
