"""The studio's own routes, served by a real server on a free port."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import uvicorn
from http_browser import Browser
from starlette.applications import Starlette

from rlhf.ui import routes
from rlhf.ui.store import open_store


@pytest.fixture
def fresh_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Let the routes open the store of this test, and close it afterwards."""
    for name in ("RLHF_DATABASE_URL", "RLHF_BLOB_URL", "RLHF_WORKER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RLHF_DATA_DIR", str(tmp_path / "data"))
    open_store.cache_clear()
    yield
    if open_store.cache_info().currsize:
        open_store().engine.dispose()
    open_store.cache_clear()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where one server serves the routes for all tests; which store they open is each test's own."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            Starlette(routes=routes.routes()),
            log_level="warning",
            ws="none",
            lifespan="off",
            access_log=False,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.005)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(20)


@pytest.fixture
def browser(port: int, fresh_store: None) -> Browser:
    return Browser(port)


@pytest.fixture
def run_id(make_run: Callable[..., str]) -> str:
    return make_run()
