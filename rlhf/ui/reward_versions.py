"""The versions of a reward model: what class each is and why, and what changed between two of them."""

import math
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa
import streamlit as st

from rlhf.evaluation.agreement import rank_correlation
from rlhf.metrics import METRICS
from rlhf.storage import models
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading
from rlhf.ui.reward_view import view_answers

CLASSES = {
    "linear": "Linear: a weighted sum of what is observed",
    "quadratic": "Quadratic: also products of two observations",
    "mlp": "Network: whatever fits, beside one of the above",
    "encoded": "Network on codes that foretell the motion",
}
_DASH = "–"


def view_versions(engine: sa.Engine, run_id: str) -> list[sa.RowMapping]:
    """Return a run's reward versions, the oldest first."""
    with reading(engine) as connection:
        return models.list_reward_versions(connection, run_id)


def model_class(report: dict[str, Any]) -> None:
    """Say of what class the newest version is and why, and what it calls a tie."""
    st.markdown("**What kind of model it is**")
    name = report.get("model_class", "")
    with st.container(horizontal=True, gap="medium"):
        st.metric("Class", CLASSES[name].split(":")[0] if name in CLASSES else _DASH)
        width = report.get("tie_width")
        st.metric(
            "Equal below" if width else "Calls pairs equal",
            f"{_sure(width):.0%} sure" if width else "never" if width == 0 else _DASH,
            help="Learned from the answers: pairs of which it is less sure than this are called equal.",
        )
        penalty, passes = report.get("ridge"), report.get("passes", 0)
        st.metric(
            "Held back by",
            _DASH if penalty is None else "relevance" if passes else f"{penalty:g}",
            help=f"In {passes} passes each weight learned how large it may be: only a few features matter."
            if passes
            else "Ridge penalty of the weights, chosen with the class: more makes a plainer reward.",
        )
    if reason := report.get("reason"):
        st.caption(f"{CLASSES.get(name, name)}. {reason[0].upper()}{reason[1:]}.")
    if candidates := report.get("candidates"):
        frame = pd.DataFrame(
            {
                "Class": [
                    CLASSES.get(one["model_class"], one["model_class"]).split(":")[0] for one in candidates
                ],
                "Surprise": [one["nll"] for one in candidates],
                "+-": [one["standard_error"] for one in candidates],
                "Worse than the best by": [one["excess"] for one in candidates],
                "+- ": [one["excess_error"] for one in candidates],
            }
        )
        number = st.column_config.NumberColumn(format="%.3f")
        surprise = st.column_config.NumberColumn(
            format="%.3f", help="Mean negative log-likelihood of answers left out, in nats; less is better."
        )
        numbers = dict.fromkeys(frame.columns[2:], number) | {"Surprise": surprise}
        st.dataframe(frame, hide_index=True, column_config=numbers, width="content")


def table(versions: list[sa.RowMapping]) -> None:
    """List the reward versions, the newest first."""
    unseen, learned = (METRICS[f"reward/{name}_accuracy"].title for name in ("out_of_bag", "train"))
    numbers = [row["num_answers"] for row in versions]
    reports = [row["report"] for row in versions]
    frame = pd.DataFrame(
        {
            "Version": [row["version"] for row in versions],
            "Answers": numbers,
            "New": np.diff(numbers, prepend=0),
            "At step": [row["steps"] for row in versions],
            "Class": [report.get("model_class") for report in reports],
            unseen: [_percent(report.get("out_of_bag_accuracy")) for report in reports],
            learned: [_percent(report.get("train_accuracy")) for report in reports],
            "Tie width": [report.get("tie_width") for report in reports],
            "Fitted in (s)": [report.get("seconds") for report in reports],
        }
    ).iloc[::-1]
    st.markdown("**Versions**")
    percent = st.column_config.NumberColumn(format="%.0f%%")
    st.dataframe(
        frame,
        hide_index=True,
        placeholder=_DASH,
        column_config={
            "Answers": st.column_config.NumberColumn(format="localized"),
            "At step": st.column_config.NumberColumn(format="localized"),
            unseen: percent,
            learned: percent,
            "Tie width": st.column_config.NumberColumn(
                format="%.2f", help="Differences of returns that are called equal, in logits."
            ),
            "Fitted in (s)": st.column_config.NumberColumn(format="%.1f"),
        },
    )


@st.fragment  # of its own: to choose other versions changes nothing else of the page
def differences(
    engine: sa.Engine, blobs: Blobs, run_id: str, versions: list[sa.RowMapping], *, key: str
) -> None:
    """Let two versions be chosen and say on which pairs they differ."""
    if len(versions) < 2:
        return
    numbers = [row["version"] for row in versions][::-1]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        newer = st.selectbox("Version", numbers, key=f"newer-{key}", width=120)
        older = st.selectbox(
            "compared with", numbers, index=min(1, len(numbers) - 1), key=f"older-{key}", width=120
        )
    found = [view_answers(engine, blobs, run_id, version) for version in (newer, older)]
    if found[0] is None or found[1] is None:
        st.caption("One of them was fitted by an earlier program that did not store what it made of answers.")
        return
    _, first, second = np.intersect1d(found[0].answer, found[1].answer, return_indices=True)
    leads = found[0].lead[first], found[1].lead[second]
    if len(first) < 2:
        st.caption("They have no answers in common.")
        return
    changed = int(((leads[0] > 0) != (leads[1] > 0)).sum())
    alike = rank_correlation(*(lead.astype(np.float64) for lead in leads))
    with st.container(horizontal=True, gap="medium"):
        st.metric("Pairs both know", f"{len(first):,}")
        st.metric(
            "Changed sides",
            f"{changed:,} ({changed / len(first):.0%})",
            help="Pairs of which one version prefers the left clip and the other the right one.",
        )
        st.metric(
            "Rank correlation",
            _DASH if math.isnan(alike) else f"{alike:.2f}",
            help="How alike both order those pairs by how much better the left clip is; 1 is the same order.",
        )


def _sure(width: float) -> float:
    """Return how sure the model is of a pair whose returns differ by the width of ties."""
    return 1.0 / (1.0 + math.exp(-width))


def _percent(share: float | None) -> float | None:
    return None if share is None else 100.0 * share
