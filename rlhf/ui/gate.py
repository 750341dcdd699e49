"""The door of the web server: who sends it decides about every request and every message of a websocket."""

import dataclasses
import time
from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rlhf.errors import ConfigError, StorageError
from rlhf.types.people import Role
from rlhf.ui import sign_in_pages
from rlhf.ui.access import Visitor, has_identity_provider, visitor_of

_POLICY_VIOLATION = 1008
_WATCH_S = 0.5


@dataclasses.dataclass(frozen=True)
class Everyone:
    """Says that a route is for strangers too."""


EVERYONE = Everyone()
Needs = Role | Everyone
OwnRoute = Route | WebSocketRoute


def guarded(routes: Sequence[OwnRoute], needs: dict[str, Needs]) -> list[OwnRoute]:
    """Put a guard before each route that lets in only whom the table says.

    Args:
        routes: to be served.
        needs: path of each route -> the least role it takes.

    Raises:
        ConfigError: a route is not in the table, or the table names one that there is not.
    """
    paths = [route.path for route in routes]
    if missing := sorted(set(paths) ^ set(needs)):
        raise ConfigError(
            f"{', '.join(missing)}: each route must say in NEEDS which role it takes, or EVERYONE, "
            "and each path in NEEDS must be a route's."
        )
    for route in routes:
        least = needs[route.path]
        if isinstance(least, Role):
            route.app = _Guard(route.app, least)
    return list(routes)


class Gate:
    """Middleware that keeps strangers away from everything but the routes that are for them.

    Somebody who may do nothing gets a page that says what to do instead of the studio, and no websocket.
    While an identity provider is configured the studio's own pages do that, as the way to the provider leads
    through them. A websocket lasts only as long as its visitor may do no less than when it was opened: once
    somebody is signed out, a tab they left open does nothing any more, whatever part of a page it asks for.
    """

    def __init__(self, app: ASGIApp, own_paths: Sequence[OwnRoute]) -> None:
        """Wrap an application; ``own_paths`` are the routes with a guard of their own."""
        self.app = app
        self.own_paths = own_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve or refuse one request or websocket."""
        if scope["type"] == "lifespan" or any(route.matches(scope)[0].value for route in self.own_paths):
            await self.app(scope, receive, send)
            return
        try:
            visitor = await run_in_threadpool(visitor_of, HTTPConnection(scope))
        except StorageError as error:
            await _refuse(scope, receive, send, JSONResponse({"error": str(error)}, status_code=503))
            return
        if visitor.role is None and not has_identity_provider():
            await _refuse(scope, receive, send, sign_in_pages.not_admitted(visitor))
        elif scope["type"] == "websocket":
            await Watch(scope, receive, send, visitor).run(self.app)
        else:
            await self.app(scope, receive, send)


class _Guard:
    """One route, for those with a role only; leaves the visitor in ``scope["visitor"]``."""

    def __init__(self, app: ASGIApp, least: Role) -> None:
        self.app = app
        self.least = least

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            visitor = await run_in_threadpool(visitor_of, HTTPConnection(scope))
        except StorageError as error:
            await _refuse(scope, receive, send, JSONResponse({"error": str(error)}, status_code=503))
            return
        if not visitor.may(self.least):
            what = (
                "you may not see this" if visitor.is_signed_in else "you are signed out; ask for a new link"
            )
            status = 403 if visitor.is_signed_in else 401
            headers = {"Cache-Control": "no-store"}
            await _refuse(scope, receive, send, JSONResponse({"error": what}, status, headers))
            return
        scope["visitor"] = visitor
        if scope["type"] == "websocket":
            await Watch(scope, receive, send, visitor, every_s=_WATCH_S).run(self.app)
        else:
            await self.app(scope, receive, send)


class Watch:
    """One websocket, ended as soon as its visitor may do less than when it was opened.

    Looks before each message, or at most every ``every_s`` seconds where messages are many.
    """

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, visitor: Visitor, every_s: float = 0.0
    ) -> None:
        """Stand between a websocket and whatever serves it."""
        self.scope, self._receive, self._send = scope, receive, send
        self.visitor, self.every_s = visitor, every_s
        self.looked_at = time.monotonic()
        self.is_closed = False

    async def run(self, app: ASGIApp) -> None:
        """Let an application serve the websocket."""
        await app(self.scope, self.receive, self.send)

    async def receive(self) -> Message:
        """Return the next message, or the end of the websocket where its visitor may not go on."""
        message = await self._receive()
        if message["type"] != "websocket.receive" or self.is_closed or await self._is_still_admitted():
            return message
        self.is_closed = True
        await self._send({"type": "websocket.close", "code": _POLICY_VIOLATION})
        return {"type": "websocket.disconnect", "code": _POLICY_VIOLATION}

    async def send(self, message: Message) -> None:
        """Send a message unless the websocket was ended."""
        if not self.is_closed:
            await self._send(message)

    async def _is_still_admitted(self) -> bool:
        if time.monotonic() - self.looked_at < self.every_s:
            return True
        self.looked_at, then = time.monotonic(), self.visitor
        try:
            now = await run_in_threadpool(visitor_of, HTTPConnection(self.scope))
        except StorageError:
            return False
        return then.role is None or (now.may(then.role) and now.annotator_id == then.annotator_id)


async def _refuse(scope: Scope, receive: Receive, send: Send, response: Response) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
    else:
        await response(scope, receive, send)
