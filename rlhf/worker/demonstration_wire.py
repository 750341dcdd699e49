"""How browser, web server and demonstrator talk about an episode in the making.

Between server and demonstrator: a loopback socket, messages with their length in front, either JSON or a
picture. The browser's words are checked here, at the edge, before anything is done with them. Imports nothing
heavy: the web process uses it too.
"""

import asyncio
import hmac
import json
import socket
import struct
from typing import Any

_HEAD = struct.Struct(">BI")
_JSON, _PICTURE = 1, 2
PICTURE_HEAD = struct.Struct(">II")
"""In front of every picture: its number, and the episode's step that it shows."""
MAX_MESSAGE_BYTES = 4_000_000
MAX_WORD_BYTES = 2_000
"""The browser's longest word."""
SPEEDS = (0.25, 0.5, 1.0)
MAX_HELD = 16
_PLAIN = ("run", "pause", "restart", "discard", "keep")

Message = dict[str, Any] | bytes


def packed(message: Message) -> bytes:
    """Return a message as bytes for the socket; ``bytes`` are a picture."""
    if isinstance(message, bytes):
        return _HEAD.pack(_PICTURE, len(message)) + message
    text = json.dumps(message).encode()
    return _HEAD.pack(_JSON, len(text)) + text


def receive(connection: socket.socket) -> Message | None:
    """Return the next message, or None when the other side has closed."""
    if (head := _read_exactly(connection, _HEAD.size)) is None:
        return None
    kind, length = _length(head)
    body = _read_exactly(connection, length)
    return None if body is None else _unpacked(kind, body)


async def receive_async(reader: asyncio.StreamReader) -> Message | None:
    """Return the next message, or None when the other side has closed."""
    try:
        kind, length = _length(await reader.readexactly(_HEAD.size))
        return _unpacked(kind, await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def checked_word(text: str) -> dict[str, Any]:
    """Return what a browser said, as far as it means something.

    ``{"type": "hold", "controls": [...]}`` names what is held down; ``seen`` acknowledges the picture with a
    ``number``; ``speed`` has a ``value`` of ``SPEEDS``; run, pause, restart, discard and keep have nothing.

    Raises:
        ValueError: it is not one of these.
    """
    if len(text) > MAX_WORD_BYTES:
        raise ValueError(f"a message has at most {MAX_WORD_BYTES} characters; got {len(text)}.")
    try:
        word = json.loads(text)
    except RecursionError as error:
        raise ValueError("a message must be a flat object.") from error
    kind = word.get("type") if isinstance(word, dict) else None
    if kind in _PLAIN:
        return {"type": kind}
    if kind == "hold":
        held = word.get("controls")
        if isinstance(held, list) and len(held) <= MAX_HELD and all(type(i) is int and i >= 0 for i in held):
            return {"type": kind, "controls": held}
    if kind == "seen" and type(word.get("number")) is int:
        return {"type": kind, "number": word["number"]}
    if kind == "speed" and word.get("value") in SPEEDS:
        return {"type": kind, "value": float(word["value"])}
    raise ValueError(f"the message {text[:80]!r} means nothing here.")


def is_meant(hello: Message | None, token: str) -> bool:
    """Return whether the first message of a connection comes from the demonstrator that was called."""
    said = hello.get("token") if isinstance(hello, dict) else None
    return isinstance(said, str) and hmac.compare_digest(said, token)


def _read_exactly(connection: socket.socket, count: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < count:
        try:
            part = connection.recv(count - len(parts))
        except ConnectionError:
            return None
        if not part:
            return None
        parts += part
    return bytes(parts)


def _length(head: bytes) -> tuple[int, int]:
    kind, length = _HEAD.unpack(head)
    if kind not in (_JSON, _PICTURE) or length > MAX_MESSAGE_BYTES:
        raise ConnectionError(f"a message of kind {kind} and {length} bytes is not understood.")
    return kind, length


def _unpacked(kind: int, body: bytes) -> Message:
    return body if kind == _PICTURE else dict(json.loads(body))
