"""A companion: an object in a process of its own that works while this process goes on.

    companion = Companion(Critic, (sizes,))          its process starts, nobody waits for it
    companion.start("fit", inputs, targets)          hands work over
    ...                                              this process does its own share
    losses = companion.finish()                      waits, and raises what went wrong

Arguments and results go through a pipe. Calls that come thousands of times a second have neither: they read
and write arrays that both processes see. Waking a process that sleeps takes 50 to 100 us, as long as such a
call itself; so whoever waits keeps looking for a moment before going to sleep.
"""

import contextlib
import dataclasses
import math
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rlhf.config import use_one_thread
from rlhf.errors import JobError

Arrays = dict[str, npt.NDArray[Any]]

_LOOK_S = 5e-4
"""How long to look before going to sleep: longer than a policy takes to act, far shorter than an update."""
_SLEEP_S = 1.0
"""How often a sleeper makes sure that the other process still lives."""
_CLOSE_S = 2.0


def num_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux: in a container fewer than there are
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def peak_rss_mb() -> float:
    """Return the most memory that this process and its living companions have held, in MiB.

    Of companions it is known on Linux only; the sum counts pages that they share more than once.
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    own = peak / 2**20 if sys.platform == "darwin" else peak / 2**10
    return own + sum(_peak_of(child.pid) for child in multiprocessing.active_children())


@dataclasses.dataclass(frozen=True)
class ArraySpec:
    """Shape and dtype of a shared array."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def num_bytes(self) -> int:
        """Size of the array."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


class SharedArrays:
    """Arrays that this process and its companions see, by name; zero at first."""

    def __init__(self, specs: Mapping[str, ArraySpec]) -> None:
        context = multiprocessing.get_context("spawn")
        self._blocks = {
            name: (context.RawArray("b", max(1, spec.num_bytes)), spec) for name, spec in specs.items()
        }

    def views(self) -> Arrays:
        """Return the arrays; whoever has none of its own asks once and keeps them."""
        return {
            name: np.frombuffer(block, spec.dtype, count=math.prod(spec.shape)).reshape(spec.shape)
            for name, (block, spec) in self._blocks.items()
        }


class Companion:
    """An object made by ``factory(*arguments)`` in a process of its own, for one call at a time.

    Args:
        factory: a class or function at the top of a module.
        arguments: what it is made of; the views of ``shared`` follow as a last argument if it is given.
        shared: arrays not to be touched here between ``start`` and ``finish``.
        quick: methods without arguments and results that are called very often.
    """

    def __init__(
        self,
        factory: Callable[..., Any],
        arguments: tuple[Any, ...] = (),
        *,
        shared: SharedArrays | None = None,
        quick: Sequence[str] = (),
    ) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would copy the locks of other threads
        self._call = context.RawValue("i", 0)  # 1 + index of a quick method, 0 for what lies in the pipe
        self._failed = context.RawValue("i", 0)
        self._quick = list(quick)
        self._go, self._done = context.Semaphore(0), context.Semaphore(0)
        self._pipe, theirs = context.Pipe()
        served = (factory, arguments, shared, self._quick, self._call, self._failed)
        self._process = context.Process(target=_serve, args=(*served, theirs, self._go, self._done))
        self._process.daemon = True
        self._process.start()
        theirs.close()
        self._working_on: str | None = None

    def start(self, method: str, *arguments: Any) -> None:
        """Have ``method`` called and go on. Every start has its finish before the next one."""
        if self._working_on is not None:
            raise RuntimeError(f"start({method!r}) before {self._working_on!r} is finished; finish it first.")
        self._working_on = method
        if method in self._quick:
            self._call.value = 1 + self._quick.index(method)
            self._go.release()
            return
        self._call.value = 0
        self._go.release()  # before the message: one larger than the pipe waits for its reader
        with contextlib.suppress(OSError):  # finish will say that the other side is gone
            self._pipe.send((method, arguments))

    def finish(self) -> Any:
        """Wait for the call and return its result; what it raised is raised here.

        Raises:
            JobError: its process has ended.
        """
        method, self._working_on = self._working_on, None
        if method is None:
            raise RuntimeError("finish() without a start.")
        answered = method not in self._quick
        try:
            if answered:
                self._wait_for_message()
            elif not _acquire(self._done, self._process.is_alive):
                raise EOFError
            result = self._pipe.recv() if answered or self._failed.value else None
        except (EOFError, OSError) as error:
            raise JobError(
                f"the process that does {method!r} beside this one has ended; start again from the last "
                "checkpoint, and look whether memory is short."
            ) from error
        if self._failed.value:
            assert isinstance(result, Exception)
            raise result
        return result

    def call(self, method: str, *arguments: Any) -> Any:
        """Start and finish."""
        self.start(method, *arguments)
        return self.finish()

    def close(self) -> None:
        """End the process."""
        self._pipe.close()
        self._call.value = 0  # it looks into the pipe and finds that this side is gone
        self._go.release()
        self._process.join(_CLOSE_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _wait_for_message(self) -> None:
        while not self._pipe.poll(_SLEEP_S):
            if not self._process.is_alive():
                raise EOFError


def _serve(
    factory: Callable[..., Any],
    arguments: tuple[Any, ...],
    shared: SharedArrays | None,
    quick: Sequence[str],
    call: Any,
    failed: Any,
    pipe: Any,
    go: Any,
    done: Any,
) -> None:
    """Be the companion's process: make the object, then do what is asked until the other side is gone."""
    use_one_thread()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it, after it has saved its work
    parent = multiprocessing.parent_process()
    assert parent is not None
    broken: Exception | None = None
    try:
        served = factory(*arguments, *([] if shared is None else [shared.views()]))
    except Exception as error:
        broken = error
    while _acquire(go, parent.is_alive):
        method, given, is_quick = "", (), call.value > 0
        try:
            if is_quick:
                method = quick[call.value - 1]
            else:
                method, given = pipe.recv()
            if broken is not None:
                raise broken
            result = getattr(served, method)(*given)
            failed.value = 0
        except (EOFError, OSError):
            return
        except Exception as error:
            failed.value, result = 1, error
        if failed.value or not is_quick:
            pipe.send(result)
        if is_quick:
            done.release()


_let_others_run: Callable[[], None] = getattr(os, "sched_yield", lambda: None)


def _acquire(semaphore: Any, is_alive: Callable[[], bool]) -> bool:
    """Take a semaphore: look for a moment, then sleep; return False if the other process is gone."""
    until = time.perf_counter() + _LOOK_S
    while time.perf_counter() < until:
        if semaphore.acquire(False):
            return True
        _let_others_run()  # on a busy machine that may be the very one who is waited for
    while not semaphore.acquire(True, _SLEEP_S):
        if not is_alive():
            return bool(semaphore.acquire(False))
    return True


def _peak_of(pid: int | None) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return float(line.split()[1]) / 2**10
    return 0.0
