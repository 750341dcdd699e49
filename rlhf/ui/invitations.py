"""Invite people, see who has come, change what they may do: a part of a page, drawn by ``invite_people``."""

import html
import ipaddress
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import streamlit as st

from rlhf.errors import RlhfError
from rlhf.loop import admit_people
from rlhf.storage import people, runs
from rlhf.storage.engine import reading
from rlhf.types.people import Role
from rlhf.ui.access import Visitor, visitor_here
from rlhf.ui.store import open_store

_DAYS = {"1 day": 1.0, "1 week": 7.0, "1 month": 30.0}
_USES = {"Any number of people": None, "One person": 1}
_ROLES = {
    Role.ANNOTATOR: "Annotator: compares clips, sees nothing else",
    Role.RESEARCHER: "Researcher: runs, rewards, replays",
    Role.ADMIN: "Admin: everything, and who may do what",
}
_ROLE_NAMES: dict[str, Role | None] = {"No access": None} | {role.value.capitalize(): role for role in Role}
_LINK = "invitations-link"
_SAID = "invitations-said"


def invite_people() -> None:
    """Draw the links that let people in, and the people with what they may do.

    Researchers may invite annotators; only admins see more than names and change anything about people. While
    nobody signs in, how that begins.
    """
    visitor = visitor_here()
    if visitor.is_open:
        st.write(
            "Nobody signs in so far: only this computer uses the studio. To label together, become its "
            "admin; then make a link for each person or group."
        )
        st.html(_button_link("join", "Invite people"))
        return
    if said := st.session_state.pop(_SAID, None):
        st.error(said, icon=":material/error:")
    _new_link(visitor)
    _open_links(visitor)
    _people(visitor)
    st.html(_button_link("sign-out", "Sign out of this browser"))


def _new_link(visitor: Visitor) -> None:
    with reading(open_store().engine) as connection:
        goals = {row["id"]: f"{row['goal']} ({row['id']})" for row in runs.list_runs(connection)}
    roles = admit_people.may_invite(visitor.role)
    st.subheader("Invite people", anchor=False)
    with st.container(border=True):
        role = st.selectbox("As", roles, format_func=_ROLES.__getitem__, key="invite-role")
        columns = st.columns(3)
        run_id = columns[0].selectbox(
            "To label",
            [None, *goals],
            format_func=lambda run: "All runs" if run is None else goals[run],
            key="invite-run",
            disabled=role is not Role.ANNOTATOR,
        )
        days = columns[1].selectbox("For", list(_DAYS), index=1, key="invite-days")
        uses = columns[2].selectbox("Lets in", list(_USES), key="invite-uses")
        st.button(
            "Make a link",
            type="primary",
            icon=":material/link:",
            on_click=lambda: _make(visitor, role, run_id, days, uses),
        )
        if link := st.session_state.get(_LINK):
            _show_link(link)


def _make(visitor: Visitor, role: Role, run_id: str | None, days: str, uses: str) -> None:
    limit = run_id if role is Role.ANNOTATOR else None
    _keep_link(
        lambda: admit_people.invite(
            open_store().engine,
            role,
            now=time.time(),
            run_id=limit,
            days=_DAYS[days],
            max_uses=_USES[uses],
            by=visitor.person,
        )
    )


def _show_link(token: str) -> None:
    here = urlsplit(st.context.url or "http://localhost:8501/")
    folder = here.path.rsplit("/", 1)[0]
    st.code(f"{here.scheme}://{here.netloc}{folder}/join?token={token}", language=None, wrap_lines=True)
    st.caption("Copy it now: it is not shown again, as only its fingerprint is kept.")
    if _is_this_computer(here.hostname or ""):
        st.caption(
            ":material/info: This address works on this computer only. For others, start the studio with "
            "`--server.address 0.0.0.0` and open this page by the address that they will use."
        )


def _open_links(visitor: Visitor) -> None:
    now = time.time()
    with reading(open_store().engine) as connection:
        rows = people.list_open_invitations(connection, now)
    if not rows:
        return
    st.subheader("Open links", anchor=False)
    for row in rows:
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            uses = f"used {row['uses']}×" if row["uses"] else "not used yet"
            left = _duration(row["expires_at"] - now)
            st.markdown(
                f"**{row['role'].value.capitalize()}** · {row['run_id'] or 'all runs'} · {uses} · {left} · "
                f"made by {_text(row['by'] or 'the command line')}",
                width="content",
            )
            if row["role"] in admit_people.may_invite(visitor.role):
                st.button(
                    "Revoke",
                    key=f"revoke-{row['id']}",
                    icon=":material/link_off:",
                    on_click=_act,
                    args=(admit_people.revoke, row["id"]),
                    kwargs={"now": now, "by": visitor.person},
                )


def _people(visitor: Visitor) -> None:
    with reading(open_store().engine) as connection:
        rows = people.list_people(connection, time.time())
        named_runs = people.list_person_runs(connection)
    st.subheader("Who is here", anchor=False)
    for row in rows:
        is_bound = row["role"] is Role.ANNOTATOR and not row["labels_all_runs"]
        labels = ", ".join(named_runs.get(row["id"], ["no run"])) if is_bound else "all runs"
        you = " (you)" if row["id"] == visitor.annotator_id else ""
        browsers = f"{row['browsers']} browser{'' if row['browsers'] == 1 else 's'}"
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            who = f"**{_text(row['name'])}**{you}"
            st.markdown(f"{who} · {labels} · signed in from {browsers}", width="content")
            if visitor.may(Role.ADMIN):
                _person_controls(visitor, row["id"], row["name"], row["role"])
            else:
                st.markdown(_role_name(row["role"]), width="content")


def _person_controls(visitor: Visitor, person_id: str, name: str, role: Role | None) -> None:
    engine, by = open_store().engine, visitor.person
    key = f"role-{person_id}-{role}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
        st.selectbox(
            f"Role of {name}",
            list(_ROLE_NAMES),
            index=list(_ROLE_NAMES.values()).index(role),
            key=key,
            label_visibility="collapsed",
            width=150,
            on_change=lambda: _change_role(key, person_id, role, by),
        )
        st.button(
            "New link",
            key=f"link-{person_id}",
            icon=":material/key:",
            help=f"A link that signs {name} in once: on another device, or after their cookie is gone.",
            on_click=lambda: _keep_link(
                lambda: admit_people.personal_link(engine, person_id, now=time.time(), by=by)
            ),
        )
        st.button(
            "Sign out",
            key=f"sign-out-{person_id}",
            icon=":material/logout:",
            help=f"Signs {name} out of every browser.",
            on_click=lambda: _act(admit_people.sign_out_everywhere, person_id, by=by),
        )


def _change_role(key: str, person_id: str, before: Role | None, by: people.Person | None) -> None:
    _act(admit_people.change_role, person_id, _ROLE_NAMES[st.session_state[key]], by=by)
    if _SAID in st.session_state:
        st.session_state[key] = _role_name(before)


def _duration(seconds: float) -> str:
    hours = max(1, round(seconds / 3600))
    return f"{hours} h left" if hours < 48 else f"{round(hours / 24)} days left"


def _role_name(role: Role | None) -> str:
    return next(name for name, named in _ROLE_NAMES.items() if named is role)


def _keep_link(make: Callable[[], admit_people.Link]) -> None:
    """Make a link and show its token on the next run of the page only."""
    try:
        st.session_state[_LINK] = make().token
    except RlhfError as error:
        st.session_state[_SAID] = str(error)


def _act(action: Callable[..., None], *arguments: object, **named: object) -> None:
    st.session_state.pop(_LINK, None)
    try:
        action(open_store().engine, *arguments, **named)
    except RlhfError as error:
        st.session_state[_SAID] = str(error)


def _button_link(address: str, label: str) -> str:
    """Return a link that looks like a button and opens in this tab, which Streamlit's own does not."""
    return (
        f'<a href="{address}" target="_self" style="display:inline-block;padding:.4rem .9rem;'
        "border:1px solid var(--st-border-color, currentColor);border-radius:.6rem;color:inherit;"
        f'text-decoration:none">{html.escape(label)}</a>'
    )


def _text(text: str) -> str:
    """Return a name that people chose as plain text inside Markdown."""
    return "".join(f"\\{c}" if c in r"\`*_{}[]()#+-.!|<>:$~&" else c for c in text)


def _is_this_computer(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
