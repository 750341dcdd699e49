"""Curves of one run or several, with what happened on the way. Reads the store, draws charts."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd
import sqlalchemy as sa
import streamlit as st

from rlhf.metrics import METRICS
from rlhf.storage import runs
from rlhf.storage.engine import reading
from rlhf.ui.run_view import view_curves

HEIGHT = 200
COLUMNS = 3
GROUPS: Mapping[str, Sequence[str]] = {
    "Most asked for": (
        "experience/predicted_return",
        "experience/true_return",
        "reward/audit_accuracy",
        "reward/out_of_bag_accuracy",
        "policy/entropy",
        "policy/approx_kl",
    ),
    "Policy": tuple(name for name in METRICS if name.startswith("policy/")),
    "Reward model": tuple(name for name in METRICS if name.startswith("reward/")),
}
SHARES = ("reward/audit_accuracy", "reward/out_of_bag_accuracy", "reward/train_accuracy")
"""Drawn in percent."""
EVENTS: Mapping[str, tuple[str, str]] = {
    "reward": ("New reward version", "#4757d6"),
    "rollback": ("Policy taken back", "#d9662b"),
    "warning": ("Warning", "#c0392b"),
    "paused": ("Paused", "#6b7180"),
    "resume": ("Resumed", "#1d8a6b"),
}
"""Kinds of events that are marked, in words, with their colour."""
_SECONDS = "seconds/"
_MAX_EVENTS = 2000


def choose_runs(engine: sa.Engine, run_id: str) -> dict[str, str]:
    """Ask which other runs to draw as well; return their names by id, the run itself first."""
    with reading(engine) as connection:
        rows = runs.list_runs(connection)
    names = {row["id"]: f"{row['id']} (seed {row['seed']})" for row in rows}
    if len(names) == 1:
        return names
    chosen = st.multiselect(
        "Compare with",
        [other for other in names if other != run_id],
        format_func=names.__getitem__,
        placeholder="other runs",
        max_selections=4,
        key=f"compare-{run_id}",
    )
    return {chosen_id: names[chosen_id] for chosen_id in (run_id, *chosen)}


def view_training(engine: sa.Engine, run_ids: Sequence[str], names: Sequence[str]) -> pd.DataFrame:
    """Return curves of several runs as a frame with columns ``run``, ``name``, ``steps``, ``value``."""
    frames = [view_curves(engine, run_id, list(names)).assign(run=run_id) for run_id in run_ids]
    return pd.concat(frames, ignore_index=True)


def view_events(engine: sa.Engine, run_id: str) -> pd.DataFrame:
    """Return what happened to a run, newest first, with columns ``at, steps, kind, event, message``."""
    with reading(engine) as connection:
        rows = runs.list_events(connection, run_id, limit=_MAX_EVENTS)
    columns = ["at", "steps", "kind", "message"]
    frame = pd.DataFrame([{name: row[name] for name in columns} for row in rows], columns=columns)
    frame["event"] = [EVENTS.get(kind, (kind.capitalize(), ""))[0] for kind in frame["kind"]]
    return frame


def draw_curves(
    points: pd.DataFrame,
    events: pd.DataFrame,
    names: Sequence[str],
    run_names: Mapping[str, str],
    *,
    key: str,
) -> None:
    """Draw those of the named curves that have points, several in a row, events as upright lines."""
    drawn = [name for name in names if (points["name"] == name).any()]
    if not drawn:
        st.caption("Nothing to show yet.")
    marked = events[events["kind"].isin(list(EVENTS))]
    for start in range(0, len(drawn), COLUMNS):
        for column, name in zip(st.columns(COLUMNS), drawn[start : start + COLUMNS], strict=False):
            with column:
                metric = METRICS[name]
                st.markdown(f"**{metric.title}**", help=metric.meaning)
                rows = points[points["name"] == name].replace({"run": dict(run_names)})
                chart = alt.layer(_marks(marked), _lines(rows, len(run_names), is_share=name in SHARES))
                st.altair_chart(chart.properties(height=HEIGHT), width="stretch", key=f"{key}-{name}")


def legend(events: pd.DataFrame) -> None:
    """Say in words what the colours of the upright lines mean."""
    kinds = [kind for kind in EVENTS if (events["kind"] == kind).any()]
    if kinds:
        marks = (f'<span style="color:{EVENTS[kind][1]}">┃</span> {EVENTS[kind][0]}' for kind in kinds)
        st.html(f"<small>{' &nbsp; '.join(marks)}</small>")


def draw_seconds(points: pd.DataFrame, run_names: Mapping[str, str], *, key: str) -> None:
    """Draw how long each stage of the loop has taken so far."""
    seconds = points[points["name"].str.startswith(_SECONDS) & (points["value"] > 0)]
    if seconds.empty:
        st.caption("Nothing to show yet.")
        return
    latest = seconds.sort_values("steps").groupby(["run", "name"], as_index=False).last()
    latest["stage"] = [METRICS[name].title for name in latest["name"]]
    latest = latest.replace({"run": dict(run_names)})
    chart = (
        alt.Chart(latest)
        .mark_bar()
        .encode(
            x=alt.X("value:Q", title="seconds", axis=alt.Axis(tickCount=5)),
            y=alt.Y("stage:N", title=None, sort="-x", axis=alt.Axis(labelLimit=200)),
            yOffset="run:N",
            color=alt.Color("run:N", legend=None),
            tooltip=["run:N", "stage:N", alt.Tooltip("value:Q", title="seconds", format=",.1f")],
        )
    )
    st.altair_chart(chart.properties(height=40 + 30 * latest.shape[0]), width="stretch", key=key)


def draw_events(events: pd.DataFrame) -> None:
    """List what happened, the newest first."""
    shown = events.assign(at=pd.to_datetime(events["at"], unit="s", utc=True))[
        ["at", "steps", "event", "message"]
    ]
    st.dataframe(
        shown,
        hide_index=True,
        height=260,
        column_config={
            "at": st.column_config.DatetimeColumn("When", format="distance", width=110),
            "steps": st.column_config.NumberColumn("At step", format="localized", width=70),
            "event": st.column_config.TextColumn("What", width=130),
            "message": st.column_config.TextColumn("In words", width=780),
        },
    )


def _lines(rows: pd.DataFrame, num_runs: int, *, is_share: bool) -> alt.Chart:
    names = alt.Legend(orient="bottom", title=None, columns=1, labelLimit=300) if num_runs > 1 else None
    axis = alt.Axis(format=".0%", tickMinStep=0.01) if is_share else alt.Axis(format=".3~r")
    chart: alt.Chart = (
        alt.Chart(rows)
        .mark_line(point=len(rows) < 12 * num_runs)
        .encode(
            x=alt.X("steps:Q", title="environment steps", axis=alt.Axis(format="~s", tickCount=5)),
            y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=axis),
            color=alt.Color("run:N", legend=names),
            tooltip=["run:N", alt.Tooltip("steps:Q", format=","), alt.Tooltip("value:Q", format=".4g")],
        )
    )
    return chart


def _marks(events: pd.DataFrame) -> alt.Chart:
    colours = alt.Scale(domain=list(EVENTS), range=[colour for _, colour in EVENTS.values()])
    chart: alt.Chart = (
        alt.Chart(events)
        .mark_rule(opacity=0.35, strokeWidth=2)
        .encode(
            x="steps:Q",
            stroke=alt.Stroke("kind:N", scale=colours, legend=None),
            tooltip=["event:N", "message:N", alt.Tooltip("steps:Q", format=",")],
        )
    )
    return chart
