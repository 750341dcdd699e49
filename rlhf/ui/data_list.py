"""The answers that were found: one line each, and the way to the pages before and after."""

import sqlalchemy as sa
import streamlit as st

from rlhf.storage.answer_search import AnswerFilter, AnswerStatus
from rlhf.ui.data_acts import void_many
from rlhf.ui.data_filters import AFTER, BEFORE
from rlhf.ui.data_view import (
    STATUSES,
    DataPage,
    choice_text,
    person_name,
    plain,
    reason_text,
    time_text,
    view_page,
)
from rlhf.ui.store import open_store

_MAX_REASON = 80


def show(wanted: AnswerFilter) -> str | None:
    """Draw one page of the answers that a filter finds; return the key of the one that was clicked."""
    page = view_page(open_store().engine, wanted, before_id=_number(BEFORE), after_id=_number(AFTER))
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"**{page.number:,}** answer{'' if page.number == 1 else 's'}", width="content")
        if page.number_standing and st.button(
            f"Set all {page.number_standing:,} aside…", icon=":material/block:", key="data-void-all"
        ):
            void_many(wanted, page.number_standing)
    if not page.rows:
        st.info("No answer is like that. Change or clear the filters.", icon=":material/search_off:")
    clicked = None
    with st.container(border=bool(page.rows), gap="xxsmall"):
        for row in page.rows:
            if _line(row):
                clicked = row["key"]
    _turn(page)
    return clicked


def _line(row: sa.RowMapping) -> bool:
    """Draw one answer and return whether it was clicked."""
    status = AnswerStatus(row["status"])
    when = time_text(row["received_at"], st.context.timezone)
    who = person_name(row["name"], row["annotator_id"])
    reason = reason_text(row["details"])
    if len(reason) > _MAX_REASON:
        reason = reason[: _MAX_REASON - 1] + "…"
    label = f"**{choice_text(row['choice'], row['details'])}** · {plain(who)} · {when}"
    if status is not AnswerStatus.STANDING:
        label += f" · :orange[{STATUSES[status]}]"
    is_clicked = st.button(label, icon=":material/play_circle:", key=f"open-{row['key']}", type="tertiary")
    if reason:
        st.caption(f"“{plain(reason)}”")
    return is_clicked


def _turn(page: DataPage) -> None:
    """Draw the buttons to newer and older answers."""
    if not (page.has_newer or page.has_older):
        return
    with st.container(horizontal=True):
        st.button(
            "Newer",
            icon=":material/chevron_left:",
            key="data-newer",
            disabled=not page.has_newer,
            on_click=_go,
            args=(AFTER, page.rows[0]["id"] if page.rows else 0),
        )
        st.button(
            "Older",
            icon=":material/chevron_right:",
            key="data-older",
            disabled=not page.has_older,
            on_click=_go,
            args=(BEFORE, page.rows[-1]["id"] if page.rows else 0),
        )


def _go(name: str, number: int) -> None:
    for other in (BEFORE, AFTER):
        st.query_params.pop(other, None)
    st.query_params[name] = str(number)


def _number(name: str) -> int | None:
    """Return a number of the address; anything else there is as good as nothing."""
    text = st.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
