"""Charts in the theme's colours, as plain Vega-Lite.

Written as dictionaries: to build and check a page's charts as objects of Altair takes up to a quarter of a
second at each of its reruns, and importing Altair takes longer than that.
"""

import json
from typing import Any

import pandas as pd
import streamlit as st

from rlhf.metrics import METRICS

Spec = dict[str, Any]
HEIGHT = 170
GREY = "#8a8f9c"
"""Seen on light and on dark."""


def number(field: str, *, title: str | None = None, **more: Any) -> Spec:
    """Return how a column of numbers is drawn; ``more``: its ``axis``, ``scale`` and so on."""
    return {"field": field, "type": "quantitative", "title": title} | more


def word(field: str, **more: Any) -> Spec:
    """Return how a column of words is drawn, in the order they come."""
    return {"field": field, "type": "nominal", "title": None, "sort": None} | more


def tip(field: str, form: str | None = None, title: str | None = None) -> Spec:
    """Return a line of what is shown where somebody points: a number in a form, or without one a word."""
    line = {"field": field, "type": "nominal", "title": title or field}
    return line if form is None else line | {"type": "quantitative", "format": form}


STEPS = number("steps", title="environment steps", axis={"format": "~s", "tickCount": 5})
"""The axis of most curves."""
SHARE = {"domain": [0, 1]}
"""The scale of shares."""


def mark(kind: str | Spec, **encoding: Any) -> Spec:
    """Return one kind of mark, such as ``line``, with what decides where each is."""
    return {"mark": kind, "encoding": encoding}


def of(rows: pd.DataFrame, *marks: Spec) -> Spec:
    """Return marks over each other, all of the rows of one frame."""
    # Within a layer, and not above all: there Streamlit would send them as Arrow, which is slower for so few.
    return {"data": {"values": json.loads(rows.to_json(orient="records"))}, "layer": list(marks)}


def draw(*layers: Spec, height: int, key: str, alt: str) -> None:
    """Draw layers from ``of`` over each other, as wide as there is room.

    Args:
        layers: the first one below all others.
        height: in pixels.
        key: unique on the page.
        alt: what it shows, for those who do not see it.
    """
    st.vega_lite_chart({"height": height, "layer": list(layers)}, width="stretch", key=key, alt=alt)


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
    rows = points.loc[points["name"] == name, ["steps", "value"]]
    st.markdown(f"**{metric.title}**", help=metric.meaning)
    if rows.empty:
        st.caption("Nothing to show yet.")
        return
    y = (
        number("value", scale=SHARE, axis={"format": "%"})
        if share
        else number("value", scale={"zero": False})
    )
    line = {"type": "line", "point": len(rows) < 12, "interpolate": "monotone"}
    tips = [tip("steps", ","), tip("value", ".3f")]
    layers = [of(rows, mark(line, x=STEPS, y=y, tooltip=tips))]
    if baseline is not None:
        rule = {"type": "rule", "strokeDash": [4, 4], "opacity": 0.6}
        layers.append(of(pd.DataFrame({"value": [baseline]}), mark(rule, y=y)))
    draw(*layers, height=HEIGHT, key=key, alt=f"{metric.title} over environment steps")
