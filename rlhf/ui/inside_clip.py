"""An answered pair with the reward under both clips: what the model saw in it, step by step."""

import sqlalchemy as sa
import streamlit as st

from rlhf.storage import answer_search
from rlhf.storage.answer_search import AnswerFilter, AnswerStatus
from rlhf.storage.engine import reading
from rlhf.ui.data_view import choice_text, person_name, time_text
from rlhf.ui.missing_clips import SIDES, is_missing, offer_to_draw
from rlhf.ui.replay_player import ReplayClip, replay_player
from rlhf.ui.reward_trace import trace_address

_LATEST = 50
"""Answers whose pairs are offered."""
_NEWEST = 0
"""Stands for whichever version is the newest, so that a page left open follows."""


def inside_clip(engine: sa.Engine, run_id: str, newest_version: int) -> None:
    """Let people choose an answered pair and a reward version, and show what that makes of each step.

    Args:
        engine: of the store.
        run_id: a run with at least one reward version.
        newest_version: of the reward model.
    """
    st.caption("The predicted reward of each step under the clips, and which features made it.")
    wanted = AnswerFilter(run_id=run_id, status=AnswerStatus.STANDING)
    with reading(engine) as connection:
        rows = {row["key"]: row for row in answer_search.find_answers(connection, wanted, limit=_LATEST)}
    if not rows:
        st.caption("Appears after the first answer.")
        return
    columns = st.columns([3, 1])
    with columns[0]:
        key = st.selectbox(
            "Answered pair", list(rows), format_func=lambda k: _label(rows[k]), key=f"inside-pair-{run_id}"
        )
    with columns[1]:
        version = st.selectbox(
            "Reward version",
            [_NEWEST, *range(newest_version, 0, -1)],
            format_func=lambda v: f"Newest ({newest_version})" if v == _NEWEST else str(v),
            key=f"inside-version-{run_id}",
        )
    with reading(engine) as connection:
        row = answer_search.get_answer(connection, run_id, key)
    if is_missing(row):
        offer_to_draw(engine, [row], key=f"inside-draw-{key}")
        return
    replay_player(
        clips=[_clip(row, side) for side in SIDES],
        key=f"inside-{run_id}-{key}",
        max_clip_height=320,
        trace=trace_address(run_id, version or newest_version, [row[f"{side}_id"] for side in SIDES]),
    )


def _label(row: sa.RowMapping) -> str:
    who = person_name(row["name"], row["annotator_id"])
    when = time_text(row["received_at"], st.context.timezone)
    return f"{choice_text(row['choice'], row['details'])} · {who} · {when} · pair {row['query_id'][:6]}"


def _clip(row: sa.RowMapping, side: str) -> ReplayClip:
    preferred = " · preferred" if row["choice"].value == side else ""
    return ReplayClip(
        url=f"clips/{row[f'{side}_id']}.mp4",
        label=f"{side.capitalize()}{preferred}",
        fps=row[f"{side}_clip_fps"],
        frames=row[f"{side}_clip_frames"],
        poster=f"clips/{row[f'{side}_id']}.png",
    )
