"""What would change the reward's mind: answers that it disputes or that move it most, to look at again."""

import html

import sqlalchemy as sa
import streamlit as st

from rlhf.storage.blobs import Blobs
from rlhf.types.feedback import Choice
from rlhf.types.reward import AnswerViews
from rlhf.ui.data_view import choice_text, person_name, plain, time_text
from rlhf.ui.missing_clips import offer_to_draw
from rlhf.ui.playback import base_path
from rlhf.ui.reward_view import view_answers, view_disputed

_SHOWN = 10
_MORE = 40
_ORDERS = {"against": "Disputed", "influence": "Moves it most"}
_MEANINGS = {
    "against": "Answers that a reward would not expect which had not learned from them, the clearest first. "
    "A slip of the hand looks like this, and so does what the reward has yet to understand.",
    "influence": "How far the reward would move if this one answer were taken away. Worth a second look even "
    "where the reward agrees.",
}
_THUMB_PX = 84


def disputed_answers(engine: sa.Engine, blobs: Blobs, run_id: str, version: int) -> str | None:
    """List the answers to be looked at again; return the key of the one that was clicked."""
    views = view_answers(engine, blobs, run_id, version)
    if views is None:
        st.info(
            "This version was fitted by an earlier program. The list appears with the next version.",
            icon=":material/hourglass_empty:",
        )
        return None
    order = st.segmented_control(
        "Order",
        list(_ORDERS),
        default="against",
        required=True,
        format_func=_ORDERS.__getitem__,
        key=f"disputed-order-{run_id}",
        label_visibility="collapsed",
    )
    st.caption(_MEANINGS[order])
    key = f"disputed-more-{run_id}"
    limit = _MORE if st.session_state.get(key) else _SHOWN
    found = view_disputed(engine, run_id, views, order, limit)
    if not found:
        st.success("The reward disputes none of its answers.", icon=":material/check_circle:")
    offer_to_draw(engine, [row for row, _ in found], key=f"disputed-draw-{run_id}")
    clicked = None
    for place, (row, seen) in enumerate(found, start=1):
        if _line(place, row, seen, order):
            clicked = row["key"]
    if len(found) >= _SHOWN:
        st.toggle(f"Show {_MORE}", key=key)
    return clicked


def _line(place: int, row: sa.RowMapping, seen: AnswerViews, order: str) -> bool:
    """Draw one answer; return whether it was clicked."""
    who = plain(person_name(row["name"], row["annotator_id"]))
    when = time_text(row["received_at"], st.context.timezone)
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
        st.html(_pictures(row), width="content")
        with st.container(gap="xxsmall", width=440):
            st.markdown(f"{place}\\. **{choice_text(row['choice'], row['details'])}** · {who} · {when}")
            st.markdown(f"The reward, without this answer: **{_opinion(float(seen.unseen[0]))}**")
            if order == "influence":
                st.markdown(f"Taking it away moves the reward by **{float(seen.influence[0]):.1%}**")
        return st.button("Look again", icon=":material/play_circle:", key=f"disputed-{row['key']}")


def _opinion(prob_left: float) -> str:
    """Return what the reward expects, in words."""
    sure = max(prob_left, 1.0 - prob_left)
    return f"{'left' if prob_left >= 0.5 else 'right'} better, {sure:.0%} sure"


def _pictures(row: sa.RowMapping) -> str:
    """Return both clips as small stills, the preferred one framed."""
    stills = []
    for side, choice in (("left", Choice.LEFT), ("right", Choice.RIGHT)):
        if row[f"{side}_clip"] is None:
            return "<small>clips not drawn</small>"
        colour = "var(--st-primary-color)" if row["choice"] is choice else "transparent"
        address = html.escape(f"{base_path()}clips/{row[f'{side}_id']}.png")
        preferred = ", preferred" if row["choice"] is choice else ""
        stills.append(
            f'<img src="{address}" alt="{side} clip{preferred}" width="{_THUMB_PX}" height="{_THUMB_PX}" '
            f'loading="lazy" style="object-fit:cover;border-radius:6px;border:3px solid {colour}">'
        )
    return f'<div style="display:flex;gap:4px">{"".join(stills)}</div>'
