"""Answers -> arrays as researchers use them: segments once, and pairs of their indices with a label."""

import contextlib
import io
import tempfile
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from rlhf.errors import FeedbackError
from rlhf.feedback.targets import prob_first
from rlhf.storage import answer_dump, runs
from rlhf.storage.answer_search import AnswerStatus
from rlhf.storage.archives import Entry
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading
from rlhf.types.experience import Segment
from rlhf.types.feedback import NEVER_LEARNED

_CHUNK = 2**20


def arrays(engine: sa.Engine, blobs: Blobs, run_id: str) -> Iterator[Entry]:
    """Yield the arrays of an npz file of the answers that teach something.

    ``observations`` (S, L, D) before and ``next_observations`` (S, L, D) after each step, ``actions``
    (S, L, A) or (S, L), ``absorbing`` (S, L), ``segment_ids`` (S,); ``pairs`` (Q, 2), indices of the segments
    seen left and right, ``labels`` (Q,), 1 where the left one is better, 0 where the right one is, 0.5 where
    they are equal, and ``annotator`` (Q,), index into ``annotator_ids``.

    Raises:
        NotFoundError: there is no such run, or a file of its is gone.
        FeedbackError: nothing was answered yet, or segments differ in shape.
    """
    with reading(engine) as connection, contextlib.ExitStack() as stack:
        runs.get_run(connection, run_id)
        index: dict[str, int] = {}
        spool = _Spool(stack)
        for row in answer_dump.dump_segments(connection, run_id):
            index[row["id"]] = len(index)
            found, _ = blobs.read_arrays(row["arrays"])
            segment = Segment.from_arrays(found)
            spool.add("observations", segment.observations[:-1])
            spool.add("next_observations", segment.observations[1:])
            spool.add("actions", segment.actions)
            spool.add("absorbing", segment.absorbing)
        if not index:
            raise FeedbackError(f"run {run_id} has no answers, so there are no arrays to write.")
        yield from spool.entries()
        yield _array("segment_ids", np.array(list(index)))
        for name, array in _comparisons(connection, run_id, index).items():
            yield _array(name, array)


def true_reward_arrays(engine: sa.Engine, blobs: Blobs, run_id: str) -> Iterator[Entry]:
    """Yield ``segment_ids`` (S,) and ``true_rewards`` (S, L) of those segments; for evaluation only.

    Raises:
        NotFoundError: there is no such run, or a file of its is gone.
        FeedbackError: the task pays no true reward, or segments differ in length.
    """
    with reading(engine) as connection, contextlib.ExitStack() as stack:
        runs.get_run(connection, run_id)
        ids, spool = [], _Spool(stack)
        for row in answer_dump.dump_truths(connection, run_id):
            found, _ = blobs.read_arrays(row["true_rewards"])
            ids.append(row["segment_id"])
            spool.add("true_rewards", found["true_rewards"])
        if not ids:
            raise FeedbackError(f"run {run_id} has no true rewards of segments that were answered about.")
        yield from spool.entries()
        yield _array("segment_ids", np.array(ids))


def _comparisons(
    connection: sa.Connection, run_id: str, index: dict[str, int]
) -> dict[str, npt.NDArray[Any]]:
    pairs, labels, who = [], [], []
    people: dict[str, int] = {}
    for row in answer_dump.dump_table(connection, run_id):
        label = prob_first(row["choice"])
        is_standing = row["status"] == AnswerStatus.STANDING.value
        if label is None or not is_standing or row["query_kind"] in NEVER_LEARNED:
            continue
        pairs.append((index[row["left_id"]], index[row["right_id"]]))
        labels.append(label)
        who.append(people.setdefault(row["annotator_id"], len(people)))
    return {
        "pairs": np.array(pairs, np.int64).reshape(-1, 2),
        "labels": np.array(labels, np.float32),
        "annotator": np.array(who, np.int64),
        "annotator_ids": np.array(list(people), np.str_),
    }


class _Spool:
    """Stacks arrays of equal shape on the disk, as they come."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._stack = stack
        self._files: dict[str, tuple[IO[bytes], np.dtype[Any], tuple[int, ...]]] = {}
        self._numbers: dict[str, int] = {}

    def add(self, name: str, array: npt.NDArray[Any]) -> None:
        """Append one array to those of its name."""
        if name not in self._files:
            opened = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  # the stack closes it
            self._files[name] = (opened, array.dtype, array.shape)
            self._numbers[name] = 0
        file, dtype, shape = self._files[name]
        if array.shape != shape or array.dtype != dtype:
            raise FeedbackError(
                f"segments differ: {name} is {array.dtype} {array.shape} and {dtype} {shape}; one array "
                "cannot hold both. Export as jsonl instead."
            )
        file.write(np.ascontiguousarray(array).tobytes())
        self._numbers[name] += 1

    def entries(self) -> Iterator[Entry]:
        """Yield each stack as a npy file."""
        for name, (file, dtype, shape) in self._files.items():
            file.seek(0)
            yield Entry(name=f"{name}.npy", chunks=self._chunks(file, dtype, (self._numbers[name], *shape)))

    @staticmethod
    def _chunks(file: IO[bytes], dtype: np.dtype[Any], shape: tuple[int, ...]) -> Iterator[bytes]:
        head = io.BytesIO()
        about = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(head, about)
        yield head.getvalue()
        while chunk := file.read(_CHUNK):
            yield chunk


def _array(name: str, array: npt.NDArray[Any]) -> Entry:
    data = io.BytesIO()
    np.lib.format.write_array(data, array, allow_pickle=False)
    return Entry(name=f"{name}.npy", chunks=[data.getvalue()])
