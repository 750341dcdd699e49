"""Whether a request that changes something was sent by one of our own pages."""

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request

HEADER = "x-preference-studio"
"""Our own scripts send it; a page of another site cannot."""


def forged_json(request: Request) -> str | None:
    """Return why a request cannot come from a script of ours, or None."""
    if request.headers.get("content-type", "").split(";")[0] != "application/json":
        return "the content type must be application/json"
    if request.headers.get(HEADER) != "1":
        return "the header X-Preference-Studio: 1 is missing"
    return foreign(request)


def forged_form(request: Request) -> str | None:
    """Return why a request cannot come from a form of ours, or None."""
    if request.headers.get("origin") is None and request.headers.get("sec-fetch-site") is None:
        return "the request does not say which page it comes from"  # every browser does
    return foreign(request)


def foreign(request: HTTPConnection) -> str | None:
    """Return why a request or websocket is not opened by a page of this server or by a program, or None."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    if site is not None:  # written by the browser itself, and right behind a proxy that renames the host
        return None if site == "same-origin" else "the request comes from another site"
    if origin is None:
        return None
    try:
        is_ours = urlsplit(origin).netloc == request.headers.get("host")
    except ValueError:
        is_ours = False
    return None if is_ours else "the request comes from another site"
