"""What the Replays page shows, read from the store, and the words for it. Knows no widgets."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
import sqlalchemy as sa

from rlhf.experience.tasks import get_task
from rlhf.loop.start_run import ask_replay
from rlhf.storage import demonstrations, models, queries, runs, segments
from rlhf.storage.engine import reading
from rlhf.types.demonstration import DemonstrationSource
from rlhf.types.run import QueryStatus
from rlhf.ui.checkpoint_strip import Checkpoint
from rlhf.ui.replay_player import ReplayClip
from rlhf.ui.store import Store, open_store

SOURCES = {
    DemonstrationSource.EXPERT: "scripted expert",
    DemonstrationSource.PERSON: "by hand",
    DemonstrationSource.TAKEOVER: "taken over",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recording:
    """A drawn episode."""

    segment_id: str
    fps: float
    frames: int
    strip: bool
    """Whether there is a picture of several of its moments."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SavedPolicy:
    """One saved policy, with its recorded episode once there is one."""

    version: int
    steps: int
    num_answers: int
    reward_version: int
    true_returns: Sequence[float]
    """Of each episode of its evaluation, the recorded one first; empty where there are none."""
    predicted_returns: Sequence[float]
    """The same by the reward version that it had last learned from."""
    recording: Recording | None

    @property
    def label(self) -> str:
        """Short description that tells saved policies apart."""
        return f"{self.steps:,} steps · {self.num_answers} answers"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shown:
    """One demonstration that has been drawn."""

    demonstration_id: str
    label: str
    recording: Recording
    is_from_reset: bool
    """Whether it begins where a policy can be let begin too."""


def view_policies(engine: sa.Engine, run_id: str) -> list[SavedPolicy]:
    """Read a run's saved policies, the oldest first."""
    with reading(engine) as connection:
        rows = models.list_policies_with_clips(connection, run_id)
    return [
        SavedPolicy(
            version=row["version"],
            steps=row["steps"],
            num_answers=row["num_answers"],
            reward_version=row["reward_version"],
            true_returns=(row["evaluation"] or {}).get("true_returns", ()),
            predicted_returns=(row["evaluation"] or {}).get("predicted_returns", ()),
            recording=_recording(row, row["replay_id"]),
        )
        for row in rows
    ]


def view_demonstrations(engine: sa.Engine, run_id: str) -> list[Shown]:
    """Read what was shown to a run and has been drawn, the oldest first."""
    with reading(engine) as connection:
        rows = demonstrations.list_demonstrations(connection, run_id)
    drawn = [(number, row, _recording(row, row["segment_id"])) for number, row in enumerate(rows, 1)]
    return [
        Shown(
            demonstration_id=row["id"],
            label=f"Demonstration {number} · {SOURCES[row['source']]}",
            recording=recording,
            is_from_reset=row["source"] is not DemonstrationSource.TAKEOVER,
        )
        for number, row, recording in drawn
        if recording is not None
    ]


def from_same_start(store: Store, run_id: str, policy: SavedPolicy, shown: Shown) -> Recording | None:
    """Return an episode of a policy from a demonstration's start; None until it has been recorded.

    It is asked for if it never was.
    """
    seed = _reset_seed(shown.recording.segment_id)
    with reading(store.engine) as connection:
        row = models.find_replay(connection, run_id, policy.version, seed)
    if row is None:
        ask_replay(store.engine, run_id, policy.version, seed)
        return None
    return _recording(row, row["segment_id"])


def clip_of(recording: Recording, run_id: str, *, label: str, note: str) -> ReplayClip:
    """Return what the player needs of a recording."""
    address = f"clips/{recording.segment_id}"
    return {
        "url": f"{address}.mp4",
        "label": label,
        "note": note,
        "fps": recording.fps,
        "frames": recording.frames,
        "poster": f"{address}.png",
        "takeover": f"demonstrate?run={run_id}&segment={recording.segment_id}",
        "segment": recording.segment_id,
    }


def note_of(shown: SavedPolicy | Shown) -> str:
    """Return what is known of a demonstration, or of a policy's recorded episode from its usual start."""
    if isinstance(shown, Shown):
        return note_of_segment(shown.recording.segment_id)
    parts = []
    if len(shown.true_returns):
        parts.append(f"true return {_short(shown.true_returns[0])}")
        if len(shown.true_returns) > 1:
            mean, number = float(np.mean(shown.true_returns)), len(shown.true_returns)
            parts[-1] += f" (mean of {number}: {_short(mean)})"
    if len(shown.predicted_returns):
        predicted = f"{shown.predicted_returns[0]:.1f}"
        parts.append(f"predicted {predicted} by reward {shown.reward_version}")
    return " · ".join(parts)


def note_of_segment(segment_id: str) -> str:
    """Return what is known of any other recorded episode."""
    paid = _true_return(segment_id)
    return "" if paid is None else f"true return {_short(paid)}"


def checkpoints(drawn: Sequence[SavedPolicy]) -> tuple[list[Checkpoint], str]:
    """Return drawn policies as the strip shows them, and what its bars are."""
    has_truth = any(len(policy.true_returns) for policy in drawn)
    found: list[Checkpoint] = []
    for policy in drawn:
        recording = policy.recording
        assert recording is not None, "drawn policies only"
        returns = policy.true_returns if has_truth else policy.predicted_returns
        found.append(
            {
                "version": policy.version,
                "name": _compact(policy.steps),
                "label": policy.label,
                "picture": f"clips/{recording.segment_id}.{'jpg' if recording.strip else 'png'}",
                "has_moments": recording.strip,
                "value": float(np.mean(returns)) if len(returns) else None,
            }
        )
    return found, "true return" if has_truth else "predicted return"


def horizon_frames(engine: sa.Engine, run_id: str) -> int:
    """Return how many frames the longest possible episode of a run has."""
    with reading(engine) as connection:
        task = get_task(runs.get_run(connection, run_id)["task"])
    return task.horizon // task.frame_skip + 1


def is_waiting(engine: sa.Engine, query_id: str) -> bool:
    """Whether a question that somebody asked has not been answered yet."""
    with reading(engine) as connection:
        status = queries.get_query(connection, query_id)["status"]
    return status in (QueryStatus.RENDERING, QueryStatus.READY)


def _recording(row: sa.RowMapping, segment_id: str | None) -> Recording | None:
    if segment_id is None or row["clip"] is None:
        return None
    return Recording(
        segment_id=segment_id,
        fps=row["clip_fps"],
        frames=row["clip_frames"],
        strip=row["strip"] is not None,
    )


@functools.lru_cache(maxsize=256)  # segments never change, and pages are drawn every few seconds
def _reset_seed(segment_id: str) -> int:
    store = open_store()
    with reading(store.engine) as connection:
        return segments.load_segment(connection, store.blobs, segment_id).replay.reset_seed


@functools.lru_cache(maxsize=256)
def _true_return(segment_id: str) -> float | None:
    store = open_store()
    with reading(store.engine) as connection:
        paid = segments.find_true_rewards(connection, store.blobs, segment_id)
    return None if paid is None else float(paid.sum())


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}"


def _compact(steps: int) -> str:
    if steps < 1000:
        return str(steps)
    return f"{steps / 1000:.0f}k" if steps < 1_000_000 else f"{steps / 1e6:.2f}M"
