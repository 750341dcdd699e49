import multiprocessing
import os
import time

import numpy as np
import pytest

from rlhf.errors import JobError, ShapeError
from rlhf.parallel import Arrays, ArraySpec, Companion, SharedArrays


class Doubler:
    """What the companions of these tests do."""

    def __init__(self, factor: int, shared: Arrays) -> None:
        self._factor, self._shared = factor, shared

    def double(self) -> None:
        self._shared["numbers"][:] *= self._factor

    def add(self, one: int, other: int) -> int:
        return one + other

    def refuse(self) -> None:
        raise ShapeError("five is not three")

    def end(self) -> None:
        os._exit(3)


def make(shared: SharedArrays | None = None) -> Companion:
    shared = shared or SharedArrays({"numbers": ArraySpec((3,), "float64")})
    return Companion(Doubler, (2,), shared=shared, quick=["double", "refuse", "end"])


def test_quick_calls_work_on_the_shared_arrays() -> None:
    shared = SharedArrays({"numbers": ArraySpec((3,), "float64")})
    companion, numbers = make(shared), shared.views()["numbers"]
    numbers[:] = [1.0, 2.0, 3.0]
    for _ in range(3):
        companion.call("double")
    companion.close()
    np.testing.assert_array_equal(numbers, [8.0, 16.0, 24.0])


def test_arguments_and_results_of_any_size_go_through() -> None:
    companion = make()
    large = np.arange(1_000_000)
    companion.start("add", large, large)
    np.testing.assert_array_equal(companion.finish(), 2 * large)
    companion.close()


def test_it_sleeps_when_nothing_is_asked_and_wakes_again() -> None:
    companion = make()
    assert companion.call("add", 1, 2) == 3
    time.sleep(0.05)  # far longer than it looks out
    companion.call("double")
    assert companion.call("add", 2, 2) == 4
    companion.close()


def test_what_it_raises_is_raised_here_and_it_goes_on() -> None:
    companion = make()
    for _ in range(2):
        with pytest.raises(ShapeError, match="five is not three"):
            companion.call("refuse")
        assert companion.call("add", 1, 1) == 2
    companion.close()


def test_a_factory_that_fails_says_so_at_the_first_call() -> None:
    companion = Companion(Doubler, (1, 2, 3))
    with pytest.raises(TypeError):
        companion.call("add", 1, 1)
    companion.close()


@pytest.mark.parametrize("quick", [True, False])
def test_the_end_of_its_process_is_an_error_not_a_wait(quick: bool) -> None:
    companion = Companion(Doubler, (1, {}), quick=["end"] if quick else [])
    with pytest.raises(JobError, match="'end'"):
        companion.call("end")
    with pytest.raises(JobError):
        companion.call("add", 1, 1)
    companion.close()


def test_closing_leaves_no_process() -> None:
    before = len(multiprocessing.active_children())
    companion = make()
    companion.close()
    assert len(multiprocessing.active_children()) == before


def test_one_call_at_a_time() -> None:
    companion = make()
    companion.start("add", 1, 1)
    with pytest.raises(RuntimeError, match="finish"):
        companion.start("add", 1, 1)
    assert companion.finish() == 2
    with pytest.raises(RuntimeError, match="without"):
        companion.finish()
    companion.close()
