"""Which pages there are for whom, and what somebody sees who asks for one that is not theirs."""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from rlhf.loop.admit_people import ticket
from rlhf.types.people import Role
from rlhf.ui.access import Visitor, has_identity_provider, visitor_here
from rlhf.ui.store import open_store

STUDIO = "Preference Studio"
_TICKET = "sign_in_ticket"


@dataclasses.dataclass(frozen=True)
class PageEntry:
    """One page and who may see it."""

    file: str
    title: str
    icon: str
    needs: Role


def choose_page(folder: Path, entries: Sequence[PageEntry]) -> "st.Page | None":
    """Draw the navigation and return the page to be run, or None after saying why it is not shown.

    The navigation lists what the visitor may see. The other pages keep their address, so that whoever types
    it learns whose page it is; none of its code has run by then.
    """
    visitor = visitor_here()
    if visitor.role is None:
        st.navigation([st.Page(lambda: None, title=STUDIO)], position="hidden")
        _ask_to_sign_in(visitor)
        return None
    pages = {
        st.Page(
            folder / entry.file,
            title=entry.title,
            icon=entry.icon,
            default=entry is entries[0],
            visibility="visible" if visitor.may(entry.needs) else "hidden",
        ): entry
        for entry in entries
    }
    page = st.navigation(list(pages), position="top")
    entry = pages[page]
    st.set_page_config(page_title=f"{entry.title} · {STUDIO}")
    if visitor.may(entry.needs):
        return page
    theirs = next(entry for entry in entries if visitor.may(entry.needs))
    if entry is entries[0]:  # they opened the studio, not this page
        st.switch_page(folder / theirs.file)
    st.title(f"{entry.title} is not for you", anchor=False)
    who = "admins" if entry.needs is Role.ADMIN else "researchers"
    st.write(f"Only {who} of this studio see this page. You are signed in as {visitor.name}.")
    st.page_link(folder / theirs.file, label=f"Go to {theirs.title}", icon=theirs.icon)
    return None


def _ask_to_sign_in(visitor: Visitor) -> None:
    """Draw the way in through the identity provider; without one, strangers do not come this far."""
    if visitor.is_signed_in:
        st.title("Ask an admin to let you in", anchor=False)
        st.write(f"You are signed in as {visitor.name}, but may not do anything here yet.")
    elif not has_identity_provider() or not st.user.is_logged_in:
        st.title(f"Sign in to {STUDIO}", anchor=False)
        st.write("Or open the link that somebody sent you, in this browser.")
        if has_identity_provider():
            st.button("Sign in", on_click=st.login, type="primary")
    else:
        name = str(st.user.get("name") or st.user.get("email") or "Somebody")
        if _TICKET not in st.session_state:
            subject = f"{st.user['iss']}|{st.user['sub']}"
            st.session_state[_TICKET] = ticket(open_store().engine, subject, name, now=time.time()).token
        st.title(f"Welcome, {name}", anchor=False)
        st.html(f'<a href="join?token={st.session_state[_TICKET]}" target="_self">Continue to the studio</a>')
