"""The web server's part in recording demonstrations: it stands between a browser and a demonstrator.

No environment is stepped here. The server waits on a loopback port for the process that a worker starts, and
hands pictures one way and checked words the other.
"""

import asyncio
import contextlib
import dataclasses
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect

from rlhf.errors import FeedbackError, RlhfError
from rlhf.storage import answers, jobs, runs
from rlhf.storage.engine import writing
from rlhf.types.run import JobKind
from rlhf.ui.store import open_store
from rlhf.worker.demonstration_wire import checked_word, is_meant, packed, receive_async

MAX_RECORDINGS = 8
"""People who record at the same time; each has a process of about 120 MB."""
WAIT_S = 40.0
_HELLO_S = 5.0
_ID = re.compile(r"[0-9a-f]{32}")
_RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NO_WORKER = (
    "No worker took this up. The app starts its own; with RLHF_WORKER=external, run `python -m rlhf worker` "
    "on the same machine."
)
_LOST = "The simulator stopped. The episode in the making is lost; everything that was kept is safe."

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_open_lines: set[str] = set()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wish:
    """What a browser asks to record."""

    run_id: str
    takeover: dict[str, Any] | None
    """``{"segment": id, "frame": number}`` of what is taken over."""

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "Wish":
        """Read and check an address's parameters ``run`` and, for a takeover, ``segment`` and ``frame``.

        Raises:
            FeedbackError: one is missing or malformed.
        """
        run_id, segment, frame = query.get("run", ""), query.get("segment"), query.get("frame", "")
        if not _RUN_ID.fullmatch(run_id):
            raise FeedbackError("'run' must be the id of a run.")
        if segment is None:
            return cls(run_id=run_id, takeover=None)
        if not _ID.fullmatch(segment) or not re.fullmatch(r"[0-9]{1,6}", frame):
            raise FeedbackError("'segment' must be the id of a clip and 'frame' a frame of it.")
        return cls(run_id=run_id, takeover={"segment": segment, "frame": int(frame)})


async def relay(websocket: WebSocket, annotator_id: str) -> None:
    """Let one person record until they leave or the demonstrator ends; says why where it cannot.

    Args:
        websocket: accepted, of a browser that may record.
        annotator_id: who it is.
    """
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # the browser went while it was being told
        try:
            wish = Wish.from_query(websocket.query_params)
            if len(_open_lines) >= MAX_RECORDINGS:
                raise FeedbackError(f"{MAX_RECORDINGS} people are recording already; try again in a while.")
            async with _called(wish.run_id, annotator_id) as line:
                await _relay(websocket, line, {"annotator": annotator_id, "takeover": wish.takeover})
        except RlhfError as error:
            await websocket.send_json({"type": "ended", "message": str(error)})
        await websocket.close()


@contextlib.asynccontextmanager
async def _called(run_id: str, annotator_id: str) -> AsyncIterator[asyncio.Future[Line]]:
    """Call a demonstrator; gives its line as soon as it is there."""
    token = secrets.token_hex(16)
    line: asyncio.Future[Line] = asyncio.get_running_loop().create_future()

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = None
        with contextlib.suppress(TimeoutError, ValueError):
            hello = await asyncio.wait_for(receive_async(reader), _HELLO_S)
        if is_meant(hello, token) and not line.done():
            line.set_result((reader, writer))
        else:
            writer.close()

    _open_lines.add(token)
    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    subject = f"{server.sockets[0].getsockname()[1]}-{token}"
    try:
        await run_in_threadpool(_enqueue, run_id, annotator_id, subject)
        yield line
    finally:
        _open_lines.discard(token)
        server.close()
        if line.done() and not line.cancelled():
            line.result()[1].close()
        else:
            line.cancel()
            await run_in_threadpool(_withdraw, subject)


async def _relay(websocket: WebSocket, line: asyncio.Future[Line], opening: dict[str, Any]) -> None:
    talks = {
        asyncio.create_task(_hand_pictures_over(websocket, line, opening)),
        asyncio.create_task(_hand_words_over(websocket, line)),
    }
    try:
        done, _ = await asyncio.wait(talks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


async def _hand_pictures_over(
    websocket: WebSocket, line: asyncio.Future[Line], opening: dict[str, Any]
) -> None:
    try:
        reader, writer = await asyncio.wait_for(asyncio.shield(line), WAIT_S)
    except TimeoutError:
        await websocket.send_json({"type": "ended", "message": _NO_WORKER})
        return
    writer.write(packed({"type": "open", **opening}))
    while (message := await receive_async(reader)) is not None:
        if isinstance(message, bytes):
            await websocket.send_bytes(message)
            continue
        await websocket.send_json(message)
        if message.get("type") == "ended":
            return
    await websocket.send_json({"type": "ended", "message": _LOST})


async def _hand_words_over(websocket: WebSocket, line: asyncio.Future[Line]) -> None:
    while (message := await websocket.receive())["type"] != "websocket.disconnect":
        try:
            word = checked_word(message.get("text") or "")
        except ValueError as error:
            await websocket.send_json({"type": "problem", "message": str(error)})
            continue
        if line.done():
            writer = line.result()[1]
            writer.write(packed(word))
            with contextlib.suppress(ConnectionError):  # the other talk notices, and says so
                await writer.drain()


def _enqueue(run_id: str, annotator_id: str, subject: str) -> None:
    with writing(open_store().engine) as connection:
        runs.get_run(connection, run_id)
        answers.insert_annotator(connection, "Annotator", is_teacher=False, annotator_id=annotator_id)
        jobs.enqueue(connection, run_id, JobKind.RECORD, subject)


def _withdraw(subject: str) -> None:
    with writing(open_store().engine) as connection:
        jobs.withdraw(connection, JobKind.RECORD, subject)
