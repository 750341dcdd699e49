"""A browser reduced to what tests of the routes need."""

import dataclasses
import http.client
import json
from typing import Any

from rlhf.ui import routes

JSON = {"Content-Type": "application/json", "X-Preference-Studio": "1"}
"""Headers of a request from our own page."""


@dataclasses.dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclasses.dataclass(frozen=True)
class Browser:
    """Sends requests exactly as they are written here; keeps no cookie by itself."""

    port: int

    def send(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, named, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        return self.send("GET", path, headers=headers)

    def post(self, run: Any, answers: Any, *, cookie: str = "", **more: Any) -> Reply:
        headers = JSON | ({"Cookie": f"{routes.COOKIE}={cookie}"} if cookie else {})
        return self.send("POST", "/api/answers", json.dumps({"run": run, "answers": answers} | more), headers)
