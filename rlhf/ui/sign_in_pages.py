"""The small pages before the studio: what a link offers, how to become its admin, what a stranger is told.

Plain documents without scripts: a stranger's browser gets nothing of the studio itself.
"""

import html
from pathlib import Path

from starlette.responses import HTMLResponse

from rlhf.loop.admit_people import MAX_NAME, Invitation
from rlhf.types.people import Role
from rlhf.ui.access import Visitor

_HEADERS = {
    "Cache-Control": "no-store",
    # Not "no-referrer": a browser then says "Origin: null" when the form is sent, and nothing would tell our
    # own form from one of another site. To other sites this sends as little.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
}
_STYLE = Path(__file__).with_name("sign_in.css").read_text(encoding="utf-8")
_MAY = {
    Role.ANNOTATOR: "You will compare short clips and say which is better.",
    Role.RESEARCHER: "You may start and stop runs, look at rewards and replays, and invite annotators.",
    Role.ADMIN: "You may do everything here, and decide who may do what.",
}
ADMIN_LINK = "python -m rlhf people invite --role admin"


def invitation_page(invitation: Invitation, token: str, *, name: str, problem: str | None) -> HTMLResponse:
    """Return what a link offers, with a button that takes it; ``name`` is of whoever is signed in already."""
    who = "You are" if invitation.by is None else f"{html.escape(invitation.by)} has"
    if invitation.role is None:
        title, text = f"Welcome back, {html.escape(invitation.name or '')}", "This link signs you in once."
        button, asks_name = "Sign in", False
    else:
        verb = "invited" if invitation.by is None else "invited you"
        title = f"{who} {verb} as {_article(invitation.role)}"
        text = _MAY[invitation.role]
        if invitation.goal is not None:
            text += f" What the agent is to learn: <strong>{html.escape(invitation.goal)}</strong>."
        button, asks_name = "Join", not name
        if name:
            text += f" You are signed in as {html.escape(name)} and stay so."
    form = _form("join", button, token=token, asks_name=asks_name)
    return _page(title, f"{_problem(problem)}<p>{text}</p>{form}", status=400 if problem else 200)


def first_admin_page(*, problem: str | None) -> HTMLResponse:
    """Return what making the first person of a studio means, with the button that does it."""
    text = (
        "<p>So far nobody signs in, because only this computer uses the studio. With you as its admin, "
        "everybody needs a link from you, and what each person may see follows from it.</p>"
        '<p class="soft">This browser stays signed in. Should you ever lose it, this prints a new link on '
        f"the computer of the studio: <code>{ADMIN_LINK}</code></p>"
    )
    form = _form("join", "Become the admin", asks_name=True)
    title = "Invite people to this studio"
    return _page(title, _problem(problem) + text + form, status=400 if problem else 200)


def dead_link_page() -> HTMLResponse:
    """Return what is said of a link that lets nobody in."""
    text = "<p>It has run out, was taken back, or was used already. Ask whoever sent it for a new one.</p>"
    return _page("This link does not work any more", text, status=404)


def sign_out_page(visitor: Visitor) -> HTMLResponse:
    """Return the question whether this browser is to be signed out."""
    text = f"<p>You are signed in as {html.escape(visitor.name)}. To come back you need a link.</p>"
    return _page("Sign out?", text + _form("sign-out", "Sign out", asks_name=False))


def signed_out_page() -> HTMLResponse:
    """Return the farewell."""
    return _page("You are signed out", "<p>Your answers are kept. A link lets you in again.</p>")


def not_admitted(visitor: Visitor) -> HTMLResponse:
    """Return what somebody is told who may do nothing here."""
    if visitor.is_signed_in:
        text = f"<p>You are signed in as {html.escape(visitor.name)}, but may not do anything here yet.</p>"
        return _page("Ask an admin to let you in", text, status=403)
    shell = f"<p>On the computer of the studio this prints a link: <code>{ADMIN_LINK}</code></p>"
    if visitor.is_local:
        text = "<p>People sign in to this studio. Open the link that you were sent.</p>" + shell
    else:
        text = (
            "<p>You need a link from somebody who runs this studio. Open it here, in this browser.</p>"
            f'<div class="soft"><p>Is it yours?</p>{shell}</div>'
        )
    return _page("Sign in to Preference Studio", text, status=401)


def _article(role: Role) -> str:
    return f"{'a' if role is Role.RESEARCHER else 'an'} {role.value}"


def _problem(problem: str | None) -> str:
    return "" if problem is None else f'<p role="alert">{html.escape(problem)}</p>'


def _form(action: str, button: str, *, asks_name: bool, token: str | None = None) -> str:
    hidden = "" if token is None else f'<input type="hidden" name="token" value="{html.escape(token)}">'
    name = (
        '<label for="name">Your name</label>'
        f'<input id="name" name="name" required maxlength="{MAX_NAME}" autocomplete="name" autofocus>'
    )
    return (
        f'<form method="post" action="{action}">{hidden}{name if asks_name else ""}'
        f"<button>{button}</button></form>"
    )


def _page(title: str, body: str, status: int = 200) -> HTMLResponse:
    document = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width, initial-scale=1"><title>{title} · Preference Studio</title>'
        f"<style>{_STYLE}</style></head><body><main><h1>{title}</h1>{body}</main></body></html>"
    )
    return HTMLResponse(document, status_code=status, headers=_HEADERS)
