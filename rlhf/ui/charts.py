"""Learning curves, in the theme's colours."""

import altair as alt
import pandas as pd
import streamlit as st

from rlhf.metrics import METRICS

HEIGHT = 170


def curve(
    points: pd.DataFrame, name: str, *, key: str, baseline: float | None = None, share: bool = False
) -> None:
    """Draw one metric over environment steps, its meaning on hover of the title.

    Args:
        points: columns ``name``, ``steps``, ``value``; rows of other names are ignored.
        name: which metric.
        key: unique on the page.
        baseline: drawn as a dashed line, e.g. what a random policy gets.
        share: the values are shares from 0 to 1.
    """
    metric = METRICS[name]
    rows = points[points["name"] == name]
    st.markdown(f"**{metric.title}**", help=metric.meaning)
    if rows.empty:
        st.caption("Nothing to show yet.")
        return
    y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False))
    if share:
        y = alt.Y("value:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format="%"))
    x = alt.X("steps:Q", title="environment steps", axis=alt.Axis(format="~s", tickCount=5))
    line = (
        alt.Chart(rows)
        .mark_line(point=len(rows) < 12, interpolate="monotone")
        .encode(x=x, y=y, tooltip=[alt.Tooltip("steps:Q", format=","), alt.Tooltip("value:Q", format=".3f")])
    )
    layers = [line]
    if baseline is not None:
        rule = alt.Chart(pd.DataFrame({"value": [baseline]})).mark_rule(strokeDash=[4, 4], opacity=0.6)
        layers.append(rule.encode(y="value:Q"))
    st.altair_chart(alt.layer(*layers).properties(height=HEIGHT), width="stretch", key=key)
