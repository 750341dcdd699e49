"""Links, sign-ins and roles: who is let in, and who is not."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from rlhf.errors import FeedbackError, NotFoundError
from rlhf.loop import admit_people
from rlhf.loop.admit_people import DAY_S, SIGNED_IN_S
from rlhf.storage import answers, people, schema
from rlhf.storage.engine import reading, writing
from rlhf.storage.people import Person
from rlhf.types.people import Role
from rlhf.ui.store import Store

Make = Callable[..., str]
NOW = 1_000_000.0


def person(store: Store, token: str, now: float = NOW) -> Person | None:
    with reading(store.engine) as connection:
        return people.signed_in_person(connection, admit_people.hash_token(token), now)


def join(store: Store, role: Role, name: str = "Ann", **more: object) -> Person:
    link = admit_people.invite(store.engine, role, now=NOW, **more)  # type: ignore[arg-type]
    signed_in = admit_people.redeem(store.engine, link.token, name=name, now=NOW)
    found = person(store, signed_in.token)
    assert found is not None
    return found


def test_a_link_lets_somebody_in_under_their_name_with_its_role(store: Store) -> None:
    found = join(store, Role.RESEARCHER, "  Ann   Bell ")
    assert (found.name, found.role, found.runs) == ("Ann Bell", Role.RESEARCHER, None)


def test_of_a_token_only_the_hash_is_stored(store: Store) -> None:
    link = admit_people.invite(store.engine, Role.ADMIN, now=NOW)
    signed_in = admit_people.redeem(store.engine, link.token, name="Ann", now=NOW)
    with reading(store.engine) as connection:
        rows = [
            *connection.execute(sa.select(schema.invitations)),
            *connection.execute(sa.select(schema.sign_ins)),
        ]
    assert len(rows) == 2
    assert not [row for row in rows if link.token in row or signed_in.token in row]


def test_looking_at_a_link_does_not_use_it_up(store: Store, make_run: Make) -> None:
    by = join(store, Role.ADMIN)
    link = admit_people.invite(
        store.engine, Role.ANNOTATOR, now=NOW, run_id=make_run(goal="Hop"), max_uses=1, by=by
    )
    for _ in range(3):
        offer = admit_people.look_at(store.engine, link.token, now=NOW)
        assert offer is not None
        assert (offer.role, offer.goal, offer.by, offer.name) == (Role.ANNOTATOR, "Hop", "Ann", None)


@pytest.mark.parametrize("end", ["used up", "run out", "revoked", "never made"])
def test_a_link_that_has_ended_lets_nobody_in(store: Store, end: str) -> None:
    link = admit_people.invite(store.engine, Role.ADMIN, now=NOW, days=2.0, max_uses=1)
    token, now = link.token, NOW
    if end == "used up":
        admit_people.redeem(store.engine, token, name="Ann", now=NOW)
    elif end == "run out":
        now = NOW + 2 * DAY_S
    elif end == "revoked":
        admit_people.revoke(store.engine, link.invitation_id, now=NOW)
    else:
        token = "x" * 43
    assert admit_people.look_at(store.engine, token, now=now) is None
    with pytest.raises(FeedbackError, match="not valid any more"):
        admit_people.redeem(store.engine, token, name="Bob", now=now)


def test_a_link_without_a_limit_lets_many_in(store: Store) -> None:
    link = admit_people.invite(store.engine, Role.ANNOTATOR, now=NOW)
    joined = {
        admit_people.redeem(store.engine, link.token, name=name, now=NOW).person_id
        for name in ("Ann", "Bob", "Cyd")
    }
    with reading(store.engine) as connection:
        row = people.get_invitation(connection, link.invitation_id)
    assert row is not None
    assert (len(joined), row["uses"]) == (3, 3)


def test_revoking_a_link_leaves_who_came_in(store: Store) -> None:
    link = admit_people.invite(store.engine, Role.ANNOTATOR, now=NOW)
    signed_in = admit_people.redeem(store.engine, link.token, name="Ann", now=NOW)
    admit_people.revoke(store.engine, link.invitation_id, now=NOW)
    assert person(store, signed_in.token) is not None


def test_a_sign_in_runs_out(store: Store) -> None:
    link = admit_people.invite(store.engine, Role.ANNOTATOR, now=NOW)
    signed_in = admit_people.redeem(store.engine, link.token, name="Ann", now=NOW)
    assert person(store, signed_in.token, NOW + SIGNED_IN_S - 1) is not None
    assert person(store, signed_in.token, NOW + SIGNED_IN_S) is None


def test_an_annotator_labels_the_runs_of_their_links_only(store: Store, make_run: Make) -> None:
    first, second, _ = (make_run() for _ in range(3))
    found = join(store, Role.ANNOTATOR, run_id=first)
    assert found.runs == {first}
    link = admit_people.invite(store.engine, Role.ANNOTATOR, now=NOW, run_id=second)
    again = admit_people.redeem(store.engine, link.token, name="", signed_in=found.person_id, now=NOW)
    assert again.person_id == found.person_id
    found = person(store, again.token)
    assert found is not None
    assert found.runs == {first, second}


def test_a_lesser_link_takes_no_role_away(store: Store) -> None:
    found = join(store, Role.ADMIN)
    link = admit_people.invite(store.engine, Role.ANNOTATOR, now=NOW)
    again = admit_people.redeem(store.engine, link.token, name="", signed_in=found.person_id, now=NOW)
    found = person(store, again.token)
    assert found is not None
    assert found.role is Role.ADMIN


def test_who_labelled_before_keeps_their_answers(store: Store, make_annotator: Make) -> None:
    before = make_annotator()
    signed_in = admit_people.become_admin(store.engine, name="Ann", unnamed=before, now=NOW)
    assert signed_in.person_id == before


def test_nobody_becomes_a_teacher(store: Store) -> None:
    with writing(store.engine) as connection:
        teacher = answers.insert_annotator(connection, "Teacher: oracle", is_teacher=True)
    signed_in = admit_people.become_admin(store.engine, name="Ann", unnamed=teacher, now=NOW)
    assert signed_in.person_id != teacher


@pytest.mark.parametrize("role", [*Role, None])
def test_nobody_becomes_a_person_with_a_name_by_saying_so(store: Store, role: Role | None) -> None:
    """The cookie of a browser that nobody signed in from is no proof; ids are no secrets."""
    victim = join(store, role or Role.ANNOTATOR)
    if role is None:
        admit_people.change_role(store.engine, victim.person_id, None)
    link = admit_people.invite(store.engine, Role.ANNOTATOR, now=NOW)
    signed_in = admit_people.redeem(store.engine, link.token, name="Eve", unnamed=victim.person_id, now=NOW)
    assert signed_in.person_id != victim.person_id


def test_nobody_becomes_whom_the_identity_provider_knows(store: Store) -> None:
    ticket = admit_people.ticket(store.engine, "https://id.example|42", "Ann", now=NOW)
    victim = admit_people.redeem(store.engine, ticket.token, name="", now=NOW).person_id
    link = admit_people.invite(store.engine, Role.ANNOTATOR, now=NOW)
    signed_in = admit_people.redeem(store.engine, link.token, name="Eve", unnamed=victim, now=NOW)
    assert signed_in.person_id != victim


def test_only_the_first_becomes_admin_without_a_link(store: Store) -> None:
    admit_people.become_admin(store.engine, name="Ann", now=NOW)
    with pytest.raises(FeedbackError, match="ask an admin"):
        admit_people.become_admin(store.engine, name="Eve", now=NOW)


def test_a_first_invitation_already_closes_the_studio(store: Store) -> None:
    admit_people.invite(store.engine, Role.ANNOTATOR, now=NOW)
    with pytest.raises(FeedbackError, match="ask an admin"):
        admit_people.become_admin(store.engine, name="Eve", now=NOW)


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\u202eb", "\x00"])
def test_a_name_must_be_one(store: Store, name: str) -> None:
    with pytest.raises(FeedbackError, match=r"a name|called"):
        admit_people.become_admin(store.engine, name=name, now=NOW)


@pytest.mark.parametrize(
    ("asks", "for_role"),
    [
        (Role.ANNOTATOR, Role.ANNOTATOR),
        (Role.RESEARCHER, Role.RESEARCHER),
        (Role.RESEARCHER, Role.ADMIN),
    ],
)
def test_nobody_invites_to_more_than_they_may(store: Store, asks: Role, for_role: Role) -> None:
    by = join(store, asks)
    with pytest.raises(FeedbackError, match="may not invite"):
        admit_people.invite(store.engine, for_role, now=NOW, by=by)


def test_a_researcher_does_not_revoke_an_admins_link(store: Store) -> None:
    by = join(store, Role.RESEARCHER)
    link = admit_people.invite(store.engine, Role.ADMIN, now=NOW)
    with pytest.raises(FeedbackError, match="may not revoke"):
        admit_people.revoke(store.engine, link.invitation_id, now=NOW, by=by)


def test_a_researcher_changes_nobody(store: Store) -> None:
    by, other = join(store, Role.RESEARCHER), join(store, Role.ANNOTATOR)
    for act in (
        lambda: admit_people.change_role(store.engine, by.person_id, Role.ADMIN, by=by),
        lambda: admit_people.sign_out_everywhere(store.engine, other.person_id, by=by),
        lambda: admit_people.personal_link(store.engine, other.person_id, now=NOW, by=by),
    ):
        with pytest.raises(FeedbackError, match="only an admin"):
            act()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"role": Role.ADMIN, "run_id": "some-run"}, "limited to a run"),
        ({"role": Role.ANNOTATOR, "days": 0.0}, "days"),
        ({"role": Role.ANNOTATOR, "days": float("nan")}, "days"),
        ({"role": Role.ANNOTATOR, "days": 1e9}, "days"),
        ({"role": Role.ANNOTATOR, "max_uses": 0}, "at least 1"),
    ],
)
def test_a_link_that_makes_no_sense_is_not_made(store: Store, changes: dict[str, object], words: str) -> None:
    with pytest.raises(FeedbackError, match=words):
        admit_people.invite(store.engine, now=NOW, **changes)  # type: ignore[arg-type]


def test_a_link_to_an_unknown_run_is_not_made(store: Store) -> None:
    with pytest.raises(NotFoundError):
        admit_people.invite(store.engine, Role.ANNOTATOR, now=NOW, run_id="gone")


def test_who_gets_less_is_signed_out_and_who_gets_more_is_not(store: Store) -> None:
    admin = join(store, Role.ADMIN)
    link = admit_people.invite(store.engine, Role.RESEARCHER, now=NOW)
    signed_in = admit_people.redeem(store.engine, link.token, name="Bob", now=NOW)
    admit_people.change_role(store.engine, signed_in.person_id, Role.ADMIN, by=admin)
    assert person(store, signed_in.token) is not None
    admit_people.change_role(store.engine, signed_in.person_id, Role.ANNOTATOR, by=admin)
    assert person(store, signed_in.token) is None


def test_the_last_admin_stays_one(store: Store) -> None:
    admin = join(store, Role.ADMIN)
    with pytest.raises(FeedbackError, match="only admin"):
        admit_people.change_role(store.engine, admin.person_id, None, by=admin)


def test_signing_out_everywhere_ends_links_of_their_own_too(store: Store) -> None:
    found = join(store, Role.ANNOTATOR)
    link = admit_people.personal_link(store.engine, found.person_id, now=NOW)
    admit_people.sign_out_everywhere(store.engine, found.person_id)
    assert admit_people.look_at(store.engine, link.token, now=NOW) is None


def test_a_personal_link_signs_in_once_as_that_person(store: Store) -> None:
    found = join(store, Role.RESEARCHER)
    link = admit_people.personal_link(store.engine, found.person_id, now=NOW)
    signed_in = admit_people.redeem(store.engine, link.token, name="Eve", now=NOW)
    assert person(store, signed_in.token) == found
    assert admit_people.look_at(store.engine, link.token, now=NOW) is None


def test_the_identity_provider_vouches_for_the_same_person_each_time(store: Store) -> None:
    seen = []
    for _ in range(2):
        link = admit_people.ticket(store.engine, "https://id.example|42", "Ann", now=NOW)
        signed_in = admit_people.redeem(store.engine, link.token, name="", now=NOW)
        seen.append(person(store, signed_in.token))
    assert seen[0] == seen[1]
    assert seen[0] is not None
    assert (seen[0].name, seen[0].role, seen[0].runs) == ("Ann", None, frozenset())


def test_a_ticket_lasts_minutes(store: Store) -> None:
    link = admit_people.ticket(store.engine, "https://id.example|42", "Ann", now=NOW)
    assert admit_people.look_at(store.engine, link.token, now=NOW + 301) is None
