"""People, the links that invite them, and the browsers they are signed in from.

Tokens come in as hashes only. Every time is given by the caller, in seconds since the epoch.
"""

import dataclasses
import uuid
from typing import Any

import sqlalchemy as sa

from rlhf.errors import NotFoundError
from rlhf.storage.schema import annotator_runs, annotators, invitations, sign_ins
from rlhf.types.people import Role


@dataclasses.dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody with a role, or without one yet."""

    person_id: str
    name: str
    role: Role | None
    runs: frozenset[str] | None
    """Runs they may label; None: all."""


def is_anybody_known(connection: sa.Connection) -> bool:
    """Whether anybody was ever invited or given a role: from then on everybody signs in."""
    invited = sa.exists().select_from(invitations)
    has_role = sa.exists().where(annotators.c.role.is_not(None))
    return bool(connection.scalar(sa.select(invited | has_role)))


def signed_in_person(connection: sa.Connection, token_hash: str, now: float) -> Person | None:
    """Return whom a cookie belongs to, or None where it is unknown or has run out."""
    query = (
        sa.select(annotators)
        .join(sign_ins, sign_ins.c.annotator_id == annotators.c.id)
        .where(sign_ins.c.token_hash == token_hash, sign_ins.c.expires_at > now)
    )
    row = connection.execute(query).mappings().first()
    return None if row is None else _person(connection, row)


def get_person(connection: sa.Connection, person_id: str) -> Person:
    """Return one person.

    Raises:
        NotFoundError: there is none with this id; a teacher is no person.
    """
    query = sa.select(annotators).where(annotators.c.id == person_id, ~annotators.c.is_teacher)
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFoundError(f"there is no person {person_id!r}; `python -m rlhf people list` shows them.")
    return _person(connection, row)


def is_nobodys(connection: sa.Connection, annotator_id: str) -> bool:
    """Whether these are the answers of somebody who never signed in, so that who gave them may claim them."""
    was_invited = sa.exists().where(annotator_runs.c.annotator_id == annotator_id)
    query = sa.select(annotators.c.id).where(
        annotators.c.id == annotator_id,
        ~annotators.c.is_teacher,
        annotators.c.role.is_(None),
        annotators.c.subject.is_(None),
        ~annotators.c.labels_all_runs,
        ~was_invited,
    )
    return connection.scalar(query) is not None


def find_by_subject(connection: sa.Connection, subject: str) -> str | None:
    """Return the id of the person whom the identity provider calls so, or None."""
    return connection.scalar(sa.select(annotators.c.id).where(annotators.c.subject == subject))


def insert_person(connection: sa.Connection, name: str, *, now: float, subject: str | None = None) -> str:
    """Add a person without a role and return their id."""
    person_id = uuid.uuid4().hex
    row = {"id": person_id, "name": name, "is_teacher": False, "created_at": now, "subject": subject}
    connection.execute(annotators.insert().values(row))
    return person_id


def set_name(connection: sa.Connection, person_id: str, name: str) -> None:
    """Call a person otherwise."""
    connection.execute(annotators.update().where(annotators.c.id == person_id).values(name=name))


def set_role(connection: sa.Connection, person_id: str, role: Role | None) -> None:
    """Give a person another role, or none."""
    connection.execute(annotators.update().where(annotators.c.id == person_id).values(role=role))


def allow_run(connection: sa.Connection, person_id: str, run_id: str | None) -> None:
    """Let a person label a run, or all runs (None), beside those they may label already."""
    if run_id is None:
        everything = annotators.update().where(annotators.c.id == person_id).values(labels_all_runs=True)
        connection.execute(everything)
        return
    columns = annotator_runs.c
    mine = (columns.annotator_id == person_id) & (columns.run_id == run_id)
    if connection.scalar(sa.select(sa.func.count()).select_from(annotator_runs).where(mine)) == 0:
        connection.execute(annotator_runs.insert().values(annotator_id=person_id, run_id=run_id))


def count_with_role(connection: sa.Connection, role: Role) -> int:
    """Return how many people have exactly this role."""
    return int(
        connection.scalar(sa.select(sa.func.count()).select_from(annotators).where(annotators.c.role == role))
        or 0
    )


def list_people(connection: sa.Connection, now: float) -> list[sa.RowMapping]:
    """Return all who have a role, signed in once or come from an identity provider, the oldest first.

    Returns:
        Rows of the annotator and ``browsers``, how many they are signed in from.
    """
    is_theirs = sign_ins.c.annotator_id == annotators.c.id
    browsers = sa.select(sa.func.count()).select_from(sign_ins).where(is_theirs, sign_ins.c.expires_at > now)
    is_known = (
        annotators.c.role.is_not(None) | annotators.c.subject.is_not(None) | sa.exists().where(is_theirs)
    )
    query = sa.select(annotators, browsers.scalar_subquery().label("browsers")).where(is_known)
    return list(connection.execute(query.order_by(annotators.c.created_at)).mappings())


def list_person_runs(connection: sa.Connection) -> dict[str, list[str]]:
    """Return the runs named one by one that each person may label."""
    found: dict[str, list[str]] = {}
    for person_id, run_id in connection.execute(sa.select(annotator_runs).order_by(annotator_runs.c.run_id)):
        found.setdefault(person_id, []).append(run_id)
    return found


def insert_invitation(connection: sa.Connection, token_hash: str, **values: Any) -> str:
    """Add an invitation and return its id."""
    invitation_id = uuid.uuid4().hex
    connection.execute(invitations.insert().values(id=invitation_id, token_hash=token_hash, **values))
    return invitation_id


def open_invitation(connection: sa.Connection, token_hash: str, now: float) -> sa.RowMapping | None:
    """Return the invitation with this token if it still lets somebody in; whoever else asks waits."""
    query = sa.select(invitations).where(invitations.c.token_hash == token_hash, _is_open(now))
    return connection.execute(query.with_for_update()).mappings().first()


def get_invitation(connection: sa.Connection, invitation_id: str) -> sa.RowMapping | None:
    """Return one invitation, or None."""
    query = sa.select(invitations).where(invitations.c.id == invitation_id)
    return connection.execute(query).mappings().first()


def list_open_invitations(connection: sa.Connection, now: float) -> list[sa.RowMapping]:
    """Return the links for newcomers that still let somebody in, the newest first, with ``by``, a name."""
    query = (
        sa.select(invitations, annotators.c.name.label("by"))
        .outerjoin(annotators, annotators.c.id == invitations.c.created_by)
        .where(_is_open(now), invitations.c.annotator_id.is_(None))
    )
    return list(connection.execute(query.order_by(invitations.c.created_at.desc())).mappings())


def count_use(connection: sa.Connection, invitation_id: str) -> None:
    """Note that somebody came in by an invitation."""
    one = invitations.c.id == invitation_id
    connection.execute(invitations.update().where(one).values(uses=invitations.c.uses + 1))


def revoke_invitation(connection: sa.Connection, invitation_id: str, now: float) -> None:
    """Let nobody in by this invitation any more."""
    one = (invitations.c.id == invitation_id) & invitations.c.revoked_at.is_(None)
    connection.execute(invitations.update().where(one).values(revoked_at=now))


def insert_sign_in(
    connection: sa.Connection, token_hash: str, person_id: str, *, now: float, expires_at: float
) -> None:
    """Sign a person in from one more browser, and forget sign-ins that have run out."""
    connection.execute(sign_ins.delete().where(sign_ins.c.expires_at <= now))
    row = {"token_hash": token_hash, "annotator_id": person_id, "created_at": now, "expires_at": expires_at}
    connection.execute(sign_ins.insert().values(row))


def delete_sign_in(connection: sa.Connection, token_hash: str) -> None:
    """Sign one browser out."""
    connection.execute(sign_ins.delete().where(sign_ins.c.token_hash == token_hash))


def delete_sign_ins(connection: sa.Connection, person_id: str) -> None:
    """Sign a person out everywhere; links that would sign them in again end too."""
    connection.execute(sign_ins.delete().where(sign_ins.c.annotator_id == person_id))
    connection.execute(invitations.update().where(invitations.c.annotator_id == person_id).values(max_uses=0))


def _is_open(now: float) -> sa.ColumnElement[bool]:
    is_unused = invitations.c.max_uses.is_(None) | (invitations.c.uses < invitations.c.max_uses)
    return invitations.c.revoked_at.is_(None) & (invitations.c.expires_at > now) & is_unused


def _person(connection: sa.Connection, row: sa.RowMapping) -> Person:
    is_bound = row["role"] in (None, Role.ANNOTATOR) and not row["labels_all_runs"]
    theirs = sa.select(annotator_runs.c.run_id).where(annotator_runs.c.annotator_id == row["id"])
    runs = frozenset(connection.scalars(theirs)) if is_bound else None
    return Person(person_id=row["id"], name=row["name"], role=row["role"], runs=runs)
