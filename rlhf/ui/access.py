"""Who is asking, and may they: for pages, routes and websockets alike.

Nobody is asked to sign in while this computer alone uses the studio: whoever opens it on the loopback
interface may do everything. As soon as somebody was invited, or an identity provider is configured, everybody
signs in; a cookie then holds the token of their sign-in. From other computers that was never different.
"""

import dataclasses
import ipaddress
import re
import time
from collections.abc import Mapping

import streamlit as st
from starlette.requests import HTTPConnection

from rlhf.loop.admit_people import hash_token
from rlhf.storage import people
from rlhf.storage.engine import reading
from rlhf.types.people import Role
from rlhf.ui.store import open_store

SIGN_IN_COOKIE = "preference_studio_sign_in"
ANNOTATOR_COOKIE = "preference_studio_annotator"
"""Names the annotator of a browser while nobody signs in. It proves nothing afterwards."""
_ID = re.compile(r"[0-9a-f]{32}")
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Visitor:
    """Whoever is asking, and what they may do."""

    annotator_id: str | None
    """Whose answers theirs are; None: nobody's yet."""
    role: Role | None
    """None: nothing is theirs to see."""
    name: str = ""
    runs: frozenset[str] | None = None
    """Runs they may label; None: all."""
    is_signed_in: bool = False
    is_local: bool = False
    """Whether they sit at the computer that the studio runs on."""
    is_open: bool = False
    """Whether nobody is asked to sign in."""

    def may(self, least: Role) -> bool:
        """Whether they have this role or one that includes it."""
        return self.role is not None and self.role.includes(least)

    def may_label(self, run_id: str) -> bool:
        """Whether the run's pairs are theirs to compare."""
        return self.role is not None and (self.runs is None or run_id in self.runs)

    @property
    def person(self) -> people.Person | None:
        """Whom acts are theirs; None: the owner of a studio where nobody signs in, who may do anything.

        Raises:
            ValueError: they may do nothing at all.
        """
        if self.role is None:
            raise ValueError("a visitor without a role does not act.")
        if self.annotator_id is None or not self.is_signed_in:
            return None
        return people.Person(person_id=self.annotator_id, name=self.name, role=self.role, runs=self.runs)


def visitor_of(connection: HTTPConnection) -> Visitor:
    """Return who sends a request or holds a websocket.

    Raises:
        StorageError: the database cannot be read.
    """
    peer = None if connection.client is None else connection.client.host
    return _visitor(connection.cookies, is_local=_is_local(peer, connection.headers))


def visitor_here() -> Visitor:
    """Return who looks at the page that is being drawn.

    Raises:
        StorageError: the database cannot be read.
    """
    cookies, peer, headers = page_request()
    return _visitor(cookies, is_local=_is_local(peer, headers))


def page_request() -> tuple[Mapping[str, str], str, Mapping[str, str]]:
    """Return cookies, address and headers of the websocket of the page that is being drawn."""
    context = st.context
    return context.cookies, context.ip_address or "127.0.0.1", context.headers  # None: loopback


def has_identity_provider() -> bool:
    """Whether the secrets configure Streamlit's own sign-in."""
    return st.secrets.load_if_toml_exists() and "auth" in st.secrets


def _visitor(cookies: Mapping[str, str], *, is_local: bool) -> Visitor:
    token, annotator = cookies.get(SIGN_IN_COOKIE), cookies.get(ANNOTATOR_COOKIE, "")
    annotator_id = annotator if is_local and _ID.fullmatch(annotator) else None
    with reading(open_store().engine) as connection:
        person = people.signed_in_person(connection, hash_token(token), time.time()) if token else None
        if person is None:
            is_open = is_local and not people.is_anybody_known(connection) and not has_identity_provider()
            role = Role.ADMIN if is_open else None
            return Visitor(annotator_id=annotator_id, role=role, is_local=is_local, is_open=is_open)
    return Visitor(
        annotator_id=person.person_id,
        role=person.role,
        name=person.name,
        runs=person.runs,
        is_signed_in=True,
        is_local=is_local,
    )


def _is_local(peer: str | None, headers: Mapping[str, str]) -> bool:
    """Whether a request comes from a program on this computer, and from no proxy on it.

    The name in ``Host`` must be this computer's too: a page of another site whose name was made to point here
    (DNS rebinding) would else count as somebody who sits here.
    """
    if peer is None or not _is_loopback(peer) or any(name in headers for name in _FORWARDED):
        return False
    host = headers.get("host")
    if host is None:  # no browser leaves it out
        return True
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    name = name.strip("[]").rstrip(".").lower()
    return name == "localhost" or name.endswith(".localhost") or _is_loopback(name)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
