"""What rankings and ratings say of the order of segments, read for the reward model.

Both reach it only through answers that teach: a ranking while the answers of its pairs do, a rating as that
of somebody whose answers do.
"""

import dataclasses
from collections.abc import Sequence

import sqlalchemy as sa

from rlhf.feedback.targets import rated_pairs
from rlhf.storage import acts, queries, rankings, ratings
from rlhf.storage.rankings import RANKING
from rlhf.storage.ratings import RATINGS
from rlhf.types.feedback import NEVER_LEARNED, Choice


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ranked:
    """One ranking that counts."""

    annotator_id: str
    order: tuple[str, ...]
    """Segments, best first."""
    num_ranked: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Orders:
    """What a run's rankings and ratings add to its answers, and which answers they stand for."""

    rankings: tuple[Ranked, ...]
    replaced: frozenset[int]
    """Ids of answers that say nothing beside their ranking."""
    compared: tuple[tuple[str, str, str], ...]
    """(better segment, worse segment, annotator) of ratings across pairs."""


def read_orders(connection: sa.Connection, run_id: str, rows: Sequence[sa.RowMapping]) -> Orders:
    """Return what the rankings and ratings of a run say.

    Args:
        connection: to read with.
        run_id: whose.
        rows: the answers that teach; see ``storage.answers.standing_answers``.
    """
    found: list[Ranked] = []
    replaced: set[int] = set()
    by_key: dict[str, list[sa.RowMapping]] = {}
    for row in rows:
        if key := row["details"].get(RANKING):
            by_key.setdefault(key, []).append(row)
    stored = {ranking["key"]: ranking for ranking in rankings.list_rankings(connection, run_id)}
    measuring = queries.segments_that_measure(connection, run_id) if by_key else set()
    for key, parts in by_key.items():  # in the order they came, which an import keeps
        ranking = stored.get(key)
        if ranking is None or not measuring.isdisjoint(ranking["order"]):
            continue
        placed = set(ranking["order"][: ranking["num_ranked"]])
        sides = {part[side] for part in parts for side in ("left_id", "right_id")}
        # A pair of which nothing was placed has an answer that teaches nothing by itself.
        if not placed or not placed <= sides:
            continue
        replaced |= {part["id"] for part in parts}
        found.append(
            Ranked(
                annotator_id=parts[0]["annotator_id"],
                order=tuple(ranking["order"]),
                num_ranked=ranking["num_ranked"],
            )
        )
    return Orders(
        rankings=tuple(found),
        replaced=frozenset(replaced),
        compared=_compared(connection, run_id, {row["annotator_id"] for row in rows}),
    )


def _compared(connection: sa.Connection, run_id: str, people: set[str]) -> tuple[tuple[str, str, str], ...]:
    gold = acts.gold_queries(connection, run_id)
    given = [
        row
        for row in ratings.list_standing_ratings(connection, run_id)
        if row["annotator_id"] in people
        and not row["is_late"]
        and row["kind"] not in NEVER_LEARNED
        and row["query_id"] not in gold
        and not _is_overruled(row)
    ]
    pairs = rated_pairs(
        [row["rating"] for row in given],
        [row["annotator_id"] for row in given],
        [row["query_id"] for row in given],
    )
    return tuple(
        (given[better]["segment_id"], given[worse]["segment_id"], given[better]["annotator_id"])
        for better, worse in pairs
        if given[better]["segment_id"] != given[worse]["segment_id"]
    )


def _is_overruled(rating: sa.RowMapping) -> bool:
    """Whether what the ratings had said of their pair was set aside, or answered otherwise since."""
    choice = rating["pair_choice"]
    if choice is None:
        return False  # the other clip has yet to be rated
    if choice is Choice.UNDO:  # with the undo of a rating the other one stands; a researcher sets both aside
        return rating["pair_change_id"] is not None
    return RATINGS not in rating["pair_details"]
