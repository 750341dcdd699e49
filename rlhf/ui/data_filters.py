"""The controls by which the Data page is narrowed down."""

import datetime
from collections.abc import Mapping

import streamlit as st

from rlhf.storage.answer_search import AnswerFilter, AnswerStatus
from rlhf.types.feedback import Choice
from rlhf.ui.data_view import CHOICES, KINDS, STATUSES, zone_of

BEFORE, AFTER = "before", "after"


def choose(run_id: str, people: Mapping[str, str]) -> AnswerFilter:
    """Draw the controls and return what they ask for.

    Args:
        run_id: whose answers.
        people: names of those who answered, by id.
    """
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        text = st.text_input(
            "Search comments and tags", key=f"data-text-{run_id}", on_change=to_first_page, width=260
        )
        status = st.selectbox(
            "Show",
            [*AnswerStatus, None],
            format_func=_status_text,
            key=f"data-status-{run_id}",
            on_change=to_first_page,
            width=220,
        )
        with st.popover("More filters", icon=":material/filter_alt:"):
            more = _more(run_id, people)
    return AnswerFilter(
        run_id=run_id,
        text=text.strip(),
        status=status,
        **more,  # type: ignore[arg-type]  # each value is of its field's type
    )


def to_first_page() -> None:
    """Forget which page of the list is shown: another filter finds other answers."""
    for name in (BEFORE, AFTER):
        st.query_params.pop(name, None)


def _more(run_id: str, people: Mapping[str, str]) -> dict[str, object]:
    """Draw the filters that are needed less often."""
    chosen = {}
    for name, label, words in (
        ("people", "People", people),
        ("choices", "Answer", {c: text for c, text in CHOICES.items() if c is not Choice.UNDO}),
        ("kinds", "Kind of pair", KINDS),
    ):
        found = st.multiselect(
            label,
            list(words),
            format_func=lambda value, words=words: words.get(value, str(value)),  # type: ignore[misc]
            placeholder="All",
            key=f"data-{name}-{run_id}",
            on_change=to_first_page,
        )
        chosen[name] = tuple(found)
    dates = st.columns(2)
    since = dates[0].date_input("From", None, key=f"data-since-{run_id}", on_change=to_first_page)
    until = dates[1].date_input("To", None, key=f"data-until-{run_id}", on_change=to_first_page)
    versions = st.columns(2)
    low, high = (
        column.number_input(
            label,
            0,
            None,
            None,
            step=1,
            placeholder="any",
            key=f"data-{label}-{run_id}",
            on_change=to_first_page,
        )
        for column, label in zip(versions, ("Reward version from", "to"), strict=True)
    )
    has_reason = st.checkbox(
        "Only with a comment or tag", key=f"data-reason-{run_id}", on_change=to_first_page
    )
    day = datetime.timedelta(days=1)
    return chosen | {
        "since": None if since is None else _midnight(since),
        "until": None if until is None else _midnight(until + day),
        "min_version": low,
        "max_version": high,
        "has_reason": has_reason,
    }


def _midnight(day: datetime.date) -> float:
    moment = datetime.datetime.combine(day, datetime.time.min, zone_of(st.context.timezone))
    return moment.timestamp()


def _status_text(status: AnswerStatus | None) -> str:
    if status is None:
        return "Everything"
    return "Answers that count" if status is AnswerStatus.STANDING else STATUSES[status]
