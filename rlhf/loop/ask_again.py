"""Answers -> a few questions about the person: an earlier pair once more, or one whose answer is known.

A repeat shows the pair with its sides changed, so that it measures consistency and side bias at once, and
only after so many others that it has left the strip of earlier answers. It is a query of its own: the first
answer stands beside the second. Both are learned from, as real answers: the ensemble's members keep or leave
out all answers about a pair together, so none is tested on what it knows. It carries no prediction, so that
it never counts as foreseen. What the browser gets of a control question looks like any other pair.
"""

import numpy as np
import sqlalchemy as sa

from rlhf.queries.config import QueryConfig
from rlhf.seeding import generator
from rlhf.storage import acts, answers, queries
from rlhf.types.feedback import Choice, QueryKind
from rlhf.types.people import ActKind
from rlhf.types.run import QueryStatus

REPEAT_AFTER = 20
"""Answers of the same person between a pair and its repeat, at least."""
_MOST_REPEATABLE = 200
"""Latest of the older answers that one is drawn from: clips of long ago show behaviour that nobody has any
more."""


def ask_again(connection: sa.Connection, run: sa.RowMapping, annotator_id: str) -> None:
    """Put a control question into a person's queue if chance says so; at most one waits at a time.

    The chance hangs on the person's newest answer, so asking twice does not ask for more.

    Args:
        connection: of a write transaction.
        run: the run's row.
        annotator_id: the person.
    """
    newest = answers.last_id_of(connection, run["id"], annotator_id)
    if newest == 0:
        return
    rng = generator(run["seed"], "controls", annotator_id, newest)
    repeat_share, gold_share = _shares(run)
    drawn = rng.random()
    if drawn >= repeat_share + gold_share:
        return
    asked = queries.list_controls(connection, run["id"], annotator_id)
    if any(row["status"] is QueryStatus.READY for row in asked):
        return
    known = {row["again"] for row in asked}
    if drawn < repeat_share:
        _repeat(connection, run, annotator_id, known, rng)
    else:
        _ask_gold(connection, run, annotator_id, known, rng)


def count_consistent(
    connection: sa.Connection, run_id: str, annotator_id: str, every: int
) -> tuple[int, int]:
    """Return how many of a person's repeats were answered as at first, and of how many.

    Only full groups of ``every`` repeats are counted, so that the figures do not give away which pair it was.
    """
    asked = queries.list_controls(connection, run_id, annotator_id)
    pairs = {row["id"]: row["again"] for row in asked if row["kind"] is QueryKind.REPEAT}
    if len(pairs) < every:
        return 0, 0
    rows = answers.standing_of(connection, annotator_id, {*pairs, *pairs.values()})
    said = {row["query_id"]: row for row in rows if row["choice"] is not Choice.SKIP}
    same = [
        preferred(said[repeat]) == preferred(said[first])
        for repeat, first in pairs.items()
        if repeat in said and first in said
    ]
    same = same[: len(same) // every * every]
    return sum(same), len(same)


def preferred(answer: sa.RowMapping) -> str | None:
    """Return the id of the segment that an answer prefers, whatever side it was on; None for equal."""
    sides = {Choice.LEFT: answer["left_id"], Choice.RIGHT: answer["right_id"]}
    return sides.get(answer["choice"])


def _shares(run: sa.RowMapping) -> tuple[float, float]:
    """Return the settings of a run; the defaults before its trainer has written them down."""
    stored, default = (run["config"] or {}).get("queries", {}), QueryConfig()
    repeats = stored.get("repeat_share", default.repeat_share)
    return float(repeats), float(stored.get("gold_share", default.gold_share))


def _repeat(
    connection: sa.Connection,
    run: sa.RowMapping,
    annotator_id: str,
    known: set[str | None],
    rng: np.random.Generator,
) -> None:
    older = answers.list_repeatable(
        connection, run["id"], annotator_id, after=REPEAT_AFTER, limit=_MOST_REPEATABLE
    )
    older = [row for row in older if row["query_id"] not in known]
    if older:
        row = older[int(rng.integers(len(older)))]
        sides = (row["right_id"], row["left_id"])  # as this person saw them, changed over
        _insert(connection, run, QueryKind.REPEAT, sides, row["query_id"], annotator_id)


def _ask_gold(
    connection: sa.Connection,
    run: sa.RowMapping,
    annotator_id: str,
    known: set[str | None],
    rng: np.random.Generator,
) -> None:
    marked = acts.holding(connection, run["id"], ActKind.GOLD)
    gold = [query_id for query_id, choice in marked.items() if choice is not None and query_id not in known]
    seen = {row["query_id"] for row in answers.standing_of(connection, annotator_id, gold)}
    new = [query_id for query_id in gold if query_id not in seen]
    if new:
        query = queries.get_query(connection, new[int(rng.integers(len(new)))])
        sides = (query["left_id"], query["right_id"])
        if rng.random() < 0.5:
            sides = (query["right_id"], query["left_id"])
        _insert(connection, run, QueryKind.GOLD, sides, query["id"], annotator_id)


def _insert(
    connection: sa.Connection,
    run: sa.RowMapping,
    kind: QueryKind,
    sides: tuple[str, str],
    again: str,
    annotator_id: str,
) -> None:
    """Add a control question; its clips are there, and its versions are the present ones, as of any pair."""
    query_id = queries.insert_query(
        connection,
        run["id"],
        left_id=sides[0],
        right_id=sides[1],
        kind=kind,
        score=None,
        predicted=None,
        policy_version=run["policy_version"],
        reward_version=run["reward_version"],
        asked_of=annotator_id,
        again=again,
    )
    queries.set_status(connection, query_id, QueryStatus.READY)
