"""States of runs, jobs and queries. The value is what the database holds."""

import enum


@enum.unique
class RunState(enum.Enum):
    """Where a run stands. ``wanted`` uses RUNNING, PAUSED and STOPPED only."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def is_over(self) -> bool:
        """Whether no worker will touch the run again unless somebody starts it."""
        return self in (RunState.FINISHED, RunState.FAILED, RunState.STOPPED)


@enum.unique
class JobKind(enum.Enum):
    """Which process takes a job: TRAIN the trainer, RANK and FORESEE a ranker, the others the renderer."""

    TRAIN = "train"
    RENDER = "render"
    """Both clips of a query."""
    EVALUATE = "evaluate"
    DRAW = "draw"
    """One segment, to be watched."""
    REPLAY = "replay"
    """An episode of a saved policy from a given start, to be watched."""
    DEMONSTRATE = "demonstrate"
    """Episodes of a scripted expert."""
    RECORD = "record"
    """A process in which a person acts episodes is to be started."""
    MAP = "map"
    """A stretch of work on a run's map of behaviour."""
    RANK = "rank"
    """Saved policies are compared as sources for a task, by a process of its own."""
    FORESEE = "foresee"
    """What looking ahead would bring a run is measured, by such a process too."""


RANKER_KINDS = (JobKind.RANK, JobKind.FORESEE)
"""Work of minutes, for which a process is started beside the renderer."""


@enum.unique
class JobState(enum.Enum):
    """Life of a background job; a claimed one carries a lease."""

    WAITING = "waiting"
    CLAIMED = "claimed"
    DONE = "done"
    FAILED = "failed"


@enum.unique
class QueryStatus(enum.Enum):
    """Life of a query."""

    RENDERING = "rendering"
    READY = "ready"
    ANSWERED = "answered"
    EXPIRED = "expired"
    FAILED = "failed"
    """Its clips could not be made; the error is on the run."""
