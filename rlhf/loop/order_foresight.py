"""Ordering on a page what looking ahead would bring a run. Light enough for the web process."""

import sqlalchemy as sa

from rlhf.storage import foresights, jobs
from rlhf.storage.engine import writing
from rlhf.types.run import JobKind, JobState


def order_foresight(engine: sa.Engine, run_id: str) -> None:
    """Have it measured; one that is going on already is not begun twice."""
    with writing(engine) as connection:
        row = foresights.get_foresight(connection, run_id)
        job = jobs.find(connection, JobKind.FORESEE, run_id)
        waits = job is not None and job["state"] in (JobState.WAITING, JobState.CLAIMED)
        if row is None or not row["begun_at"] or not waits:
            foresights.begin(connection, run_id)
        jobs.enqueue(connection, run_id, JobKind.FORESEE, run_id)


def stop_foresight(engine: sa.Engine, run_id: str) -> None:
    """Give the measurement up; what an earlier one found stays."""
    with writing(engine) as connection:
        foresights.stop(connection, run_id)
        jobs.withdraw(connection, JobKind.FORESEE, run_id)
