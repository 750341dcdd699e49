"""How far a reward model can be trusted: what it foresaw of the answers before it knew them."""

import altair as alt
import numpy as np
import pandas as pd
import sqlalchemy as sa
import streamlit as st

from rlhf.evaluation.agreement import preference_accuracy
from rlhf.evaluation.statistics import wilson_interval
from rlhf.feedback.targets import prob_first
from rlhf.metrics import METRICS
from rlhf.storage import answers, models
from rlhf.storage.engine import reading
from rlhf.types.feedback import QueryKind
from rlhf.ui.run_view import RunView

_BINS = 5
_NEWEST = 5000
"""Latest answers that the figures are of: a page must not read a million."""


def view_predictions(engine: sa.Engine, run_id: str) -> pd.DataFrame:
    """Return ``kind, predicted, target`` of the latest answers to pairs that the model had judged before."""
    with reading(engine) as connection:
        rows = answers.standing_answers(connection, run_id, newest=_NEWEST)
    known = [(row, prob_first(row["choice"])) for row in rows if row["predicted"] is not None]
    return pd.DataFrame(
        [(row["kind"].value, row["predicted"], target) for row, target in known if target is not None],
        columns=["kind", "predicted", "target"],
    ).astype({"predicted": float, "target": float})


def headline(view: RunView, predictions: pd.DataFrame) -> None:
    """Show the figures that answer: can it be trusted?"""
    audits = predictions[predictions["kind"] == QueryKind.AUDIT.value]
    with st.container(horizontal=True, gap="medium"):
        st.metric("Reward version", view.reward_version)
        st.metric("Answers", view.answers)
        st.metric(
            METRICS["reward/audit_accuracy"].title,
            _share(audits),
            help="Drawn at random and judged before the answer was known: the unbiased figure. "
            "The range is a 95% interval (Wilson).",
        )
        st.metric(
            "Right on chosen pairs",
            _share(predictions[predictions["kind"] == QueryKind.ACTIVE.value]),
            help="Asked because their answer would tell the model most; not comparable with random ones.",
        )
        ties = int((predictions["target"] == 0.5).sum())
        st.metric(
            "Ties among them", ties, help="Equal answers are learned from, and left out of the accuracy."
        )


def calibration(predictions: pd.DataFrame, *, key: str) -> None:
    """Draw how often the left clip won against how sure the model had been of it."""
    st.markdown("**Calibration**", help="On the dashed line, '70% sure' is right seven times out of ten.")
    if len(predictions) < 2 * _BINS:
        st.caption("Appears after a few more answers.")
        return
    bins = np.minimum(_BINS - 1, (predictions["predicted"].to_numpy() * _BINS).astype(int))
    grouped = predictions.groupby(bins).agg(
        predicted=("predicted", "mean"), answered=("target", "mean"), pairs=("target", "size")
    )
    share = alt.Scale(domain=[0, 1])
    points = (
        alt.Chart(grouped.reset_index(drop=True))
        .mark_point(filled=True)
        .encode(
            x=alt.X("predicted:Q", title="predicted: left is better", scale=share, axis=alt.Axis(format="%")),
            y=alt.Y("answered:Q", title="answered: left is better", scale=share, axis=alt.Axis(format="%")),
            size=alt.Size("pairs:Q", legend=None),
            tooltip=[
                "pairs:Q",
                alt.Tooltip("predicted:Q", format=".2f"),
                alt.Tooltip("answered:Q", format=".2f"),
            ],
        )
    )
    ideal = (
        alt.Chart(pd.DataFrame({"x": [0, 1]}))
        .mark_line(strokeDash=[4, 4], opacity=0.6)
        .encode(x="x:Q", y="x:Q")
    )
    st.altair_chart(alt.layer(ideal, points).properties(height=260), width=420, key=f"calibration-{key}")


def versions(engine: sa.Engine, run_id: str) -> None:
    """List the reward versions, the newest first."""
    with reading(engine) as connection:
        rows = models.list_reward_versions(connection, run_id)
    unseen, learned = (METRICS[f"reward/{name}_accuracy"].title for name in ("out_of_bag", "train"))
    frame = pd.DataFrame(
        {
            "Version": [row["version"] for row in rows],
            "Answers": [row["num_answers"] for row in rows],
            "At step": [row["steps"] for row in rows],
            unseen: [_percent(row["report"].get("out_of_bag_accuracy")) for row in rows],
            learned: [_percent(row["report"].get("train_accuracy")) for row in rows],
            "Fitted in (s)": [row["report"].get("seconds") for row in rows],
        }
    ).iloc[::-1]
    st.markdown("**Versions**")
    percent = st.column_config.NumberColumn(format="%.0f%%")
    st.dataframe(
        frame,
        hide_index=True,
        placeholder="–",
        column_config={
            "At step": st.column_config.NumberColumn(format="localized"),
            unseen: percent,
            learned: percent,
            "Fitted in (s)": st.column_config.NumberColumn(format="%.1f"),
        },
    )


def _percent(share: float | None) -> float | None:
    return None if share is None else 100.0 * share


def _share(predictions: pd.DataFrame) -> str:
    decided = predictions[predictions["target"] != 0.5]
    n = len(decided)
    if n == 0:
        return "–"
    share = preference_accuracy(decided["predicted"].to_numpy(), decided["target"].to_numpy())
    low, high = wilson_interval(share * n, n)
    return f"{share:.0%} ({low:.0%}–{high:.0%})"
