"""Rankings: the order of the clips of two pairs. Whether one counts is up to its answers; see ``schema``."""

from collections.abc import Sequence

import sqlalchemy as sa

from rlhf.storage.schema import rankings

RANKING = "ranking"
"""Under this name the details of an answer hold the key of the ranking that it is of."""


def insert_ranking(
    connection: sa.Connection, run_id: str, key: str, order: Sequence[str], num_ranked: int
) -> None:
    """Add a ranking of segments, best first, of which the first ``num_ranked`` places were given."""
    connection.execute(
        rankings.insert().values(run_id=run_id, key=key, order=list(order), num_ranked=num_ranked)
    )


def list_rankings(connection: sa.Connection, run_id: str) -> list[sa.RowMapping]:
    """Return all rankings of a run, also those whose answers were taken back."""
    return list(connection.execute(sa.select(rankings).where(rankings.c.run_id == run_id)).mappings())
