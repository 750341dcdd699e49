"""What a researcher may do about people: pause, weigh, and take it back. Every click is a line in the log."""

import datetime
import functools
from collections.abc import Callable, Mapping, Sequence

import sqlalchemy as sa
import streamlit as st

from rlhf.errors import RlhfError
from rlhf.loop import supervise
from rlhf.loop.assess_people import Person
from rlhf.storage import acts
from rlhf.storage.engine import reading
from rlhf.types.people import ActKind
from rlhf.ui.people_report import standing

RESEARCHER = "Researcher"
_SHOWN = 50


def choose(people: Sequence[Person], *, key: str) -> Person:
    """Let a person be chosen."""
    known = {one.annotator_id: one for one in people}

    def label(annotator_id: str) -> str:
        return f"{known[annotator_id].name} · {standing(known[annotator_id])}"

    return known[st.selectbox("Person", list(known), format_func=label, key=f"person-{key}", width=360)]


def decide(engine: sa.Engine, run_id: str, one: Person, *, by: str) -> None:
    """Show what can be done about one person."""
    who = one.annotator_id
    reason = st.text_input(
        "Reason",
        key=f"reason-{run_id}-{who}",
        placeholder="Why, if you like to say. Kept in the log.",
        max_chars=500,
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if one.is_paused:
            if st.button("Resume", icon=":material/play_arrow:", key=f"resume-{who}"):
                _act(lambda: supervise.resume(engine, run_id, who, by=by, reason=reason))
        elif st.button(
            "Pause",
            icon=":material/pause:",
            key=f"pause-{who}",
            disabled=one.is_teacher,
            help="A synthetic teacher is switched off where it was switched on, at its run."
            if one.is_teacher
            else "Asks them nothing more and tells them kindly. Their answers stay and count.",
        ):
            _act(lambda: supervise.pause(engine, run_id, who, by=by, reason=reason))
        weight = st.slider(
            "What their answers count",
            0.0,
            1.0,
            one.weight,
            0.05,
            key=f"weight-{who}-{one.weight}",
            width=260,
        )
        if st.button(
            "Weigh",
            icon=":material/balance:",
            key=f"weigh-{who}",
            disabled=weight == one.weight,
            help="Move the slider first. Holds from the next reward version on, which is made at once; "
            "at 0 nothing is learned from them.",
        ):
            _act(lambda: supervise.weigh(engine, run_id, who, weight, by=by, reason=reason))


def log(engine: sa.Engine, run_id: str, names: Mapping[str, str], *, by: str) -> None:
    """List the decisions of a run, the newest first; those that hold can be taken back."""
    with reading(engine) as connection:
        rows = acts.list_acts(connection, run_id)
    st.markdown("**Decisions**", help="Nothing is ever erased: taking back is one more line.")
    if not rows:
        st.caption("None yet.")
    held: set[tuple[ActKind, str]] = set()
    for row in rows[:_SHOWN]:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            at = datetime.datetime.fromtimestamp(row["at"]).strftime("%Y-%m-%d %H:%M")
            reason = f" — {row['reason']}" if row["reason"] else ""
            what = _words(row["kind"], row["value"], names.get(row["subject"], row["subject"][:8]))
            st.text(f"{row['id']} · {at} · {row['by']}: {what}{reason}", width="content")
            if (row["kind"], row["subject"]) not in held and st.button(
                f"Take back {row['id']}", icon=":material/undo:", key=f"undo-{row['id']}", type="tertiary"
            ):
                _act(functools.partial(supervise.undo, engine, row["id"], by=by))
        held.add((row["kind"], row["subject"]))


def _words(kind: ActKind, value: object, subject: str) -> str:
    match kind:
        case ActKind.PAUSE:
            return f"{'pauses' if value else 'resumes'} {subject}"
        case ActKind.WEIGHT:
            return f"lets the answers of {subject} count {value:g}"
        case ActKind.GOLD:
            return f"pair {subject}: " + (f"the right answer is {value}" if value else "no known answer")


def _act(action: Callable[[], int]) -> None:
    try:
        action()
    except RlhfError as error:
        st.error(str(error))
    else:
        st.rerun()
