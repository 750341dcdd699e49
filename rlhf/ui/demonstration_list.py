"""What was shown to a run: watching it, leaving it out, asking a scripted expert for more, imitating it."""

import re

import pandas as pd
import sqlalchemy as sa
import streamlit as st

from rlhf.errors import RlhfError
from rlhf.experience.tasks import has_expert
from rlhf.loop.start_run import ask_expert, has_begun, is_to_imitate, let_imitate, start_run
from rlhf.storage import demonstrations, runs
from rlhf.storage.engine import reading, writing
from rlhf.types.run import RunState
from rlhf.ui.demonstration_player import Takeover
from rlhf.ui.replay_player import replay_player
from rlhf.ui.replay_view import SOURCES
from rlhf.ui.store import open_store

EXPERT_EPISODES = 5
_ID = re.compile(r"[0-9a-f]{32}")
_FRAME = re.compile(r"[0-9]{1,6}")


def takeover_of_address() -> Takeover | None:
    """Return what the page's address says is to be taken over, if it says so properly."""
    segment, frame = st.query_params.get("segment", ""), st.query_params.get("frame", "")
    if _ID.fullmatch(segment) and _FRAME.fullmatch(frame):
        return {"segment": segment, "frame": int(frame)}
    return None


def forget_takeover() -> None:
    """Let the page begin new episodes."""
    for name in ("segment", "frame"):
        st.query_params.pop(name, None)
    st.rerun()


def expert_button(run_id: str) -> None:
    """Offer the task's scripted expert, where there is one."""
    engine = open_store().engine
    with reading(engine) as connection:
        task_name = runs.get_run(connection, run_id)["task"]
    if not has_expert(task_name):
        return
    label = f"Let a scripted expert show {EXPERT_EPISODES} episodes"
    if st.button(label, icon=":material/smart_toy:", key=f"expert-{run_id}"):
        try:
            ask_expert(engine, run_id, EXPERT_EPISODES)
        except RlhfError as error:
            st.error(str(error))
        else:
            st.toast("The expert's episodes appear below in a moment.")


def how_it_starts(run_id: str) -> None:
    """Let people choose whether a run that has not begun is to imitate what it was shown, and start it."""
    engine = open_store().engine
    with reading(engine) as connection:
        run = runs.get_run(connection, run_id)
        num_shown = len(demonstrations.list_valid(connection, run_id))
        imitated = demonstrations.count_imitated(connection, [run_id]).get(run_id, {})
    was_on = is_to_imitate(run)
    if has_begun(run) or run["wanted"] is RunState.RUNNING:
        if was_on and imitated:
            verb, number = "started" if has_begun(run) else "starts", sum(imitated.values())
            st.caption(f"The run {verb} by imitating {number} episode{'s' if number > 1 else ''}.")
        else:
            st.caption(
                "The run has not started by imitating. *Show it first* on the Runs page makes one that does."
            )
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        is_on = st.toggle(
            "Start by imitating these",
            value=was_on,
            key=f"imitate-{run_id}-{was_on}",
            help="The policy then does at first what the episodes below show, and learns from answers on.",
        )
        is_wanted = st.button(
            "Start the run",
            icon=":material/play_arrow:",
            key=f"start-{run_id}",
            disabled=is_on and not num_shown,
            help="Nothing to imitate yet: show an episode, or switch that off."
            if is_on and not num_shown
            else None,
        )
    try:
        if is_on != was_on:
            let_imitate(engine, run_id, is_on)
        if is_wanted:
            start_run(engine, run_id)
    except RlhfError as error:
        st.error(str(error))
        return
    if is_on != was_on or is_wanted:
        st.rerun()


def show(run_id: str) -> None:
    """List a run's demonstrations and let people watch one and leave it out."""
    engine = open_store().engine
    with reading(engine) as connection:
        rows = demonstrations.list_demonstrations(connection, run_id)[::-1]
    if not rows:
        st.caption("Nothing was shown to this run yet.")
        return
    numbers = {row["id"]: len(rows) - index for index, row in enumerate(rows)}
    st.markdown("**Episodes shown**")
    by_id = {row["id"]: row for row in rows}
    chosen = st.selectbox(
        "Episode",
        list(by_id),
        format_func=lambda i: _label(numbers[i], by_id[i]),
        key=f"episode-{run_id}",
    )
    if chosen is not None:
        _one(engine, by_id[chosen])
    _table(rows, numbers)


def _one(engine: sa.Engine, row: sa.RowMapping) -> None:
    if row["clip"]:
        address = f"clips/{row['segment_id']}"
        replay_player(
            clips=[
                {
                    "url": f"{address}.mp4",
                    "label": f"{row['num_steps']} steps",
                    "fps": row["clip_fps"],
                    "frames": row["clip_frames"],
                    "poster": f"{address}.png",
                    "takeover": f"demonstrate?run={row['run_id']}&segment={row['segment_id']}",
                }
            ],
            key=f"shown-{row['id']}",
            max_clip_height=320,
        )
    else:
        st.caption("Its clip is being drawn.")
    is_voided = row["voided_at"] is not None
    label = "Count it again" if is_voided else "Leave it out"
    icon = ":material/undo:" if is_voided else ":material/block:"
    if st.button(label, icon=icon, key=f"void-{row['id']}-{is_voided}", help="Nothing is deleted."):
        with writing(engine) as connection:
            demonstrations.set_voided(connection, row["id"], not is_voided)
            steps = runs.get_run(connection, row["run_id"])["steps"]
            message = (
                f"An episode of {row['num_steps']} steps {'counts again' if is_voided else 'was left out'}."
            )
            runs.add_event(connection, row["run_id"], steps, "demonstration", message)
        st.rerun(scope="fragment")


def _label(number: int, row: sa.RowMapping) -> str:
    out = "" if row["voided_at"] is None else " · left out"
    return f"{number} · {SOURCES[row['source']]} · {row['num_steps']} steps{out}"


def _table(rows: list[sa.RowMapping], numbers: dict[str, int]) -> None:
    frame = pd.DataFrame(
        {
            "Episode": [numbers[row["id"]] for row in rows],
            "Shown": pd.to_datetime([row["created_at"] for row in rows], unit="s", utc=True),
            "By": [SOURCES[row["source"]] for row in rows],
            "Steps": [row["num_steps"] for row in rows],
            "Ended by itself": [row["terminated"] for row in rows],
            "Counts": [row["voided_at"] is None for row in rows],
        }
    )
    st.dataframe(
        frame,
        hide_index=True,
        column_config={"Shown": st.column_config.DatetimeColumn(format="distance")},
    )
