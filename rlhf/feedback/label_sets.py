"""Published sets of people's choices: pairs of stretches of a recorded dataset, and which one was preferred.

Preference Transformer (https://github.com/csmile-1006/PreferenceTransformer, folder human_label) and
Uni-RLHF (https://github.com/pickxiguapi/Clean-Offline-RLHF, folder crowdsource_human_labels) publish the
same thing: for each comparison the rows of a D4RL dataset at which its two stretches start, and a label: 0
the first is better, 1 the second is, -1 they are equal. The rows count what ``d4rl.qlearning_dataset``
leaves of the recorded arrays, which lacks the last step of every episode that a time limit ended.

Both come as pickle files, which can run any program when they are opened; we do not open them. Whoever trusts
them converts them once, with three files of a set as L (labels), A and B (indices of first and second):

    import numpy as np, pickle
    read = lambda path: np.asarray(pickle.load(open(path, "rb")))
    np.savez("labels.npz", label=read(L), first=read(A), second=read(B))

and the arrays of the dataset (an HDF5 file), with h5py:

    with h5py.File("hopper_medium_replay-v2.hdf5") as file:
        names = ("observations", "actions", "terminals", "timeouts")
        np.savez("transitions.npz", **{name: file[name][:] for name in names})
"""

import dataclasses
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rlhf.checks import check_finite, check_shape
from rlhf.errors import FeedbackError
from rlhf.types.experience import Bool, Float32, Int64

_PROB_FIRST = {0: 1.0, 1: 0.0, -1: 0.5}
_LABEL_COLUMNS = ("first", "second", "label")
_TRANSITION_ARRAYS = ("observations", "actions", "terminals")


@dataclasses.dataclass(frozen=True, kw_only=True)
class LabelSet:
    """Q comparisons over S distinct segments of L steps each."""

    observations: Float32
    """(S, L, D), before each step."""
    actions: Float32
    """(S, L, A)."""
    next_observations: Float32
    """(S, L, D), after each step; where an episode ended, the same as before it."""
    starts: Int64
    """(S,), row at which each segment starts, rising; segments may overlap."""
    first: Int64
    """(Q,), index of the first segment."""
    second: Int64
    """(Q,), index of the second segment."""
    prob_first: Float32
    """(Q,), 1 where the first is better, 0 where the second is, 0.5 where they are equal."""
    annotator: Int64
    """(Q,), index of who chose; 0 where the set does not say."""

    def __len__(self) -> int:
        """Return Q, the number of comparisons."""
        return len(self.first)


def load_label_set(labels: Path, transitions: Path, segment_steps: int) -> LabelSet:
    """Read people's choices and the steps that they are about.

    Args:
        labels: npz or csv with ``first``, ``second`` (rows at which the segments start), ``label`` (0, 1, -1)
            and, if it is known, ``annotator`` (whole numbers), one entry per comparison.
        transitions: npz with ``observations`` (N, D), ``actions`` (N, A) and ``terminals`` (N,), as D4RL
            records them. With ``next_observations`` the rows are taken as they are; without, those are left
            out that ``d4rl.qlearning_dataset`` leaves out (``timeouts`` (N,) says where).
        segment_steps: L; Uni-RLHF has it in its file names (``len_200``), Preference Transformer shows 100
            steps of the locomotion tasks.

    Raises:
        FeedbackError: a file is missing, of a kind that is not read, lacks an array, or does not fit the
        other.
    """
    if segment_steps < 1:
        raise FeedbackError(f"segments of {segment_steps} steps; at least 1 is needed.")
    choices = _read_labels(labels)
    rows = _read_transitions(transitions)
    starts, index = np.unique(np.concatenate([choices["first"], choices["second"]]), return_inverse=True)
    if len(starts) and (starts[0] < 0 or starts[-1] + segment_steps > len(rows["observations"])):
        raise FeedbackError(
            f"{labels}: segments of {segment_steps} steps start at rows {starts[0]} to {starts[-1]}, but "
            f"{transitions} has {len(rows['observations'])} rows. Are they the same dataset?"
        )
    windows = starts[:, None] + np.arange(segment_steps)
    return LabelSet(
        observations=rows["observations"][windows],
        actions=rows["actions"][windows],
        next_observations=rows["next_observations"][windows],
        starts=starts,
        first=index[: len(choices["first"])].astype(np.int64),
        second=index[len(choices["first"]) :].astype(np.int64),
        prob_first=np.array([_PROB_FIRST[int(label)] for label in choices["label"]], np.float32),
        annotator=choices["annotator"],
    )


def _read_labels(path: Path) -> dict[str, Int64]:
    if path.suffix == ".csv":
        try:
            table = pd.read_csv(path)
        except (OSError, ValueError) as error:
            raise FeedbackError(f"{path} cannot be read as a table: {error}.") from error
        found: dict[str, npt.NDArray[Any]] = {str(name): table[name].to_numpy() for name in table.columns}
    else:
        found = _read_npz(path)
    _require(path, found, _LABEL_COLUMNS)
    wanted = {name: found[name].reshape(-1) for name in _LABEL_COLUMNS}
    wanted["annotator"] = found.get("annotator", np.zeros(len(wanted["label"]))).reshape(-1)
    if len({len(column) for column in wanted.values()}) != 1:
        sizes = ", ".join(f"{name} {len(column)}" for name, column in wanted.items())
        raise FeedbackError(f"{path}: every comparison has one entry of each, but there are {sizes}.")
    for name, column in wanted.items():
        if not np.issubdtype(column.dtype, np.number) or not np.equal(np.mod(column, 1), 0).all():
            raise FeedbackError(f"{path}: {name} must be whole numbers.")
    unknown = set(np.unique(wanted["label"])) - set(_PROB_FIRST)
    if unknown:
        raise FeedbackError(f"{path}: label {unknown.pop():g} has no meaning; 0, 1 and -1 (equal) have.")
    return {name: column.astype(np.int64) for name, column in wanted.items()}


def _read_transitions(path: Path) -> dict[str, Float32]:
    found = _read_npz(path)
    _require(path, found, _TRANSITION_ARRAYS)
    observations = found["observations"].astype(np.float32)
    actions = found["actions"].astype(np.float32)
    check_shape("observations", observations, (None, None))
    check_shape("actions", actions, (len(observations), None))
    ended = found["terminals"].reshape(-1).astype(np.bool_)
    check_shape("terminals", ended, (len(observations),))
    if "next_observations" in found:
        after = found["next_observations"].astype(np.float32)
        check_shape("next_observations", after, observations.shape)
    else:
        after = np.concatenate([observations[1:], observations[-1:]])
        kept = _without_time_limits(path, found, len(observations))
        observations, actions, after, ended = observations[kept], actions[kept], after[kept], ended[kept]
    # What is recorded after an end is the start of the next episode: a jump that nobody saw as motion.
    after = np.where(ended[:, None], observations, after)
    for name, part in (("observations", observations), ("actions", actions), ("next_observations", after)):
        check_finite(name, part)
    return {"observations": observations, "actions": actions, "next_observations": after}


def _without_time_limits(path: Path, found: dict[str, npt.NDArray[Any]], rows: int) -> Bool:
    """Return which rows ``d4rl.qlearning_dataset`` keeps: not the last one, and none at a time limit."""
    if "timeouts" not in found:
        raise FeedbackError(f"{path} has neither next_observations nor timeouts; one of them is needed.")
    kept = ~found["timeouts"].reshape(-1).astype(np.bool_)
    check_shape("timeouts", kept, (rows,))
    kept[-1] = False
    return kept


def _read_npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    if path.suffix in (".pkl", ".pickle", ""):
        raise FeedbackError(
            f"{path} looks like a pickle file, which could run any program when it is opened. If you "
            "trust where it is from, convert it to npz once; rlhf/feedback/label_sets.py says how."
        )
    if path.suffix in (".hdf5", ".h5"):
        raise FeedbackError(f"{path} is HDF5; convert it to npz once, rlhf/feedback/label_sets.py says how.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise FeedbackError(f"{path} cannot be read as npz: {error}.") from error


def _require(path: Path, found: dict[str, npt.NDArray[Any]], names: tuple[str, ...]) -> None:
    missing = [name for name in names if name not in found]
    if missing:
        raise FeedbackError(f"{path} has {', '.join(found) or 'nothing'}; it lacks {', '.join(missing)}.")
