"""Choosing pairs whose right answer is known: shown as they were asked, marked with a click."""

import collections

import sqlalchemy as sa
import streamlit as st

from rlhf.errors import RlhfError
from rlhf.loop import supervise
from rlhf.storage import acts, answers, segments
from rlhf.storage.engine import reading
from rlhf.types.feedback import CONTROLS, Choice
from rlhf.types.people import ActKind
from rlhf.ui.replay_player import ReplayClip, replay_player

_LATEST = 200
"""Answers whose pairs are offered."""
_NONE = "none"
_WORDS = {"left": "Left", "right": "Right", "equal": "Equal", _NONE: "Not gold"}


def gold_pairs(engine: sa.Engine, run_id: str, *, by: str) -> None:
    """Let pairs be marked that people are scored by."""
    is_open = st.toggle(
        "Choose gold pairs",
        key=f"gold-{run_id}",
        help="Pairs whose right answer you know. They are slipped into people's queues now and then; people "
        "are scored by them, and nothing is learned from them.",
    )
    if not is_open:
        return
    with reading(engine) as connection:
        rows = answers.latest_of_people(connection, run_id, _LATEST)
        gold = acts.holding(connection, run_id, ActKind.GOLD)
    said: dict[str, list[sa.RowMapping]] = collections.defaultdict(list)
    for row in reversed(rows):
        if row["kind"] not in CONTROLS:
            said[row["query_id"]].append(row)
    if not said:
        st.caption("Pairs can be marked once they were answered.")
        return
    query_id = st.selectbox(
        "Pair",
        list(said),
        format_func=lambda pair: _label(said[pair], gold.get(pair)),
        key=f"gold-pair-{run_id}",
        width=480,
    )
    if _show(engine, query_id, _sides(said[query_id][0])):
        _mark(engine, query_id, gold.get(query_id), by)


def _label(rows: list[sa.RowMapping], marked: str | None) -> str:
    counts = collections.Counter(_as_asked(row) for row in rows)
    said = ", ".join(f"{count} {choice.value}" for choice, count in counts.items())
    return f"Pair {rows[0]['query_id'][:6]} · {said}" + (f" · gold: {marked}" if marked else "")


def _as_asked(row: sa.RowMapping) -> Choice:
    """Return an answer's choice by the sides that the pair was first asked with."""
    choice: Choice = row["choice"]
    if row["left_id"] == row["query_left_id"]:
        return choice
    return {Choice.LEFT: Choice.RIGHT, Choice.RIGHT: Choice.LEFT}.get(choice, choice)


def _sides(row: sa.RowMapping) -> tuple[str, str]:
    """Return the segments on the left and on the right as the pair was first asked."""
    seen = (row["left_id"], row["right_id"])
    return seen if row["left_id"] == row["query_left_id"] else (seen[1], seen[0])


def _show(engine: sa.Engine, query_id: str, sides: tuple[str, str]) -> bool:
    """Show both clips, if there are any."""
    with reading(engine) as connection:
        rows = [segments.get_segment_row(connection, one) for one in sides]
    if any(row["clip"] is None for row in rows):
        st.caption("Its clips were never drawn, so people cannot be shown it.")
        return False
    clips = [_clip(row, label) for row, label in zip(rows, ("Left", "Right"), strict=True)]
    replay_player(clips=clips, key=f"gold-clips-{query_id}", max_clip_height=320)
    return True


def _clip(row: sa.RowMapping, label: str) -> ReplayClip:
    return ReplayClip(
        url=f"clips/{row['id']}.mp4",
        label=label,
        fps=row["clip_fps"],
        frames=row["clip_frames"],
        poster=f"clips/{row['id']}.png",
    )


def _mark(engine: sa.Engine, query_id: str, marked: str | None, by: str) -> None:
    held = marked or _NONE
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        choice = st.segmented_control(
            "Right answer",
            list(_WORDS),
            default=held,
            required=True,
            format_func=_WORDS.__getitem__,
            key=f"gold-choice-{query_id}-{marked}",
        )
        if st.button("Mark", icon=":material/star:", key=f"gold-mark-{query_id}", disabled=choice == held):
            right = None if choice in (None, _NONE) else Choice(choice)
            try:
                supervise.mark_gold(engine, query_id, right, by=by, reason="")
            except RlhfError as error:
                st.error(str(error))
            else:
                st.rerun()
