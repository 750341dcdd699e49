"""Curves of one run or several, with what happened on the way. Reads the store, draws charts."""

from collections.abc import Mapping, Sequence

import pandas as pd
import sqlalchemy as sa
import streamlit as st

from rlhf.metrics import METRICS
from rlhf.storage import runs
from rlhf.storage.engine import reading
from rlhf.ui.charts import STEPS, Spec, draw, mark, number, of, tip, word
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
        "experience/surprise",
    ),
    "Policy": tuple(name for name in METRICS if name.startswith("policy/")),
    "Reward model": tuple(name for name in METRICS if name.startswith("reward/")),
}
SHARES = ("reward/audit_accuracy", "reward/out_of_bag_accuracy", "reward/train_accuracy")
"""Drawn in percent."""
EVENTS: Mapping[str, tuple[str, str]] = {
    "explore": ("Explored", "#8a7b1e"),
    "reward": ("New reward version", "#4757d6"),
    "rollback": ("Policy taken back", "#d9662b"),
    "restart": ("Practice begun anew", "#0f7f9b"),
    "warning": ("Warning", "#c0392b"),
    "world": ("World changed", "#8e44ad"),
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
                lines = _lines(rows, len(run_names), is_share=name in SHARES)
                alt = f"{metric.title} over environment steps"
                draw(_marks(marked), lines, height=HEIGHT, key=f"{key}-{name}", alt=alt)


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
    draw(
        of(
            latest,
            mark(
                "bar",
                x=number("value", title="seconds", axis={"tickCount": 5}),
                y=word("stage", sort="-x", axis={"labelLimit": 200}),
                yOffset=word("run"),
                color=word("run", legend=None),
                tooltip=[tip("run"), tip("stage"), tip("value", ",.1f", "seconds")],
            ),
        ),
        height=40 + 30 * latest.shape[0],
        key=key,
        alt="Seconds of each stage",
    )


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


def _lines(rows: pd.DataFrame, num_runs: int, *, is_share: bool) -> Spec:
    axis = {"format": ".0%", "tickMinStep": 0.01} if is_share else {"format": ".3~r"}
    names = {"orient": "bottom", "title": None, "columns": 1, "labelLimit": 300} if num_runs > 1 else None
    return of(
        rows,
        mark(
            {"type": "line", "point": len(rows) < 12 * num_runs},
            x=STEPS,
            y=number("value", scale={"zero": False}, axis=axis),
            color=word("run", legend=names),  # in the order of choice: the run itself first
            tooltip=[tip("run"), tip("steps", ","), tip("value", ".4g")],
        ),
    )


def _marks(events: pd.DataFrame) -> Spec:
    colours = {"domain": list(EVENTS), "range": [colour for _, colour in EVENTS.values()]}
    return of(
        events[["steps", "kind", "event", "message"]],
        mark(
            {"type": "rule", "opacity": 0.35, "strokeWidth": 2},
            x=STEPS,
            stroke=word("kind", scale=colours, legend=None),
            tooltip=[tip("event"), tip("message"), tip("steps", ",")],
        ),
    )
