"""One answer: both clips, what is known of it, its history, and what a researcher can do with it."""

import json

import streamlit as st

from rlhf.errors import NotFoundError
from rlhf.loop.void_answers import answer_again, restore_answer, void_answers
from rlhf.storage.answer_search import AnswerFilter, AnswerStatus
from rlhf.types.feedback import Choice
from rlhf.ui.data_acts import do, researcher
from rlhf.ui.data_view import (
    CHOICES,
    KINDS,
    MEANINGS,
    STATUSES,
    AnswerView,
    choice_text,
    form_text,
    history_text,
    other_details,
    person_name,
    plain,
    reason_text,
    time_text,
    view_answer,
)
from rlhf.ui.replay_player import ReplayClip, replay_player
from rlhf.ui.store import open_store

_ANSWER = "answer"
"""Name of the parameter of the address that says which answer to open."""
_CLIP_HEIGHT = 300


def asked_for() -> str | None:
    """Return the key of the answer that a link leads to, once: a dialog that was closed stays closed."""
    return st.query_params.pop(_ANSWER, None)


@st.dialog("One answer", width="large")
def show(run_id: str, key: str) -> None:
    """Show an answer over the page."""
    try:
        view = view_answer(open_store().engine, run_id, key)
    except NotFoundError:
        st.warning("This run has no such answer. Was the link copied whole?")
        return
    _headline(view)
    _clips(view)
    _facts(view)
    _actions(run_id, view)
    with st.expander(f"History of this pair ({len(view.history)})", icon=":material/history:"):
        for row in view.history:
            st.markdown(f"{plain(history_text(row))}  \n:gray[{_when(row['received_at'])}]")
    with st.expander("Copy link", icon=":material/link:"):
        address = (st.context.url or "").split("?")[0]
        st.code(f"{address}?run={run_id}&{_ANSWER}={key}", language=None, wrap_lines=True)


def _headline(view: AnswerView) -> None:
    row = view.row
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(choice_text(row["choice"], row["details"]), anchor=False, width="content")
        st.badge(STATUSES[view.status], color="green" if view.status is AnswerStatus.STANDING else "gray")
    who = plain(person_name(row["name"], row["annotator_id"]))
    is_skip = view.status is AnswerStatus.STANDING and row["choice"] is Choice.SKIP
    meaning = "It stands; there is nothing to learn from it." if is_skip else MEANINGS[view.status]
    st.markdown(f"{who} · {_when(row['received_at'])} · {meaning}")
    if reason := reason_text(row["details"]):
        st.text(f"“{reason}”")


def _clips(view: AnswerView) -> None:
    row, clips = view.row, list[ReplayClip]()
    for side, choice in (("left", Choice.LEFT), ("right", Choice.RIGHT)):
        if row[f"{side}_clip"] is None:
            st.caption("The clips of this pair have not been drawn.")
            return
        preferred = " · preferred" if row["choice"] is choice else ""
        clips.append(
            {
                "url": f"clips/{row[f'{side}_id']}.mp4",
                "label": f"{side.capitalize()}{preferred}",
                "fps": row[f"{side}_clip_fps"],
                "frames": row[f"{side}_clip_frames"],
                "poster": f"clips/{row[f'{side}_id']}.png",
            }
        )
    replay_player(clips=clips, key=f"answer-{row['key']}", max_clip_height=_CLIP_HEIGHT)


def _facts(view: AnswerView) -> None:
    row = view.row
    facts = {"Kind of pair": "unknown" if row["query_kind"] is None else KINDS[row["query_kind"]]}
    if form := form_text(row["details"]):
        facts["Answered"] = form
    if row["shown_at"] is not None and row["answered_at"] is not None:
        facts["Looked for"] = f"{max(0.0, row['answered_at'] - row['shown_at']):.1f} s"
    if row["predicted"] is not None:
        is_swapped = row["left_id"] != row["query_left_id"]
        share = 1.0 - row["predicted"] if is_swapped else row["predicted"]
        facts["The model expected"] = f"left better: {share:.0%}"
    facts["Reward version"] = str(row["reward_version"])
    facts["Policy versions"] = f"{row['left_policy_version']} and {row['right_policy_version']}"
    if others := other_details(row):
        facts["Also said"] = json.dumps(others)[:300]
    facts["Pair"] = row["query_id"]
    st.markdown("  \n".join(f":gray[{label}] {plain(text)}" for label, text in facts.items()))


def _actions(run_id: str, view: AnswerView) -> None:
    key, engine, by = view.row["key"], open_store().engine, researcher()
    reason = st.text_input(
        "Reason", max_chars=500, key=f"answer-reason-{key}", placeholder="Kept in the log with what you do"
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if view.status in (AnswerStatus.STANDING, AnswerStatus.LATE):
            only = AnswerFilter(run_id=run_id, answer_id=view.row["id"])
            if st.button("Set aside", icon=":material/block:", key=f"answer-void-{key}"):
                do(lambda: void_answers(engine, only, by=by, reason=reason), "set aside")
        elif view.status is AnswerStatus.VOIDED and st.button(
            "Bring back", icon=":material/undo:", key=f"answer-restore-{key}"
        ):
            do(lambda: restore_answer(engine, run_id, key, by=by, reason=reason), "brought back")
        elif view.standing_key is not None and st.button("Show what counts now", key=f"answer-follow-{key}"):
            st.query_params[_ANSWER] = view.standing_key
            st.rerun()
        with st.popover("Answer again", icon=":material/edit:"):
            choice = st.radio(
                "Which clip is better?",
                [c for c in Choice if c is not Choice.UNDO],
                index=None,
                format_func=CHOICES.__getitem__,
                key=f"answer-again-{key}",
            )
            replaces = st.checkbox("Set the answer above aside", value=True, key=f"answer-replaces-{key}")
            if st.button("Save my answer", type="primary", key=f"answer-save-{key}"):
                if choice is None:
                    st.warning("Choose an answer first.")
                    return
                do(
                    lambda: answer_again(
                        engine, run_id, key, choice, by=by, reason=reason, replaces=replaces
                    ),
                    "saved in your name",
                )


def _when(seconds: float) -> str:
    return time_text(seconds, st.context.timezone)
