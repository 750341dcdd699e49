"""Who is let in: invitation links, signing in and out, and roles.

A token is 32 random bytes that only its holder knows; the store keeps its SHA-256. A slow, salted hash as
for passwords would add nothing: nobody can try 2^256 tokens, and the fast one is found by an index.
"""

import dataclasses
import hashlib
import secrets

import sqlalchemy as sa

from rlhf.errors import FeedbackError
from rlhf.storage import people, runs
from rlhf.storage.engine import reading, writing
from rlhf.types.people import Role

DAY_S = 86_400.0
SIGNED_IN_S = 90 * DAY_S
"""How long a browser stays signed in."""
PERSONAL_LINK_S = 2 * DAY_S
"""How long a link lets in that signs one person in once more."""
MAX_NAME = 100
MAX_DAYS = 365.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Link:
    """A link that was made; the only time that its token is known."""

    invitation_id: str
    token: str
    expires_at: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Invitation:
    """What a link offers, for whoever opens it."""

    role: Role | None
    run_id: str | None
    goal: str | None
    """Of the run."""
    by: str | None
    """Who made it; None: the command line."""
    name: str | None
    """Whom it signs in; None: whoever opens it, under a name of their own."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SignIn:
    """A browser that has been signed in; ``token`` belongs into its cookie."""

    person_id: str
    token: str
    run_id: str | None


def hash_token(token: str) -> str:
    """Return what is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def may_invite(role: Role | None) -> tuple[Role, ...]:
    """Return the roles that somebody may invite others to: an admin to any, a researcher annotators."""
    if role is Role.ADMIN:
        return tuple(Role)
    return (Role.ANNOTATOR,) if role is Role.RESEARCHER else ()


def invite(
    engine: sa.Engine,
    role: Role,
    *,
    now: float,
    run_id: str | None = None,
    days: float = 7.0,
    max_uses: int | None = None,
    by: people.Person | None = None,
) -> Link:
    """Make a link that lets people in.

    Args:
        engine: of the store.
        role: what they may do then.
        now: seconds since the epoch.
        run_id: the only run they may label; None: all.
        days: how long it lets people in, up to ``MAX_DAYS``.
        max_uses: how many people it lets in; None: any number.
        by: who makes it; None: somebody at the command line, who may do anything.

    Raises:
        FeedbackError: whoever asks may not invite to this role, or the parts do not fit each other.
        NotFoundError: there is no such run.
    """
    if by is not None and role not in may_invite(by.role):
        raise FeedbackError(f"you may not invite a person as {role.value}; an admin may.")
    if run_id is not None and role is not Role.ANNOTATOR:
        raise FeedbackError(f"only an annotator can be limited to a run; a {role.value} sees every run.")
    if not 0 < days <= MAX_DAYS:
        raise FeedbackError(f"a link lasts more than 0 and at most {MAX_DAYS:g} days; got {days:g}.")
    if max_uses is not None and max_uses < 1:
        raise FeedbackError(f"a link lets in at least 1 person; got {max_uses}.")
    with writing(engine) as connection:
        if run_id is not None:
            runs.get_run(connection, run_id)
        return _insert(
            connection,
            now,
            days * DAY_S,
            role=role,
            run_id=run_id,
            max_uses=max_uses,
            by=None if by is None else by.person_id,
        )


def personal_link(engine: sa.Engine, person_id: str, *, now: float, by: people.Person | None = None) -> Link:
    """Make a link that signs a known person in once: on another device, or after their cookie is gone.

    Raises:
        FeedbackError: whoever asks may not; only an admin may sign in as somebody else.
        NotFoundError: there is no such person.
    """
    _require_admin(by)
    with writing(engine) as connection:
        people.get_person(connection, person_id)
        return _personal(connection, person_id, now, PERSONAL_LINK_S, None if by is None else by.person_id)


def ticket(engine: sa.Engine, subject: str, name: str, *, now: float, lasts_s: float = 300.0) -> Link:
    """Make a link that signs in whom an identity provider has vouched for; somebody new has no role yet.

    Args:
        engine: of the store.
        subject: issuer and subject as the provider says, up to 300 characters.
        name: what to call somebody new.
        now: seconds since the epoch.
        lasts_s: how long the link lets in.
    """
    with writing(engine) as connection:
        person_id = people.find_by_subject(connection, subject)
        if person_id is None:
            person_id = people.insert_person(connection, name[:MAX_NAME], now=now, subject=subject)
        return _personal(connection, person_id, now, lasts_s, None)


def look_at(engine: sa.Engine, token: str, *, now: float) -> Invitation | None:
    """Return what a link offers, or None if it lets nobody in; looking does not use it up."""
    with reading(engine) as connection:
        row = people.open_invitation(connection, hash_token(token), now)
        if row is None:
            return None
        run = None if row["run_id"] is None else runs.get_run(connection, row["run_id"])
        by = None if row["created_by"] is None else people.get_person(connection, row["created_by"])
        whom = None if row["annotator_id"] is None else people.get_person(connection, row["annotator_id"])
    return Invitation(
        role=row["role"],
        run_id=row["run_id"],
        goal=None if run is None else run["goal"],
        by=None if by is None else by.name,
        name=None if whom is None else whom.name,
    )


def redeem(
    engine: sa.Engine,
    token: str,
    *,
    name: str,
    now: float,
    signed_in: str | None = None,
    unnamed: str | None = None,
) -> SignIn:
    """Let somebody in by a link.

    Args:
        engine: of the store.
        token: the link's.
        name: what a newcomer wants to be called.
        now: seconds since the epoch.
        signed_in: id of whom the browser is signed in as; they keep their answers and any higher role.
        unnamed: annotator that the browser of this computer answered as before anybody signed in. Nobody can
            become a person with a name through it.

    Raises:
        FeedbackError: the link lets nobody in, or the name cannot be one.
    """
    with writing(engine) as connection:
        row = people.open_invitation(connection, hash_token(token), now)
        if row is None:
            raise FeedbackError("this link is not valid any more; ask for a new one.")
        person_id = row["annotator_id"] or signed_in or _newcomer(connection, name, unnamed, now)
        if row["role"] is not None:
            before = people.get_person(connection, person_id).role
            if before is None or not before.includes(row["role"]):
                people.set_role(connection, person_id, row["role"])
            people.allow_run(connection, person_id, row["run_id"])
        people.count_use(connection, row["id"])
        return SignIn(person_id=person_id, token=_sign_in(connection, person_id, now), run_id=row["run_id"])


def become_admin(engine: sa.Engine, *, name: str, now: float, unnamed: str | None = None) -> SignIn:
    """Make the person at this computer the first admin; from then on everybody signs in.

    See ``redeem`` for ``name`` and ``unnamed``.

    Raises:
        FeedbackError: somebody was invited before, or the name cannot be one.
    """
    with writing(engine) as connection:
        if people.is_anybody_known(connection):
            raise FeedbackError("this studio has its people already; ask an admin for a link.")
        person_id = _newcomer(connection, name, unnamed, now)
        people.set_role(connection, person_id, Role.ADMIN)
        return SignIn(person_id=person_id, token=_sign_in(connection, person_id, now), run_id=None)


def revoke(engine: sa.Engine, invitation_id: str, *, now: float, by: people.Person | None = None) -> None:
    """Let nobody in by an invitation any more; whoever came in stays.

    Raises:
        FeedbackError: there is no such invitation, or it invites to a role that whoever asks may not give.
    """
    with writing(engine) as connection:
        row = people.get_invitation(connection, invitation_id)
        if row is None:
            raise FeedbackError(f"there is no invitation {invitation_id!r}.")
        if by is not None and row["role"] not in may_invite(by.role):
            raise FeedbackError("you may not revoke this invitation; an admin may.")
        people.revoke_invitation(connection, invitation_id, now)


def change_role(
    engine: sa.Engine, person_id: str, role: Role | None, *, by: people.Person | None = None
) -> None:
    """Give a person another role, or none. Who gets less is signed out everywhere, so that no tab stays open.

    Raises:
        FeedbackError: whoever asks may not, or the studio would be left without an admin.
        NotFoundError: there is no such person.
    """
    _require_admin(by)
    with writing(engine) as connection:
        before = people.get_person(connection, person_id).role
        if before is role:
            return
        if before is Role.ADMIN and people.count_with_role(connection, Role.ADMIN) == 1:
            raise FeedbackError("this is the only admin; make somebody else one first.")
        people.set_role(connection, person_id, role)
        if role is Role.ANNOTATOR and before is not None:
            people.allow_run(connection, person_id, None)
        if before is not None and (role is None or not role.includes(before)):
            people.delete_sign_ins(connection, person_id)


def sign_out(engine: sa.Engine, token: str) -> None:
    """Sign one browser out."""
    with writing(engine) as connection:
        people.delete_sign_in(connection, hash_token(token))


def sign_out_everywhere(engine: sa.Engine, person_id: str, *, by: people.Person | None = None) -> None:
    """Sign a person out of every browser; they need a new link.

    Raises:
        FeedbackError: whoever asks is neither an admin nor that person.
    """
    if by is None or by.person_id != person_id:
        _require_admin(by)
    with writing(engine) as connection:
        people.delete_sign_ins(connection, person_id)


def _require_admin(by: people.Person | None) -> None:
    if by is not None and by.role is not Role.ADMIN:
        raise FeedbackError("only an admin may do this.")


def _personal(connection: sa.Connection, person_id: str, now: float, lasts_s: float, by: str | None) -> Link:
    return _insert(connection, now, lasts_s, role=None, annotator_id=person_id, max_uses=1, by=by)


def _insert(
    connection: sa.Connection, now: float, lasts_s: float, *, by: str | None, **values: object
) -> Link:
    token = secrets.token_urlsafe(32)
    times = {"created_at": now, "expires_at": now + lasts_s}
    invitation_id = people.insert_invitation(connection, hash_token(token), created_by=by, **times, **values)
    return Link(invitation_id=invitation_id, token=token, expires_at=now + lasts_s)


def _newcomer(connection: sa.Connection, name: str, unnamed: str | None, now: float) -> str:
    """Return the id of somebody new, with the answers of ``unnamed`` where those are nobody's."""
    called = " ".join(name.split())
    if not called:
        raise FeedbackError("say what you want to be called.")
    if len(called) > MAX_NAME or not called.isprintable():
        raise FeedbackError(f"a name has at most {MAX_NAME} characters, all of them printable.")
    if unnamed is None or not people.is_nobodys(connection, unnamed):
        return people.insert_person(connection, called, now=now)
    people.set_name(connection, unnamed, called)
    return unnamed


def _sign_in(connection: sa.Connection, person_id: str, now: float) -> str:
    token = secrets.token_urlsafe(32)
    people.insert_sign_in(connection, hash_token(token), person_id, now=now, expires_at=now + SIGNED_IN_S)
    return token
