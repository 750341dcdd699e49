"""Streamlit's documents say where their server is; nothing else is changed."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import streamlit
from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import FileResponse, JSONResponse
from starlette.types import ASGIApp, Message

from rlhf.ui.front_page import FrontPage

INDEX = Path(streamlit.__file__).parent / "static" / "index.html"
SCRIPT = "<script>window.__streamlit = { BACKEND_BASE_URL:"
PROGRAM = '<script type="module" '


def ask(app: ASGIApp, accept: str) -> tuple[Headers, str]:
    """Return headers and text of what an application sends a browser that takes it compressed."""
    sent: list[Message] = []
    asked = [(b"accept", accept.encode()), (b"accept-encoding", b"gzip")]
    scope = {"type": "http", "method": "GET", "path": "/replays", "headers": asked}

    async def receive() -> Message:  # the browser stays until it has been answered
        return await asyncio.Future()

    async def send(message: Message) -> None:
        sent.append(message)

    async def answer() -> None:
        await FrontPage(GZipMiddleware(app))(scope, receive, send)

    with ThreadPoolExecutor(1) as thread:  # the browser tests leave a loop running in this one
        thread.submit(asyncio.run, answer()).result()
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Headers(raw=sent[0]["headers"]), body.decode(errors="replace")


def test_a_document_says_where_the_server_is_before_its_program_starts() -> None:
    headers, text = ask(FileResponse(INDEX), "text/html,*/*;q=0.8")
    assert text.count(SCRIPT) == 1
    assert text.index(SCRIPT) < text.index(PROGRAM)
    assert headers["content-length"] == str(len(text.encode()))


def test_the_rest_of_the_document_is_as_it_was() -> None:
    _, text = ask(FileResponse(INDEX), "text/html")
    start = text.index(SCRIPT)
    end = text.index("</script>", start) + len("</script>")
    assert text[:start] + text[end:] == INDEX.read_text()


def test_what_is_no_document_is_left_alone() -> None:
    headers, text = ask(JSONResponse({"html": PROGRAM}), "text/html")
    assert text == JSONResponse({"html": PROGRAM}).body.decode()
    assert headers["content-type"] == "application/json"


def test_what_is_asked_for_as_data_stays_compressed() -> None:
    headers, text = ask(FileResponse(INDEX), "*/*")
    assert headers["content-encoding"] == "gzip"
    assert SCRIPT not in text
