"""How far a reward model can be trusted: what it foresaw of answers, and what more answers would bring."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa
import streamlit as st

from rlhf.evaluation.agreement import preference_accuracy
from rlhf.evaluation.people import Estimate, Share
from rlhf.metrics import METRICS
from rlhf.types.feedback import QueryKind
from rlhf.ui.charts import GREY, SHARE, curve, draw, mark, number, of, tip, word
from rlhf.ui.data_view import KINDS
from rlhf.ui.reward_view import BEFORE, WITHOUT, by_age, by_certainty, by_person, gain_of_ten, shares
from rlhf.ui.run_view import RunView

CURVES = ["reward/audit_accuracy", "reward/out_of_bag_accuracy", "reward/out_of_bag_nll"]
"""What ``learning`` draws."""
_BINS = 5
_ROW_HEIGHT = 28
_AXIS_HEIGHT = 42
"""What the numbers below the rows take of a picture."""
_HEIGHT = _AXIS_HEIGHT + 5 * _ROW_HEIGHT
_BASES = {BEFORE: "At the time", WITHOUT: "At present"}
_MEANINGS = {
    BEFORE: "Share of answers that the reward of that time foresaw before they came.",
    WITHOUT: "Share of answers that the present reward would foresee if it had not learned from them.",
}


def headline(view: RunView, judgements: pd.DataFrame) -> None:
    """Show the figures that answer: can it be trusted?"""
    audits = judgements[judgements["is_audit"]]
    with st.container(horizontal=True, gap="medium"):
        st.metric("Reward version", view.reward_version)
        st.metric("Answers", f"{view.answers:,}")
        st.metric(
            METRICS["reward/audit_accuracy"].title,
            _share(audits),
            help="Drawn at random and judged before the answer was known: the unbiased figure. "
            "The range is a 95% interval (Wilson).",
        )
        st.metric(
            "Right on chosen pairs",
            _share(judgements[judgements["kind"] == KINDS[QueryKind.ACTIVE]]),
            help="Asked because their answer would tell the model most; not comparable with random ones.",
        )
        ties = int((judgements["target"] == 0.5).sum())
        st.metric(
            "Ties among them", ties, help="Equal answers are learned from, and left out of the accuracy."
        )


@st.fragment  # of its own: to look at it the other way needs nothing else of the page
def foresight(judgements: pd.DataFrame, *, key: str) -> None:
    """Draw how often the model was right, by all that may matter."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown("**What it foresaw**", width="content")
        has_views = judgements[WITHOUT].notna().any()
        column = st.segmented_control(
            "What the model expected",
            list(_BASES) if has_views else [BEFORE],
            default=BEFORE,
            required=True,
            format_func=_BASES.__getitem__,
            key=f"foresight-{key}",
            label_visibility="collapsed",
        )
    st.caption(f"{_MEANINGS[column]} Lines are 95% intervals, orange marks what the reward itself expected.")
    pictures = st.columns(3)
    with pictures[0]:
        _calibration(judgements, column, key=key)
    groups = {
        "How sure it was": (
            by_certainty(judgements, column),
            "Where it is surer it should be right more often, by as much as the mark says.",
        ),
        "Early and late answers": (by_age(judgements), "In the order they came, a fifth of them each."),
        "Kind of pair": (judgements["kind"], "Random checks alone are a fair sample of what may be asked."),
        "Who answered": (by_person(judgements), "Whoever is foreseen badly sees it differently, or guesses."),
    }
    for place, (title, (group, meaning)) in enumerate(groups.items(), start=1):
        with pictures[place % 3]:
            _rows(title, meaning, shares(judgements, column, group), key=f"{title}-{key}")


def learning(
    points: pd.DataFrame, judgements: pd.DataFrame, versions: Sequence[sa.RowMapping], *, key: str
) -> None:
    """Draw how the model became right, and say what more answers are expected to bring.

    Args:
        points: the curves named in ``CURVES``.
        judgements: of ``view_judgements``.
        versions: the reward versions, the oldest first; at least one.
        key: unique on the page.
    """
    num_answers = versions[-1]["num_answers"]
    st.markdown("**What answers bring**")
    with st.container(horizontal=True, gap="medium"):
        gain = gain_of_ten(judgements, num_answers)
        st.metric(
            "The next 10 answers",
            "not known yet" if gain is None else _points(gain),
            help="Expected change of how often random pairs are foreseen, with a 95% interval: the trend "
            "over this run's random pairs, carried on.",
        )
        new = num_answers - (versions[-2]["num_answers"] if len(versions) > 1 else 0)
        st.metric(
            "New in this version",
            f"{new:,} answer{'' if new == 1 else 's'}",
            help="Answers that came since the version before, for which it was fitted anew.",
        )
        _sources(
            next((row["report"]["sources"] for row in versions[::-1] if "sources" in row["report"]), None)
        )
    pictures = st.columns(3)
    for column, name in zip(pictures, CURVES, strict=True):
        with column:
            curve(points, name, key=f"{name}-{key}", share=name.endswith("accuracy"))


def _sources(found: dict[str, Any] | None) -> None:
    """Say whether the pairs that the model chose taught more than random ones."""
    label = "Chosen pairs against random ones"
    meaning = (
        "Two rewards that learned from equally many answers, one to pairs that the model chose, one to "
        "random pairs, both tested on random pairs that neither had seen: how many more of 100 the first "
        "gets right, with a 95% interval."
    )
    if found is None:
        st.metric(label, "not known yet", help=f"{meaning} It takes about 20 answers to random pairs.")
        return
    gain = Estimate(value=found["chosen"] - found["random"], low=found["low"], high=found["high"])
    st.metric(
        label,
        _points(gain),
        help=f"{meaning} Here: {found['chosen']:.0%} right after {found['num_answers']} answers to chosen "
        f"pairs, {found['random']:.0%} after as many to random ones, on {found['num_tested']} pairs.",
    )


def _calibration(judgements: pd.DataFrame, column: str, *, key: str) -> None:
    """Draw how often the left clip won against how sure the model had been of it."""
    st.markdown("**Calibration**", help="On the dashed line, '70% sure' is right seven times out of ten.")
    known = judgements[judgements[column].notna()]
    if len(known) < 2 * _BINS:
        st.caption("Appears after a few more answers.")
        return
    bins = np.minimum(_BINS - 1, (known[column].to_numpy() * _BINS).astype(int))
    grouped = known.groupby(bins).agg(
        predicted=(column, "mean"), answered=("target", "mean"), pairs=("target", "size")
    )
    percent = {"format": "%", "tickCount": 5}
    expected = number("predicted", title="expected: left is better", scale=SHARE, axis=percent)
    answered = number("answered", title="answered: left", scale=SHARE, axis=percent)
    ideal = {"type": "line", "strokeDash": [4, 4], "opacity": 0.6}
    draw(
        of(pd.DataFrame({"predicted": [0, 1], "answered": [0, 1]}), mark(ideal, x=expected, y=answered)),
        of(
            grouped,
            mark(
                {"type": "point", "filled": True},
                x=expected,
                y=answered,
                size=number("pairs", legend=None),
                tooltip=[tip("pairs", ","), tip("predicted", ".2f", "expected"), tip("answered", ".2f")],
            ),
        ),
        height=_HEIGHT,
        key=f"calibration-{key}",
        alt="How often the left clip won against how sure the model had been of it",
    )


def _rows(title: str, meaning: str, found: pd.DataFrame, *, key: str) -> None:
    """Draw shares with their intervals, one group below the other."""
    st.markdown(f"**{title}**", help=meaning)
    if found.empty:
        st.caption("Appears after a few more answers.")
        return
    axis = {"format": "%", "tickCount": 5}
    right, low, expected = (number(name, scale=SHARE, axis=axis) for name in ("right", "low", "expected"))
    group = word("group", axis={"labelLimit": 130, "labelOverlap": False})
    tips = [
        tip("group", title=title),
        tip("answers", ","),
        tip("right", ".0%", "foreseen"),
        tip("low", ".0%", "at least"),
        tip("high", ".0%", "at most"),
        tip("expected", ".0%", "it expected"),
    ]
    interval = {"type": "rule", "strokeWidth": 2, "color": GREY}
    point = {"type": "point", "filled": True, "size": 70, "opacity": 1}
    tick = {"type": "tick", "thickness": 3, "size": 16, "color": "#d9662b"}
    draw(
        of(
            found,
            mark(interval, y=group, x=low, x2={"field": "high"}, tooltip=tips),
            mark(point, y=group, x=right, tooltip=tips),
            mark(tick, y=group, x=expected, tooltip=tips),
        ),
        height=max(_HEIGHT, _AXIS_HEIGHT + _ROW_HEIGHT * len(found)),
        key=key,
        alt=f"{title}: how often the model was right",
    )


def _points(gain: Estimate) -> str:
    value, low, high = (round(100 * one, 1) + 0.0 for one in (gain.value, gain.low, gain.high))  # no -0.0
    return f"{value:+.1f} points ({low:+.1f} to {high:+.1f})"


def _share(judgements: pd.DataFrame) -> str:
    decided = judgements[(judgements["target"] != 0.5) & judgements[BEFORE].notna()]
    n = len(decided)
    if n == 0:
        return "–"
    share = preference_accuracy(decided[BEFORE].to_numpy(), decided["target"].to_numpy())
    low, high = Share(count=share * n, of=n).interval()
    return f"{share:.0%} ({low:.0%}–{high:.0%})"
