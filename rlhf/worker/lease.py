"""Keeps a claimed job and the worker's sign of life fresh while the work goes on."""

import threading
from types import TracebackType

import sqlalchemy as sa

from rlhf.errors import LeaseLostError, StorageError
from rlhf.storage import jobs
from rlhf.storage.engine import writing

BEAT_S = 2.0


class Heartbeat:
    """A thread that renews one worker's presence and, while there is one, its lease.

    Args:
        engine: the store's database.
        worker_id: this worker, as registered.
    """

    def __init__(self, engine: sa.Engine, worker_id: str) -> None:
        self._engine, self._worker_id = engine, worker_id
        self._job_id: str | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    @property
    def is_lost(self) -> bool:
        """Whether another worker has taken the job; what it would write must not be written."""
        return self._lost.is_set()

    def __enter__(self) -> "Heartbeat":
        """Start beating."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Stop beating."""
        self._stop.set()
        self._thread.join()

    def hold(self, job_id: str | None) -> None:
        """Beat for this job from now on; None for no job."""
        with self._lock:
            self._job_id = job_id
            self._lost.clear()

    def _run(self) -> None:
        while not self._stop.wait(BEAT_S):
            with self._lock:
                try:
                    with writing(self._engine) as connection:
                        jobs.worker_seen(connection, self._worker_id)
                        if self._job_id is not None and not self._lost.is_set():
                            jobs.beat(connection, self._job_id, self._worker_id)
                except LeaseLostError:
                    self._lost.set()
                except StorageError:
                    continue  # a full disk or a busy database; the next beat tries again
