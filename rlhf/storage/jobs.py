"""Background jobs with leases, and the workers that are alive.

A job is claimed for a limited time and kept by heartbeats. Nothing is deleted at claim: a job whose lease
ran out is claimable again, so a killed worker's work is taken over. Finished jobs keep their row.
"""

import time
import uuid
from collections.abc import Collection, Sequence

import sqlalchemy as sa

from rlhf.errors import LeaseLostError
from rlhf.storage.schema import jobs, runs, workers
from rlhf.types.run import JobKind, JobState, RunState

LEASE_S = 10.0
"""How long a claimed job stays claimed without a heartbeat."""
MAX_ATTEMPTS = 3
"""A render or evaluation that failed so often is given up; training is taken over as often as needed."""


def enqueue(connection: sa.Connection, run_id: str, kind: JobKind, subject: str) -> None:
    """Make sure that a job for ``subject`` is waiting, unless it is already waiting or claimed."""
    now = time.time()
    same = (jobs.c.kind == kind) & (jobs.c.subject == subject)
    row = connection.execute(sa.select(jobs.c.id, jobs.c.state).where(same)).first()
    if row is None:
        connection.execute(
            jobs.insert().values(
                id=uuid.uuid4().hex,
                run_id=run_id,
                kind=kind,
                state=JobState.WAITING,
                subject=subject,
                queued_at=now,
            )
        )
    elif row.state in (JobState.DONE, JobState.FAILED):
        connection.execute(
            jobs.update()
            .where(jobs.c.id == row.id)
            .values(
                state=JobState.WAITING, queued_at=now, attempts=0, owner=None, lease_until=None, error=None
            )
        )


def claim(
    connection: sa.Connection, kinds: Sequence[JobKind], owner: str, without: Collection[str] = ()
) -> sa.RowMapping | None:
    """Claim the job that has waited longest, or None. Training only of runs that somebody wants running.

    A claimed job whose lease ran out counts as waiting; its attempt is counted. Those in ``without`` are
    passed over.
    """
    now = time.time()
    given_up = (jobs.c.kind != JobKind.TRAIN) & (jobs.c.attempts >= MAX_ATTEMPTS)
    connection.execute(
        jobs.update()
        .where(given_up, jobs.c.state == JobState.CLAIMED, jobs.c.lease_until < now)
        .values(state=JobState.FAILED, owner=None, error=f"the worker died {MAX_ATTEMPTS} times at this job")
    )
    free = (jobs.c.state == JobState.WAITING) | (
        (jobs.c.state == JobState.CLAIMED) & (jobs.c.lease_until < now)
    )
    allowed = (jobs.c.kind != JobKind.TRAIN) | (runs.c.wanted == RunState.RUNNING)
    query = (
        sa.select(jobs)
        .join(runs, runs.c.id == jobs.c.run_id)
        .where(jobs.c.kind.in_(kinds), jobs.c.id.not_in(list(without)), free, allowed)
        .order_by(jobs.c.queued_at)
        .limit(1)
        .with_for_update(skip_locked=True, of=jobs)
    )
    job = connection.execute(query).mappings().first()
    if job is not None:
        connection.execute(
            jobs.update()
            .where(jobs.c.id == job["id"])
            .values(
                state=JobState.CLAIMED, owner=owner, lease_until=now + LEASE_S, attempts=job["attempts"] + 1
            )
        )
    return job


def beat(connection: sa.Connection, job_id: str, owner: str) -> None:
    """Prolong a lease.

    Raises:
        LeaseLostError: the job is no longer this owner's.
    """
    mine = (jobs.c.id == job_id) & (jobs.c.owner == owner) & (jobs.c.state == JobState.CLAIMED)
    result = connection.execute(jobs.update().where(mine).values(lease_until=time.time() + LEASE_S))
    if result.rowcount == 0:
        raise LeaseLostError(f"job {job_id} is no longer held by {owner}; its work stops here.")


def release(
    connection: sa.Connection, job_id: str, owner: str, state: JobState, error: str | None = None
) -> None:
    """Give a job back: DONE, FAILED, or WAITING to be claimed again later. Not ours any more: no effect."""
    connection.execute(
        jobs.update()
        .where(jobs.c.id == job_id, jobs.c.owner == owner)
        .values(state=state, owner=None, lease_until=None, error=error, queued_at=time.time())
    )


def withdraw(connection: sa.Connection, kind: JobKind, subject: str) -> None:
    """Let a job that no worker has taken yet count as done."""
    waits = (jobs.c.kind == kind) & (jobs.c.subject == subject) & (jobs.c.state == JobState.WAITING)
    connection.execute(jobs.update().where(waits).values(state=JobState.DONE))


def has_claimable(connection: sa.Connection, kinds: Sequence[JobKind], *, waited_s: float = 0.0) -> bool:
    """Whether a job of these kinds has waited for a worker for so many seconds, or lost its worker."""
    now = time.time()
    is_free = ((jobs.c.state == JobState.WAITING) & (jobs.c.queued_at <= now - waited_s)) | (
        (jobs.c.state == JobState.CLAIMED) & (jobs.c.lease_until < now)
    )
    waiting = (
        sa.select(jobs.c.id)
        .join(runs, runs.c.id == jobs.c.run_id)
        .where(jobs.c.kind.in_(kinds), is_free)
        .where((jobs.c.kind != JobKind.TRAIN) | (runs.c.wanted == RunState.RUNNING))
        .limit(1)
    )
    return connection.execute(waiting).first() is not None


def register_worker(connection: sa.Connection, worker_id: str, role: str, pid: int, host: str) -> None:
    """Make a worker visible; forget those not seen for an hour."""
    now = time.time()
    connection.execute(workers.delete().where(workers.c.seen_at < now - 3600))
    connection.execute(
        workers.insert().values(id=worker_id, role=role, pid=pid, host=host, seen_at=now, note="")
    )


def worker_seen(connection: sa.Connection, worker_id: str, note: str | None = None) -> None:
    """Renew a worker's sign of life, and its note if one is given."""
    values: dict[str, object] = {"seen_at": time.time()}
    if note is not None:
        values["note"] = note
    connection.execute(workers.update().where(workers.c.id == worker_id).values(**values))


def remove_worker(connection: sa.Connection, worker_id: str) -> None:
    """Forget a worker that ends."""
    connection.execute(workers.delete().where(workers.c.id == worker_id))


def live_workers(connection: sa.Connection) -> list[sa.RowMapping]:
    """Return the workers seen within a lease time."""
    query = sa.select(workers).where(workers.c.seen_at > time.time() - LEASE_S).order_by(workers.c.role)
    return list(connection.execute(query).mappings())


def find(connection: sa.Connection, kind: JobKind, subject: str) -> sa.RowMapping | None:
    """Return the row of the job for ``subject``, or None where there never was one."""
    query = sa.select(jobs).where(jobs.c.kind == kind, jobs.c.subject == subject)
    return connection.execute(query).mappings().first()


def is_claimed(connection: sa.Connection, kind: JobKind, subject: str) -> bool:
    """Whether a living worker holds the job for ``subject``."""
    query = sa.select(jobs.c.id).where(
        jobs.c.kind == kind,
        jobs.c.subject == subject,
        jobs.c.state == JobState.CLAIMED,
        jobs.c.lease_until >= time.time(),
    )
    return connection.execute(query).first() is not None
