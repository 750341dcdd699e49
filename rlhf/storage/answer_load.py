"""Adds rows that were read from a file to a run, each once; ids that another run has are made anew.

A new id follows from the run and the old id, so that the same file read twice finds what it added before.
"""

import hashlib
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from rlhf.errors import FeedbackError
from rlhf.storage.answers import recount, searchable
from rlhf.storage.rankings import RANKING
from rlhf.storage.schema import (
    acts,
    annotators,
    answer_changes,
    answers,
    demonstrations,
    queries,
    rankings,
    ratings,
    segments,
)
from rlhf.types.feedback import Choice
from rlhf.types.people import ActKind

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
            self._insert(annotators.insert(), [row for row in part if row["id"] not in known])

    def segments(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add segments whose arrays are stored already."""
        self._add(segments, rows, lambda row: row)

    def demonstrations(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add demonstrations whose segments are there."""
        self._add(
            demonstrations,
            rows,
            lambda row: (
                row | {name: self._name("segments", row[name]) for name in ("segment_id", "origin_id")}
            ),
        )

    def queries(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add queries between segments of this run, each after the one that it shows again."""
        self._add(
            queries,
            rows,
            lambda row: row | self._sides(row) | {"again": self._name("queries", row["again"])},
        )

    def changes(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add acts of researchers, each after those that it reverts."""
        self._add(
            answer_changes,
            rows,
            lambda row: row | {"reverts": self._name("answer_changes", row["reverts"])},
        )

    def acts(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add decisions about people and pairs, but none older than what the run has of the same kind.

        The one added last holds, so an older one would take the place of a newer one.
        """
        latest = sa.select(acts.c.kind, acts.c.subject, sa.func.max(acts.c.at))
        latest = latest.where(acts.c.run_id == self._run_id).group_by(acts.c.kind, acts.c.subject)
        until = {(kind, subject): at for kind, subject, at in self._connection.execute(latest)}
        new = []
        for row in rows:
            is_query = row["kind"] is ActKind.GOLD
            subject = self._name("queries", row["subject"]) if is_query else row["subject"]
            if row["at"] > until.get((row["kind"], subject), -math.inf):
                new.append(row | {"subject": subject, "run_id": self._run_id})
        self._insert(acts.insert(), new)

    def rankings(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add rankings of segments of this run; the answers that name them come after."""
        self._add(rankings, rows, self._ranking, column="key")

    def ratings(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add ratings in the order they came, each after the one that it supersedes.

        Raises:
            FeedbackError: two ratings of one clip by one person would stand.
        """
        insert = ratings.insert().values(supersedes=_id_of_key(ratings))
        self._add(ratings, rows, self._rating, column="key", insert=insert)
        self._check_one_stands(ratings, ratings.c.is_undo, "segment_id", "rating of clip")

    def answers(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add answers in the order they came, each after the one that it supersedes.

        Raises:
            FeedbackError: two answers of one person to one pair would stand.
        """
        asked = queries.alias("asked")
        kind = sa.select(asked.c.kind).where(asked.c.id == sa.bindparam("b_query"))
        insert = answers.insert().values(supersedes=_id_of_key(answers), query_kind=kind.scalar_subquery())
        self._add(answers, rows, self._answer, column="key", insert=insert)
        self._check_one_stands(answers, answers.c.choice == Choice.UNDO, "query_id", "answer to pair")
        recount(self._connection, self._run_id)

    def _ranking(self, row: dict[str, Any]) -> dict[str, Any]:
        return row | {"order": [self._name("segments", segment) for segment in row["order"]]}

    def _rating(self, row: dict[str, Any]) -> dict[str, Any]:
        return {
            **{name: value for name, value in row.items() if name != "supersedes"},
            "query_id": self._name("queries", row["query_id"]),
            "segment_id": self._name("segments", row["segment_id"]),
            "b_supersedes": self._name("ratings", row["supersedes"]),
        }

    def _answer(self, row: dict[str, Any]) -> dict[str, Any]:
        query_id, details = self._name("queries", row["query_id"]), row["details"]
        if RANKING in details:
            details = details | {RANKING: self._name("rankings", details[RANKING])}
        return {
            **{name: value for name, value in row.items() if name != "supersedes"},
            **self._sides(row),
            "query_id": query_id,
            "change_id": self._name("answer_changes", row["change_id"]),
            "details": details,
            "search_text": searchable(details),
            "b_supersedes": self._name("answers", row["supersedes"]),
            "b_query": query_id,
        }

    def _add(
        self,
        table: sa.Table,
        rows: Iterable[dict[str, Any]],
        refer: Callable[[dict[str, Any]], dict[str, Any]],
        *,
        column: str = "id",
        insert: sa.Insert | None = None,
    ) -> None:
        """Add rows, with what they name as it is called here; ``column`` tells them apart."""
        for part in _portions(rows):
            known = self._known(table.c[column], [row[column] for row in part])
            new = []
            for row in part:
                if (name := self._claim(table.name, row[column], known)) is not None:
                    new.append(refer(row) | {column: name, "run_id": self._run_id})
            self._insert(table.insert() if insert is None else insert, new)

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

    def _insert(self, insert: sa.Insert, rows: list[dict[str, Any]]) -> None:
        if rows:
            self._connection.execute(insert, rows)
        name = insert.table.name
        self.added[name] = self.added.get(name, 0) + len(rows)

    def _check_one_stands(
        self, table: sa.Table, is_undo: sa.ColumnElement[bool], subject: str, what: str
    ) -> None:
        newer = table.alias("newer")
        stands = ~sa.exists().where(newer.c.supersedes == table.c.id) & ~is_undo
        columns = (table.c.query_id, table.c.annotator_id, table.c[subject])
        query = sa.select(*columns).where(table.c.run_id == self._run_id, stands)
        query = query.group_by(*columns).having(sa.func.count() > 1).limit(1)
        found = self._connection.execute(query).mappings().first()
        if found is not None:
            raise FeedbackError(
                f"annotator {found['annotator_id']} has changed the {what} {found[subject]} both in the "
                "file and here, so it is not clear which one holds. Import into a new run instead."
            )


def _id_of_key(table: sa.Table) -> sa.ScalarSelect[Any]:
    """Select the number of the row with the key ``b_supersedes``."""
    earlier = table.alias("earlier")
    return sa.select(earlier.c.id).where(earlier.c.key == sa.bindparam("b_supersedes")).scalar_subquery()


def _portions(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    iterator = iter(rows)
    while part := list(itertools.islice(iterator, _AT_ONCE)):
        yield part
