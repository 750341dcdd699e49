"""The saved policies of a run: reading, choosing and listing them."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
import sqlalchemy as sa
import streamlit as st

from rlhf.storage import models
from rlhf.storage.engine import reading
from rlhf.ui.replay_player import ReplayClip


@dataclasses.dataclass(frozen=True, kw_only=True)
class SavedPolicy:
    """One saved policy, with its recorded episode once there is one."""

    version: int
    steps: int
    num_answers: int
    reward_version: int
    true_return: float | None
    predicted_return: float | None
    clip: str | None
    """Id of the recorded episode's clip."""
    fps: float
    frames: int

    @property
    def label(self) -> str:
        """Short description that tells saved policies apart."""
        return f"{self.steps:,} steps · {self.num_answers} answers"


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
            true_return=_mean(row["evaluation"], "true_returns"),
            predicted_return=_mean(row["evaluation"], "predicted_returns"),
            clip=row["replay_id"] if row["clip"] else None,
            fps=row["clip_fps"] or 0.0,
            frames=row["clip_frames"] or 0,
        )
        for row in rows
    ]


def choose(drawn: Sequence[SavedPolicy], *, key: str) -> tuple[SavedPolicy | None, SavedPolicy | None]:
    """Let people choose one policy and, if they like, one to compare it with.

    The first and the newest are offered, which is the comparison that shows what was learned.
    """
    by_version = {policy.version: policy for policy in drawn}
    versions = list(by_version)
    key += "-pair" if len(versions) > 1 else "-single"  # the offer changes when there is something to compare
    columns = st.columns(2)
    with columns[0]:
        left = st.selectbox(
            "Policy",
            versions,
            index=0,
            format_func=lambda v: by_version[v].label,
            key=f"replay-left-{key}",
        )
    with columns[1]:
        right = st.selectbox(
            "Compare with",
            [None, *versions],
            index=len(versions) if len(versions) > 1 else 0,
            format_func=lambda v: "nothing" if v is None else by_version[v].label,
            key=f"replay-right-{key}",
        )
    return by_version.get(left), None if right is None or right == left else by_version.get(right)


def clip_of(policy: SavedPolicy, run_id: str) -> ReplayClip:
    """Return what the player needs of a drawn policy."""
    label = policy.label
    if policy.true_return is not None:
        label += f" · true return {policy.true_return:.0f}"
    return {
        "url": f"clips/{policy.clip}.mp4",
        "label": label,
        "fps": policy.fps,
        "frames": policy.frames,
        "poster": f"clips/{policy.clip}.png",
        "takeover": f"demonstrate?run={run_id}&segment={policy.clip}",
    }


def table(saved: Sequence[SavedPolicy]) -> None:
    """List the saved policies, the newest first."""
    frame = pd.DataFrame(
        {
            "Steps": [p.steps for p in saved],
            "Updates": [p.version for p in saved],
            "Answers": [p.num_answers for p in saved],
            "Reward version": [p.reward_version for p in saved],
            "Predicted return": [p.predicted_return for p in saved],
            "True return": [p.true_return for p in saved],
            "Recorded": [p.clip is not None for p in saved],
        }
    ).iloc[::-1]
    st.markdown("**Saved policies**")
    number = st.column_config.NumberColumn
    st.dataframe(
        frame,
        hide_index=True,
        placeholder="–",
        column_config={
            "Steps": number(format="localized"),
            "Predicted return": number(
                format="%.1f",
                help="By the reward version the policy had last learned from; mean of its episodes.",
            ),
            "True return": number(format="%.1f", help="Evaluation only: nothing learns from it."),
        },
    )


def _mean(evaluation: dict[str, list[float]] | None, name: str) -> float | None:
    values = (evaluation or {}).get(name)
    return float(np.mean(values)) if values else None
