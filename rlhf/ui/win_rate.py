"""Whether people prefer newer policies to older ones without knowing which is which."""

import altair as alt
import pandas as pd
import sqlalchemy as sa
import streamlit as st

from rlhf.evaluation.statistics import rolling_share
from rlhf.loop.read_win_rate import WINDOW, read_win_rate
from rlhf.storage.engine import reading

_HEIGHT = 200
_MEANING = (
    "Now and then a pair shows two saved versions of the behaviour from the same start. It looks like any "
    "other pair, and the reward model never learns from the answer, so nothing it got wrong can improve this "
    "curve. Above half, people prefer newer versions; at half, nothing changes any more, or nobody can tell; "
    f"below, the behaviour gets worse. Each point is of the latest {WINDOW} answers up to it, an equal one "
    "counting half; the upright lines are 95% intervals (Wilson)."
)


def view_win_rate(engine: sa.Engine, run_id: str) -> pd.DataFrame:
    """Return one point per compared policy: ``version, older, steps, answers, share, low, high``."""
    with reading(engine) as connection:
        said = read_win_rate(connection, run_id)
    share, low, high = rolling_share(said.won, WINDOW)
    points = pd.DataFrame(
        {
            "version": said.newer,
            "older": said.older,
            "steps": said.steps,
            "answers": range(1, 1 + len(said.won)),
            "share": share,
            "low": low,
            "high": high,
        }
    )
    return points.groupby("version", as_index=False).last()


def win_rate(engine: sa.Engine, run_id: str, *, key: str) -> None:
    """Draw the share of blind pairs in which people prefer the newer policy, over the run.

    Args:
        engine: of the store.
        run_id: the run.
        key: unique on the page.
    """
    points = view_win_rate(engine, run_id)
    st.markdown("**People prefer the newer version**", help=_MEANING)
    if points.empty:
        st.caption(
            "Appears once pairs of two saved versions have been answered. They are slipped in among the "
            "others now and then."
        )
        return
    last = points.iloc[-1]
    number = int(last["answers"])
    latest = f"the latest {WINDOW} of {number}" if number > WINDOW else f"{number}"
    st.caption(
        f"{last['share']:.0%} ({last['low']:.0%}–{last['high']:.0%}) of {latest} blind "
        f"pair{'s' if number > 1 else ''}. Nothing is learned from these answers."
    )
    with st.container(key=key):
        st.altair_chart(_chart(points).properties(height=_HEIGHT), width="stretch")


def _chart(points: pd.DataFrame) -> alt.LayerChart | alt.FacetChart:
    x = alt.X("steps:Q", title="environment steps", axis=alt.Axis(format="~s", tickCount=5))
    y = alt.Y("share:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%", tickCount=5))
    tips = [
        alt.Tooltip("version:Q", title="policy version"),
        alt.Tooltip("older:Q", title="compared with"),
        alt.Tooltip("steps:Q", format=","),
        alt.Tooltip("share:Q", title="newer preferred", format=".0%"),
        alt.Tooltip("low:Q", title="at least", format=".0%"),
        alt.Tooltip("high:Q", title="at most", format=".0%"),
    ]
    base = alt.Chart(points)
    half = alt.Chart(pd.DataFrame({"share": [0.5]})).mark_rule(strokeDash=[4, 4], opacity=0.6)
    return alt.layer(
        half.encode(y=y),
        base.mark_rule(opacity=0.35, strokeWidth=2).encode(x=x, y=alt.Y("low:Q"), y2="high:Q", tooltip=tips),
        base.mark_line(point=True).encode(x=x, y=y, tooltip=tips),
    )
