"""A visitor of a running studio without a browser: joins by a link, opens pages, answers.

Speaks to the server exactly as a browser does: the pages over Streamlit's websocket, the rest over the
studio's own routes on one kept connection.
"""

import contextlib
import http.client
import json
from typing import Any
from urllib.parse import urlencode, urlsplit

from rlhf.errors import JobError

TIMEOUT_S = 60.0
_COOKIE = "preference_studio_sign_in"
_WORDS = ("body", "label", "message", "component_name")


class Visitor:
    """One person's browser; close it when done."""

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        """Visit the studio at an address such as ``http://127.0.0.1:8501``; connects when first needed."""
        self.url = url.rstrip("/")
        self.host = urlsplit(self.url).netloc
        self.timeout_s = timeout_s
        self.cookies: dict[str, str] = {}
        self._connection = http.client.HTTPConnection(self.host, timeout=timeout_s)
        self._open = contextlib.ExitStack()
        self._socket: Any = None

    def join(self, link: str, name: str) -> None:
        """Take an invitation; raises JobError if it lets nobody in."""
        token = link.rpartition("token=")[2]
        form = urlencode({"token": token, "name": name})
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        status, _ = self.request("POST", "/join", form.encode(), kind)
        if status != 303 or _COOKIE not in self.cookies:
            raise JobError(f"{name} could not join: the studio answered {status}.")

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Send one request with this visitor's cookies and return status and body of the reply."""
        sent = {"Origin": self.url, "X-Preference-Studio": "1"} | self._cookie_header() | (headers or {})
        try:
            self._connection.request(method, path, body, sent)
            reply = self._connection.getresponse()
        except (http.client.HTTPException, ConnectionError):  # the server has closed the kept connection
            self._connection.close()
            self._connection.request(method, path, body, sent)
            reply = self._connection.getresponse()
        content = reply.read()
        for value in reply.headers.get_all("Set-Cookie") or []:
            name, _, rest = value.partition("=")
            self.cookies[name] = rest.partition(";")[0]
        return reply.status, content

    def post_answers(self, run_id: str, answers: list[dict[str, Any]], have: list[str]) -> dict[str, Any]:
        """Send answers as the player does and return the server's reply.

        Raises:
            JobError: the server did not take them.
        """
        body = json.dumps({"run": run_id, "answers": answers, "have": have}).encode()
        status, content = self.request("POST", "/api/answers", body, {"Content-Type": "application/json"})
        if status != 200:
            raise JobError(f"the studio answered {status}: {content[:200]!r}.")
        reply: dict[str, Any] = json.loads(content)
        return reply

    def queue(self, run_id: str, have: list[str]) -> dict[str, Any]:
        """Ask for pairs as the player does and return the server's reply.

        Raises:
            JobError: the server gives none.
        """
        query = urlencode({"run": run_id, "have": ",".join(have)})
        status, content = self.request("GET", f"/api/queue?{query}")
        if status != 200:
            raise JobError(f"the studio answered {status}: {content[:200]!r}.")
        reply: dict[str, Any] = json.loads(content)
        return reply

    def open_tab(self, path: str = "/_stcore/stream") -> None:
        """Open the websocket of a tab, or another one of the server's.

        Raises:
            JobError: the server refuses it.
        """
        from websockets.exceptions import InvalidStatus
        from websockets.sync.client import connect
        from websockets.typing import Origin, Subprotocol

        try:
            tab = connect(
                f"ws://{self.host}{path}",
                origin=Origin(self.url),
                subprotocols=[Subprotocol("streamlit")],
                additional_headers=self._cookie_header(),
                open_timeout=self.timeout_s,
                max_size=None,
            )
            self._socket = self._open.enter_context(tab)
        except InvalidStatus as error:
            raise JobError(f"the studio refuses the websocket: {error}.") from error

    def show(self, page: str, **query: str) -> list[str]:
        """Ask for a page in the open tab and return its texts once its script has run.

        Raises:
            JobError: the server has closed the tab, or does not answer.
        """
        from streamlit.proto.BackMsg_pb2 import BackMsg
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
        from websockets.exceptions import ConnectionClosed

        ask = BackMsg()
        ask.rerun_script.page_name = page
        ask.rerun_script.query_string = urlencode(query)
        texts: list[str] = []
        try:
            self._socket.send(ask.SerializeToString())
            while True:
                message = ForwardMsg.FromString(self._socket.recv(timeout=self.timeout_s))
                if message.WhichOneof("type") == "script_finished":
                    if message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                        continue
                    return texts
                texts += _texts(message)
        except (ConnectionClosed, TimeoutError) as error:
            raise JobError(f"the tab was closed: {error}.") from error

    def close(self) -> None:
        """Close tab and connection."""
        self._open.close()
        self._connection.close()

    def _cookie_header(self) -> dict[str, str]:
        if not self.cookies:
            return {}
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}


def _texts(message: Any) -> list[str]:
    """Return the words of a new element, and of the navigation those that are shown."""
    if message.WhichOneof("type") == "navigation":
        return [
            f"navigation: {page.page_name}" for page in message.navigation.app_pages if not page.is_hidden
        ]
    if message.WhichOneof("type") != "delta" or message.delta.WhichOneof("type") != "new_element":
        return []
    element = message.delta.new_element
    kind = element.WhichOneof("type")
    part = getattr(element, kind)
    return [str(getattr(part, name)) for name in _WORDS if hasattr(part, name)]
