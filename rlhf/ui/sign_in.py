"""The routes by which people come in and go: ``/join`` and ``/sign-out``.

Opening a link only shows what it offers, so that programs which look at links in messages do not use it up; a
button takes it. The token is in no address afterwards.
"""

import time
from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from rlhf.errors import FeedbackError, RlhfError
from rlhf.loop import admit_people
from rlhf.ui import sign_in_pages
from rlhf.ui.access import SIGN_IN_COOKIE, Visitor, visitor_of
from rlhf.ui.origin import forged_form
from rlhf.ui.store import open_store

_MAX_FORM_BYTES = 4000
_ATTEMPTS = 20
_WINDOW_S = 60.0


class Attempts:
    """How many links that let nobody in were tried of late, by address.

    Nobody guesses a token; this only keeps somebody who tries from keeping the database busy.
    """

    def __init__(self) -> None:
        """Start with none."""
        self._failures: dict[str, list[float]] = {}

    def are_too_many(self, address: str, now: float) -> bool:
        """Whether an address has to wait before it may try again."""
        self._failures = {k: kept for k, v in self._failures.items() if (kept := _recent(v, now))}
        return len(self._failures.get(address, ())) >= _ATTEMPTS

    def count(self, address: str, now: float) -> None:
        """Note a failure."""
        self._failures.setdefault(address, []).append(now)


ATTEMPTS = Attempts()


def show_join(request: Request) -> Response:
    """Show what a link offers; without a link, on a studio that is still open, how to become its admin."""
    return _answer(request, lambda: _show(request))


async def join(request: Request) -> Response:
    """Take what a link offers, or become the first admin."""
    if problem := forged_form(request):
        return JSONResponse({"error": problem}, status_code=403)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MAX_FORM_BYTES:
            return JSONResponse({"error": f"at most {_MAX_FORM_BYTES} bytes"}, status_code=413)
    fields = parse_qs(body.decode(errors="replace"))
    token, name = fields.get("token", [""])[0], fields.get("name", [""])[0]
    return await run_in_threadpool(_answer, request, lambda: _join(request, token, name))


def show_sign_out(request: Request) -> Response:
    """Ask whether this browser is to be signed out."""
    return _answer(request, lambda: _show_sign_out(visitor_of(request)))


def sign_out(request: Request) -> Response:
    """Sign this browser out."""
    if problem := forged_form(request):
        return JSONResponse({"error": problem}, status_code=403)
    return _answer(request, lambda: _sign_out(request))


def _show(request: Request) -> Response:
    visitor, token = visitor_of(request), request.query_params.get("token", "")
    if not token:
        return (
            sign_in_pages.first_admin_page(problem=None)
            if visitor.is_open
            else sign_in_pages.not_admitted(visitor)
        )
    return _offer(request, visitor, token, problem=None)


def _offer(request: Request, visitor: Visitor, token: str, problem: str | None) -> Response:
    address, now = _address(request), time.time()
    if ATTEMPTS.are_too_many(address, now):
        return JSONResponse({"error": "too many links that do not work; wait a minute"}, status_code=429)
    invitation = admit_people.look_at(open_store().engine, token, now=now)
    if invitation is None:
        ATTEMPTS.count(address, now)
        return sign_in_pages.dead_link_page()
    known = visitor.name if visitor.is_signed_in else ""
    return sign_in_pages.invitation_page(invitation, token, name=known, problem=problem)


def _join(request: Request, token: str, name: str) -> Response:
    visitor, engine, now = visitor_of(request), open_store().engine, time.time()
    if not token and not visitor.is_open:
        return sign_in_pages.not_admitted(visitor)
    if token and ATTEMPTS.are_too_many(_address(request), now):
        return JSONResponse({"error": "too many links that do not work; wait a minute"}, status_code=429)
    try:
        known, unnamed = visitor.annotator_id, None
        if not visitor.is_signed_in:
            known, unnamed = None, known
        if token:
            entered = admit_people.redeem(engine, token, name=name, now=now, signed_in=known, unnamed=unnamed)
        else:
            entered = admit_people.become_admin(engine, name=name, now=now, unnamed=unnamed)
    except FeedbackError as error:
        problem = f"{str(error)[0].upper()}{str(error)[1:]}"
        if not token:
            return sign_in_pages.first_admin_page(problem=problem)
        return _offer(request, visitor, token, problem)
    to = "access" if not token else "./" if entered.run_id is None else f"label?run={entered.run_id}"
    response = RedirectResponse(to, status_code=303, headers={"Cache-Control": "no-store"})
    response.headers["Referrer-Policy"] = "no-referrer"
    response.set_cookie(
        SIGN_IN_COOKIE,
        entered.token,
        httponly=True,
        samesite="lax",
        secure=_is_https(request),
        max_age=int(admit_people.SIGNED_IN_S),
    )
    return response


def _show_sign_out(visitor: Visitor) -> Response:
    return (
        sign_in_pages.sign_out_page(visitor) if visitor.is_signed_in else sign_in_pages.not_admitted(visitor)
    )


def _sign_out(request: Request) -> Response:
    admit_people.sign_out(open_store().engine, request.cookies.get(SIGN_IN_COOKIE, ""))
    response = sign_in_pages.signed_out_page()
    response.delete_cookie(SIGN_IN_COOKIE, httponly=True, samesite="lax", secure=_is_https(request))
    return response


def _answer(request: Request, work: Callable[[], Response]) -> Response:
    try:
        return work()
    except RlhfError as error:
        return JSONResponse({"error": str(error)}, status_code=503)


def _address(request: Request) -> str:
    return "" if request.client is None else request.client.host


def _is_https(request: Request) -> bool:
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))


def _recent(times: list[float], now: float) -> list[float]:
    return [t for t in times if t > now - _WINDOW_S]
