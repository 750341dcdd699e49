"""The document that Streamlit's program starts in, told where its server is.

Opened at the address of a page, that program looks for its server below that address first, is refused, waits
and looks again one level up: two tenths of a second before it asks for the page. The server is where the
program's own scripts are, beside the document.
"""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BEFORE = b'<script type="module" '
_HINT = b"<script>window.__streamlit = { BACKEND_BASE_URL: new URL('./', document.baseURI).href }</script>"


class FrontPage:
    """Middleware that adds the address of the server to Streamlit's documents and leaves all else alone."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or websocket."""
        if scope["type"] != "http" or "text/html" not in Headers(scope=scope).get("accept", ""):
            await self.app(scope, receive, send)
            return
        plain = [header for header in scope["headers"] if header[0] != b"accept-encoding"]
        await self.app({**scope, "headers": plain}, receive, _Document(send).send)


class _Document:
    """Sends one response on, a document only when it is complete."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if MutableHeaders(scope=message).get("content-type", "").startswith("text/html"):
                self._start = message
                return
        elif self._start is not None and message["type"] == "http.response.body":
            self._body += message.get("body", b"")
            if message.get("more_body", False):
                return
            message = {"type": "http.response.body", "body": self._body.replace(_BEFORE, _HINT + _BEFORE, 1)}
            MutableHeaders(scope=self._start)["content-length"] = str(len(message["body"]))
            await self._send(self._start)
        await self._send(message)
