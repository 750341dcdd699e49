"""A run's curves as TensorBoard files, for people who look at their runs there.

The store stays the only source: what is in it and not yet in the files is added now and then.
"""

import contextlib
import time
from pathlib import Path

import sqlalchemy as sa
from tensorboardX import SummaryWriter

from rlhf.storage import runs
from rlhf.storage.engine import reading

_SPACING_S = 5.0


class EventFiles:
    """Writes the curves of one run into ``folder``.

    A point taken back by going on from a checkpoint is hidden in TensorBoard too. A file that cannot be
    written (the disk is full) never stops the run: what is missing is added when there is room again.

    Args:
        engine: the store's database.
        run_id: whose curves.
        folder: made if need be; each start of a run adds a file.
        from_steps: earlier points are in files that were written before.
    """

    def __init__(self, engine: sa.Engine, run_id: str, folder: Path, *, from_steps: int) -> None:
        self._engine, self._run_id, self._folder = engine, run_id, folder
        self._writer: SummaryWriter | None = None
        self._written_steps = from_steps
        self._written_at = time.monotonic()

    def update(self) -> None:
        """Add what is new, unless that was done a moment ago."""
        if time.monotonic() - self._written_at >= _SPACING_S:
            self._write()

    def close(self) -> None:
        """Add what is new and close the file."""
        self._write()
        if self._writer is not None:
            self._writer.close()

    def _write(self) -> None:
        self._written_at = time.monotonic()
        with reading(self._engine) as connection:
            points = runs.get_curves(connection, self._run_id, after_steps=self._written_steps)
        with contextlib.suppress(OSError):
            if self._writer is None:
                self._writer = SummaryWriter(str(self._folder), purge_step=self._written_steps + 1)
            for name, steps, value in points:
                self._writer.add_scalar(name, value, steps)
            self._writer.flush()
            self._written_steps = max([self._written_steps, *(steps for _, steps, _ in points)])
