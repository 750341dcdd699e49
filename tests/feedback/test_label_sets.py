"""Stand-ins of the published sets: a few rows whose observation is their own number."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlhf.errors import FeedbackError, ShapeError
from rlhf.feedback.label_sets import LabelSet, load_label_set

ROWS = 12


def transitions(folder: Path, **changes: Any) -> Path:
    """Two episodes as D4RL records them: rows 0-5 until a time limit, rows 6-11 with a failure at row 8."""
    arrays: dict[str, Any] = {
        "observations": np.arange(ROWS, dtype=np.float64)[:, None] * [1.0, 10.0],
        "actions": np.zeros((ROWS, 1), np.float32),
        "terminals": np.arange(ROWS) == 8,
        "timeouts": np.arange(ROWS) == 5,
    }
    path = folder / "transitions.npz"
    np.savez(path, **{name: value for name, value in (arrays | changes).items() if value is not None})
    return path


def labels(folder: Path, **changes: Any) -> Path:
    path = folder / "labels.npz"
    np.savez(path, **({"first": [0, 2], "second": [6, 0], "label": [0, -1]} | changes))
    return path


def load(folder: Path, steps: int = 3, **changes: Any) -> LabelSet:
    return load_label_set(labels(folder, **changes), transitions(folder), steps)


def test_comparisons_point_to_the_windows_of_their_rows(tmp_path: Path) -> None:
    found = load(tmp_path)
    # row 5, the last of an episode that a time limit ended, is not counted: row 6 is the recorded row 7
    assert found.observations[found.first, :, 0].tolist() == [[0, 1, 2], [2, 3, 4]]
    assert found.observations[found.second, :, 0].tolist() == [[7, 8, 9], [0, 1, 2]]
    assert found.observations[found.first[0], 1].tolist() == [1, 10]


def test_a_segment_of_two_comparisons_is_there_once(tmp_path: Path) -> None:
    found = load(tmp_path)
    assert len(found.observations) == 3
    assert found.first[0] == found.second[1]


def test_labels_are_first_second_and_equal(tmp_path: Path) -> None:
    found = load(tmp_path, first=[0, 1, 2], second=[3, 3, 3], label=[0, 1, -1])
    assert found.prob_first.tolist() == [1.0, 0.0, 0.5]
    assert found.annotator.tolist() == [0, 0, 0]


def test_what_follows_an_end_is_no_motion(tmp_path: Path) -> None:
    found = load(tmp_path)
    after = found.next_observations[found.second[0], :, 0]
    assert after.tolist() == [8, 8, 10]  # the failure at row 8 leads nowhere


def test_rows_with_their_successors_are_taken_as_they_are(tmp_path: Path) -> None:
    after = np.full((ROWS, 2), 7.0)
    path = transitions(tmp_path, next_observations=after, timeouts=None)
    found = load_label_set(labels(tmp_path), path, 3)
    assert found.observations[found.second[0], :, 0].tolist() == [6, 7, 8]
    assert found.next_observations[found.second[0], :, 0].tolist() == [7, 7, 8]


def test_a_table_of_choices_says_who_chose(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("first,second,label,annotator\n0,6,1,0\n2,0,-1,3\n")
    found = load_label_set(path, transitions(tmp_path), 3)
    assert (found.prob_first.tolist(), found.annotator.tolist()) == ([0.0, 0.5], [0, 3])


@pytest.mark.parametrize("name", ["label_human", "indices.pkl", "data.hdf5", "nothing.npz", "no_zip.npz"])
def test_other_files_are_not_opened(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name != "nothing.npz":
        path.write_bytes(b"\x80\x04]\x94.")  # what a pickle of an empty list looks like
    with pytest.raises(FeedbackError, match=name):
        load_label_set(path, transitions(tmp_path), 3)


def test_arrays_of_objects_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "objects.npz"
    np.savez(path, first=np.array([0, None], dtype=object), second=[1, 2], label=[0, 1])
    with pytest.raises(FeedbackError, match=r"objects\.npz"):
        load_label_set(path, transitions(tmp_path), 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": [0, 2]}, "label 2"),
        ({"label": [0]}, "one entry"),
        ({"label": [0.5, 1]}, "whole numbers"),
        ({"first": [0, 9]}, "same dataset"),
        ({"first": [-1, 0]}, "same dataset"),
    ],
)
def test_choices_that_make_no_sense_are_refused(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(FeedbackError, match=message):
        load(tmp_path, **changes)


def test_a_missing_array_is_named(tmp_path: Path) -> None:
    with pytest.raises(FeedbackError, match="lacks terminals"):
        load_label_set(labels(tmp_path), transitions(tmp_path, terminals=None), 3)
    with pytest.raises(FeedbackError, match="neither next_observations nor timeouts"):
        load_label_set(labels(tmp_path), transitions(tmp_path, timeouts=None), 3)


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="actions"):
        load_label_set(labels(tmp_path), transitions(tmp_path, actions=np.full((ROWS, 1), np.nan)), 3)
