"""Adds rows that were read from a file to a run, each once; ids that another run has are made anew.

A new id follows from the run and the old id, so that the same file read twice finds what it added before.
"""

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from rlhf.errors import FeedbackError
from rlhf.storage.answers import recount, searchable
from rlhf.storage.schema import annotators, answer_changes, answers, queries, segments
from rlhf.types.feedback import Choice

_AT_ONCE = 500


class Loader:
    """Adds rows to one run within one transaction; counts what was new."""

    def __init__(self, connection: sa.Connection, run_id: str) -> None:
        self._connection = connection
        self._run_id = run_id
        self._renamed: dict[tuple[str, str], str] = {}
        self.added: dict[str, int] = {}

    def people(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add annotators; one that is known already keeps its name."""
        for part in _portions(rows):
            known = set(self._find(annotators.c.id, [row["id"] for row in part]))
            self._insert(annotators, [row for row in part if row["id"] not in known])

    def segments(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add segments whose arrays are stored already."""
        self._add(segments, rows, lambda row: row)

    def queries(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add queries between segments of this run."""
        self._add(queries, rows, lambda row: row | self._sides(row))

    def changes(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add acts of researchers, each after those that it reverts."""
        self._add(
            answer_changes,
            rows,
            lambda row: row | {"reverts": self._name("answer_changes", row["reverts"])},
        )

    def answers(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add answers in the order they came, each after the one that it supersedes.

        Raises:
            FeedbackError: two answers of one person to one pair would stand.
        """
        earlier, asked = answers.alias("earlier"), queries.alias("asked")
        supersedes = sa.select(earlier.c.id).where(earlier.c.key == sa.bindparam("b_supersedes"))
        kind = sa.select(asked.c.kind).where(asked.c.id == sa.bindparam("b_query"))
        insert = answers.insert().values(
            supersedes=supersedes.scalar_subquery(), query_kind=kind.scalar_subquery()
        )
        for part in _portions(rows):
            known = self._known(answers.c.key, [row["key"] for row in part])
            new = []
            for row in part:
                key = self._claim("answers", row["key"], known)
                if key is not None:
                    new.append(self._answer(row, key))
            if new:
                self._connection.execute(insert, new)
                self._count("answers", len(new))
        self._check_one_stands()
        recount(self._connection, self._run_id)

    def _answer(self, row: dict[str, Any], key: str) -> dict[str, Any]:
        query_id = self._name("queries", row["query_id"])
        return {
            **{name: value for name, value in row.items() if name != "supersedes"},
            **self._sides(row),
            "key": key,
            "run_id": self._run_id,
            "query_id": query_id,
            "change_id": self._name("answer_changes", row["change_id"]),
            "search_text": searchable(row["details"]),
            "b_supersedes": self._name("answers", row["supersedes"]),
            "b_query": query_id,
        }

    def _add(
        self,
        table: sa.Table,
        rows: Iterable[dict[str, Any]],
        refer: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> None:
        for part in _portions(rows):
            known = self._known(table.c.id, [row["id"] for row in part])
            new = []
            for row in part:
                if (row_id := self._claim(table.name, row["id"], known)) is not None:
                    new.append(refer(row) | {"id": row_id, "run_id": self._run_id})
            self._insert(table, new)

    def _known(self, column: sa.Column[Any], ids: list[str]) -> dict[str, str]:
        """Return whose run each of these ids is, and of those they would be renamed to."""
        wanted = ids + [self._other(found) for found in ids]
        query = sa.select(column, column.table.c.run_id).where(column.in_(wanted))
        return {row[0]: row[1] for row in self._connection.execute(query)}

    def _claim(self, table: str, old: str, known: dict[str, str]) -> str | None:
        """Return under which id a row is to be added; None if this run has it already."""
        if known.get(old, self._run_id) == self._run_id:
            return None if old in known else old
        new = self._other(old)
        self._renamed[table, old] = new
        return None if new in known else new

    def _other(self, old: str) -> str:
        return hashlib.sha256(f"{self._run_id}/{old}".encode()).hexdigest()[:32]

    def _name(self, table: str, old: str | None) -> str | None:
        return None if old is None else self._renamed.get((table, old), old)

    def _sides(self, row: dict[str, Any]) -> dict[str, Any]:
        return {side: self._name("segments", row[side]) for side in ("left_id", "right_id")}

    def _find(self, column: sa.Column[Any], ids: list[str]) -> Iterator[str]:
        yield from self._connection.scalars(sa.select(column).where(column.in_(ids)))

    def _insert(self, table: sa.Table, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._connection.execute(table.insert(), rows)
        self._count(table.name, len(rows))

    def _count(self, table: str, number: int) -> None:
        self.added[table] = self.added.get(table, 0) + number

    def _check_one_stands(self) -> None:
        newer = answers.alias("newer")
        stands = ~sa.exists().where(newer.c.supersedes == answers.c.id) & (answers.c.choice != Choice.UNDO)
        query = sa.select(answers.c.query_id, answers.c.annotator_id).where(
            answers.c.run_id == self._run_id, stands
        )
        query = query.group_by(answers.c.query_id, answers.c.annotator_id).having(sa.func.count() > 1)
        found = self._connection.execute(query.limit(1)).first()
        if found is not None:
            raise FeedbackError(
                f"annotator {found.annotator_id} has changed the answer to pair {found.query_id} both in the "
                "file and here, so it is not clear which one holds. Import into a new run instead."
            )


def _portions(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    iterator = iter(rows)
    while part := list(itertools.islice(iterator, _AT_ONCE)):
        yield part
