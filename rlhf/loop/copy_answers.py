"""The answers of one run -> another run: rows of its own, with their history.

Undo, void and change work on the copies as on any answer, and what becomes of the originals does not touch
them. True rewards stay where they are. What a reward had foreseen of a pair is not copied: it was another
run's.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from rlhf.storage import answer_changes, answer_dump, schema
from rlhf.storage.answer_load import Loader
from rlhf.storage.portable import from_json
from rlhf.types.feedback import ChangeKind, QueryKind
from rlhf.types.run import QueryStatus

Rows = Iterator[dict[str, Any]]
_OF_ANOTHER_RUN = {"reward_version": 0, "policy_version": 0}


def copy_answers(source: sa.Connection, target: sa.Connection, source_id: str, run_id: str, by: str) -> int:
    """Copy answers with everything they refer to, but blind pairs of the source's policies; return how many.

    Args:
        source: reads.
        target: in a transaction; may be of the same database, but another connection.
        source_id: run whose answers are copied.
        run_id: run that gets them.
        by: for the log.
    """
    loader = Loader(target, run_id)
    clips = answer_dump.SEGMENT_COLUMNS + answer_dump.CLIP_COLUMNS
    blind = {
        row["id"]
        for row in answer_dump.dump_queries(source, source_id)
        if row["kind"] == QueryKind.WIN_RATE.value
    }
    loader.people(_rows(schema.annotators, answer_dump.dump_people(source, source_id)))
    loader.changes(_rows(schema.answer_changes, answer_dump.dump_changes(source, source_id)))
    shown = answer_dump.dump_segments(source, source_id, clips=True)
    loader.segments(_rows(schema.segments, ({name: row[name] for name in clips} for row in shown)))
    asked = _rows(schema.queries, answer_dump.dump_queries(source, source_id))
    loader.queries(_asked(row) for row in asked if row["id"] not in blind)
    loader.rankings(_rows(schema.rankings, answer_dump.dump_rankings(source, source_id)))
    ratings = _rows(schema.ratings, answer_dump.dump_ratings(source, source_id))
    loader.ratings(row for row in ratings if row["query_id"] not in blind)
    decided = _rows(schema.acts, answer_dump.dump_acts(source, source_id))
    loader.acts(row for row in decided if row["subject"] not in blind)
    given = _rows(schema.answers, answer_dump.dump_answers(source, source_id))
    loader.answers(row | _OF_ANOTHER_RUN for row in given if row["query_id"] not in blind)
    number = loader.added.get("answers", 0)
    change = answer_changes.insert_change(
        target, run_id, ChangeKind.IMPORT, by=by[:64], reason=f"from run {source_id}"
    )
    answer_changes.add_to_change(target, change, number)
    return number


def _asked(row: dict[str, Any]) -> dict[str, Any]:
    """Return a query that nobody waits for any more and that this run's reward has said nothing of."""
    is_open = row["status"] in (QueryStatus.READY, QueryStatus.RENDERING)
    status = QueryStatus.EXPIRED if is_open else row["status"]
    return row | _OF_ANOTHER_RUN | {"status": status, "predicted": None, "asked_of": None}


def _rows(table: sa.Table, dumped: Iterator[dict[str, Any]]) -> Rows:
    """Return rows as the table holds them; ``supersedes`` of an answer is the key of the earlier one."""
    for data in dumped:
        row, others = from_json(table, data, [name for name in data if name != "supersedes"])
        yield row | others
