"""What the web server does once: open the store, start the workers, keep answers fast.

Runs in the server's lifespan, so once per server: not per browser tab, rerun or page edit.
"""

import contextlib
import gc
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from rlhf.errors import RlhfError
from rlhf.ui.store import open_store
from rlhf.worker.process import Supervisor


@contextlib.asynccontextmanager
async def lifespan(_app: Any) -> AsyncIterator[dict[str, Any]]:
    """Prepare the server, and end the workers it started when it ends.

    A store that cannot be used (damaged, or written by a newer program) ends the server with one line.
    """
    try:
        store = open_store()
    except RlhfError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        os._exit(1)  # nothing has started yet, and an exception here would bury the line under a traceback
    supervisor = Supervisor() if store.settings.worker == "embedded" else None
    if supervisor is not None:
        supervisor.start()
    _send_small_replies_at_once()
    # What is imported by now lives as long as the server; collecting it again and again holds everybody up.
    gc.collect()
    gc.freeze()
    try:
        yield {}
    finally:
        if supervisor is not None:
            supervisor.stop()


def _send_small_replies_at_once() -> None:
    """Set TCP_NODELAY on the listening sockets, which accepted ones inherit on Linux.

    The server leaves it off for sockets it binds itself, which adds 40 ms to each reply on a kept connection.
    """
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        return
    for name in os.listdir(folder):
        try:
            if not os.readlink(folder / name).startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(name))) as found:
                is_listening = found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
                if is_listening and found.family in (socket.AF_INET, socket.AF_INET6):
                    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            continue  # the descriptor was closed meanwhile
