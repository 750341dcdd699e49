"""A comparison that somebody ordered, of sources or of ways to start from one -> what pages show of it."""

import dataclasses
from collections.abc import Callable

import sqlalchemy as sa

from rlhf.errors import JobStoppedError, NotFoundError
from rlhf.loop.note_progress import progress_noted
from rlhf.loop.order_ranking import RankConfig, parse_reward
from rlhf.loop.rank_sources import rank_sources
from rlhf.storage import source_rankings
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading, writing

_SEED = 0


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

    def note(connection: sa.Connection, done: int, in_all: int, text: str) -> bool:
        return source_rankings.note_progress(connection, ranking_id, done, in_all, text)

    found = rank_sources(
        engine,
        blobs,
        row["target"],
        RankConfig(**settings),
        seed=_SEED,
        progress=progress_noted(engine, note, check, what="the comparison of sources"),
        reward_from=reward_from,
    )
    with writing(engine) as connection:
        try:
            source_rankings.finish_ranking(
                connection, ranking_id, [dataclasses.asdict(source) for source in found]
            )
        except NotFoundError as error:
            raise JobStoppedError(str(error)) from error
