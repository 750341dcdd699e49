"""Every error the project raises on purpose.

    RlhfError
    ├── ConfigError          a setting, option or environment variable is wrong
    ├── TaskError            a task is unknown, or its environment cannot be used
    ├── ShapeError           an array has the wrong shape or holds values it must not
    ├── RenderError          a segment could not be drawn or encoded
    ├── QueryError           a question cannot be asked as it stands
    ├── FeedbackError        an answer cannot be accepted as it stands
    ├── StorageError         the database or a blob cannot be read or written
    │   └── MigrationError   the database's version does not fit this program
    ├── NotFoundError        nothing is stored under this id
    ├── CheckpointError      a checkpoint is missing, damaged or of another format
    └── JobError             background work cannot go on
        ├── JobStoppedError  nobody wants it any more, or the worker ends
        └── LeaseLostError   another worker has taken the job over

A message says what is wrong, the value, what is allowed, and what to do.
"""


class RlhfError(Exception):
    """Root of the tree; catching it catches everything the project raises on purpose."""


class ConfigError(RlhfError):
    """A setting, command-line option or environment variable has a value that cannot work."""


class TaskError(RlhfError):
    """A task name is unknown, or its environment lacks something a task needs."""


class ShapeError(RlhfError, ValueError):
    """An array has the wrong shape or dtype, or holds values that it must not hold."""


class RenderError(RlhfError):
    """A segment could not be turned into a clip."""


class QueryError(RlhfError):
    """A pair that somebody wants to have compared cannot be asked about."""


class FeedbackError(RlhfError):
    """An answer or a teacher description is malformed."""


class StorageError(RlhfError):
    """The database or the blob store failed."""


class MigrationError(StorageError):
    """The database was written by a newer program, or a migration failed."""


class NotFoundError(RlhfError):
    """The store holds nothing under the id that was asked for."""


class CheckpointError(RlhfError):
    """A checkpoint is missing, damaged or written in a format this program does not know."""


class JobError(RlhfError):
    """Background work cannot start or go on."""


class JobStoppedError(JobError):
    """Work ends before it is done: nobody wants it any more, or its worker ends."""


class LeaseLostError(JobError):
    """The lease on a job ran out and another worker took the job over."""
