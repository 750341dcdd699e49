"""``people``: who may come into the studio, from the shell of the computer it runs on."""

import argparse
import datetime
import time
from typing import Any

import sqlalchemy as sa

from rlhf.cli.output import add_json_option, finish, table
from rlhf.cli.store import open_database
from rlhf.loop import admit_people
from rlhf.storage import people
from rlhf.storage.engine import reading
from rlhf.types.people import Role

_NO_ROLE = "none"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="list the people and the links that still let somebody in")
    invite = actions.add_parser("invite", help="print a link that lets people in")
    invite.add_argument("--role", choices=[role.value for role in Role], default=Role.ANNOTATOR.value)
    invite.add_argument("--run", metavar="RUN", help="the only run they may label; for annotators")
    invite.add_argument("--days", type=float, default=7.0, help="how long it lets people in")
    invite.add_argument("--uses", type=int, help="how many people it lets in; any number if left out")
    invite.add_argument("--person", metavar="ID", help="sign this person in once more instead")
    invite.add_argument("--url", default="http://localhost:8501", help="address of the studio")
    revoke = actions.add_parser("revoke", help="end a link, or sign a person out everywhere")
    revoke.add_argument("id", metavar="ID", help="of a link or a person, as list shows it")
    role = actions.add_parser("role", help="give a person another role, or none")
    role.add_argument("id", metavar="ID", help="of the person")
    role.add_argument("role", choices=[*(role.value for role in Role), _NO_ROLE])
    for action in actions.choices.values():
        add_json_option(action)


def run(options: argparse.Namespace) -> int:
    """Do one action."""
    engine = open_database()
    if options.action == "list":
        return _list(engine, options)
    if options.action == "invite":
        return _invite(engine, options)
    if options.action == "role":
        role = None if options.role == _NO_ROLE else Role(options.role)
        admit_people.change_role(engine, options.id, role)
        return finish(options, {"person": options.id, "role": role and role.value}, "Changed.")
    return _revoke(engine, options)


def _list(engine: sa.Engine, options: argparse.Namespace) -> int:
    now = time.time()
    with reading(engine) as connection:
        known = people.list_people(connection, now)
        named_runs = people.list_person_runs(connection)
        links = people.list_open_invitations(connection, now)
    persons = [
        {
            "person": row["id"],
            "name": row["name"],
            "role": None if row["role"] is None else row["role"].value,
            "runs": _runs(row, named_runs),
            "browsers": row["browsers"],
        }
        for row in known
    ]
    invitations = [
        {
            "invitation": row["id"],
            "role": row["role"].value,
            "run": row["run_id"],
            "uses": row["uses"],
            "max_uses": row["max_uses"],
            "expires": _time(row["expires_at"]),
            "by": row["by"],
        }
        for row in links
    ]
    text = "\n\n".join(
        table(list(rows[0]), [["" if v is None else v for v in row.values()] for row in rows])
        for rows in (persons, invitations)
        if rows
    )
    nobody = "Nobody is invited: whoever uses this computer may do everything."
    return finish(options, {"people": persons, "invitations": invitations}, text or nobody)


def _runs(row: sa.RowMapping, named_runs: dict[str, list[str]]) -> Any:
    is_bound = row["role"] in (None, Role.ANNOTATOR) and not row["labels_all_runs"]
    return named_runs.get(row["id"], []) if is_bound else "all"


def _invite(engine: sa.Engine, options: argparse.Namespace) -> int:
    now = time.time()
    if options.person is not None:
        link = admit_people.personal_link(engine, options.person, now=now)
    else:
        link = admit_people.invite(
            engine,
            Role(options.role),
            now=now,
            run_id=options.run,
            days=options.days,
            max_uses=options.uses,
        )
    url = f"{options.url.rstrip('/')}/join?token={link.token}"
    result = {
        "invitation": link.invitation_id,
        "url": url,
        "role": None if options.person else options.role,
        "run": options.run,
        "person": options.person,
        "expires": _time(link.expires_at),
    }
    return finish(options, result, f"{url}\nIt is not shown again, and works until {result['expires']}.")


def _revoke(engine: sa.Engine, options: argparse.Namespace) -> int:
    with reading(engine) as connection:
        is_link = people.get_invitation(connection, options.id) is not None
        if not is_link:
            people.get_person(connection, options.id)
    if is_link:
        admit_people.revoke(engine, options.id, now=time.time())
    else:
        admit_people.sign_out_everywhere(engine, options.id)
    text = "This link lets nobody in any more." if is_link else "Signed out everywhere."
    return finish(options, {"revoked": options.id}, text)


def _time(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="seconds")
