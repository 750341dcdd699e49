"""The saved policies of a run: choosing which to watch, side by side, and listing them."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import sqlalchemy as sa
import streamlit as st

from rlhf.errors import RlhfError
from rlhf.loop.ask_about import Moment, ask_about
from rlhf.ui import replay_view
from rlhf.ui.checkpoint_strip import Side, checkpoint_strip
from rlhf.ui.replay_player import ReplayClip
from rlhf.ui.replay_view import SavedPolicy, Shown
from rlhf.ui.reward_trace import trace_address
from rlhf.ui.run_view import view_run
from rlhf.ui.store import open_store

NOTHING = "nothing"
_FRAME = "frame"
_MAX_DIGITS = 6


def choose(
    drawn: Sequence[SavedPolicy], demonstrations: Sequence[Shown], *, run_id: str
) -> tuple[SavedPolicy, SavedPolicy | Shown | None]:
    """Let people choose a policy and, if they like, another one or a demonstration to compare it with.

    What the page's address names is offered, else the first and the newest, which is the comparison that
    shows what was learned. The address follows the choice.
    """
    by_name: dict[str, SavedPolicy | Shown] = {str(policy.version): policy for policy in drawn}
    policies = list(by_name)
    by_name |= {shown.demonstration_id: shown for shown in demonstrations}
    # The newest is offered anew once there is something to compare the first with.
    group = "pair" if len(policies) > 1 else "single"
    columns = st.columns(2)
    left = _select(columns[0], "Left", "left", policies, policies[0], by_name, f"{run_id}-{group}")
    default = policies[-1] if len(policies) > 1 else NOTHING
    right = _select(columns[1], "Right", "right", [NOTHING, *by_name], default, by_name, f"{run_id}-{group}")
    if len(policies) > 1:  # else it would be said that nothing is to be compared
        _note_in_address(left=left, right=right)
    policy = by_name[left]
    assert isinstance(policy, SavedPolicy)
    return policy, None if right == left else by_name.get(right)


def clips_of(run_id: str, left: SavedPolicy, right: SavedPolicy | Shown | None) -> list[ReplayClip]:
    """Return the clips to be shown, of the same start where there is one; says so where there is none yet."""
    store, recording = open_store(), left.recording
    assert recording is not None, "drawn policies are offered only"
    note = replay_view.note_of(left)
    if isinstance(right, Shown):
        if right.is_from_reset:
            same = replay_view.from_same_start(store, run_id, left, right)
            if same is None:
                st.info(
                    "The policy is being recorded from the start of the demonstration.",
                    icon=":material/movie:",
                )
            else:
                recording, note = same, replay_view.note_of_segment(same.segment_id)
        else:
            st.caption(
                "This demonstration begins in the middle of an episode, the policy at a start of its own."
            )
    clips = [replay_view.clip_of(recording, run_id, label=left.label, note=note)]
    if right is not None and right.recording is not None:
        note = replay_view.note_of(right)
        clips.append(replay_view.clip_of(right.recording, run_id, label=right.label, note=note))
    return clips


def reward_under(engine: sa.Engine, run_id: str, clips: Sequence[ReplayClip]) -> str | None:
    """Return the address of what the newest reward version makes of the clips, once there is one."""
    version = view_run(engine, run_id).reward_version
    return trace_address(run_id, version, [clip["segment"] for clip in clips]) if version else None


def frame_of_address() -> int | None:
    """Return the frame that a shared link names, if it names one properly."""
    frame = st.query_params.get(_FRAME, "")
    return int(frame) if frame.isascii() and frame.isdigit() and len(frame) <= _MAX_DIGITS else None


def strip(
    drawn: Sequence[SavedPolicy], left: SavedPolicy, right: SavedPolicy | Shown | None, *, run_id: str
) -> None:
    """Draw the saved policies as pictures; a click shows one of them."""
    group = "pair" if len(drawn) > 1 else "single"

    def pick(version: int, side: Side) -> None:
        st.session_state[_key(side, f"{run_id}-{group}")] = str(version)

    shown, value_name = replay_view.checkpoints(drawn)
    checkpoint_strip(
        checkpoints=shown,
        left=left.version,
        right=right.version if isinstance(right, SavedPolicy) else None,
        value_name=value_name,
        horizon_frames=replay_view.horizon_frames(open_store().engine, run_id),
        key=f"strip-{run_id}",
        on_pick=pick,
    )


def ask(run_id: str, moments: tuple[Moment, Moment] | None) -> None:
    """Make a question of two moments; what became of it is said by the player."""
    if moments is None:
        return
    store, key = open_store(), _asked(run_id)
    number = st.session_state.get(key, {}).get("number", 0) + 1
    try:
        query_id = ask_about(store.engine, store.blobs, run_id, *moments)
    except RlhfError as error:
        st.session_state[key] = {"number": number, "text": str(error), "query": None}
    else:
        text = "This is the next question on the Label page."
        st.session_state[key] = {"number": number, "text": text, "query": query_id}
    st.rerun(scope="fragment")


def reply_to(run_id: str) -> str:
    """Return what became of the moments picked last, for the player."""
    asked = st.session_state.get(_asked(run_id))
    return f"{asked['number']}:{asked['text']}" if asked else ""


def way_to_label(run_id: str) -> None:
    """Draw the way to the question that was asked last, while nobody has answered it."""
    query_id = st.session_state.get(_asked(run_id), {}).get("query")
    if query_id is not None and replay_view.is_waiting(open_store().engine, query_id):
        st.page_link("label.py", label="Answer it yourself", icon=":material/compare:")


def table(saved: Sequence[SavedPolicy]) -> None:
    """List the saved policies, the newest first, for whoever opens the list."""
    whole = st.expander("All saved policies", icon=":material/table_rows:", key="policies", on_change="rerun")
    if not whole.open:
        return
    frame = pd.DataFrame(
        {
            "Steps": [p.steps for p in saved],
            "Updates": [p.version for p in saved],
            "Answers": [p.num_answers for p in saved],
            "Reward version": [p.reward_version for p in saved],
            "Predicted return": [_mean(p.predicted_returns) for p in saved],
            "True return": [_mean(p.true_returns) for p in saved],
            "Recorded": [p.recording is not None for p in saved],
        }
    ).iloc[::-1]
    number = st.column_config.NumberColumn
    with whole:
        st.dataframe(
            frame,
            hide_index=True,
            placeholder="–",
            column_config={
                "Steps": number(format="localized"),
                "Predicted return": number(
                    format="%.1f",
                    help="By the reward version the policy had last learned from; mean of its episodes.",
                ),
                "True return": number(format="%.1f", help="Evaluation only: nothing learns from it."),
            },
        )


def _select(
    column: "st.delta_generator.DeltaGenerator",
    label: str,
    side: Side,
    options: Sequence[str],
    default: str,
    by_name: Mapping[str, SavedPolicy | Shown],
    group: str,
) -> str:
    """Draw one choice; the page's address, then the default say what is chosen first."""
    key = _key(side, group)
    if st.session_state.get(key) not in options:
        asked = st.query_params.get(side)
        st.session_state[key] = asked if asked in options else default
    chosen = column.selectbox(
        label,
        options,
        format_func=lambda name: by_name[name].label if name in by_name else NOTHING,
        key=key,
    )
    return str(chosen)


def _note_in_address(**chosen: str) -> None:
    """Let a reload show the same; a frame in the address belongs to the clips that it came with."""
    named = {side: st.query_params.get(side) for side in chosen}
    if named == chosen:
        return
    if any(named.values()):
        st.query_params.pop(_FRAME, None)
    st.query_params.update(chosen)


def _key(side: str, group: str) -> str:
    return f"replay-{side}-{group}"


def _asked(run_id: str) -> str:
    return f"asked-{run_id}"


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None
