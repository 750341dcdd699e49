"""Would looking ahead help? Measured when somebody asks, with what was foreseen beside what happened."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
import streamlit as st

from rlhf.loop.order_foresight import order_foresight, stop_foresight
from rlhf.storage import foresights, jobs, models, runs
from rlhf.storage.engine import reading
from rlhf.types.run import JobKind, JobState
from rlhf.ui.background_job import progress_with_stop, why_it_failed
from rlhf.ui.replay_player import ReplayClip, replay_player
from rlhf.ui.store import open_store

_CLIP_HEIGHT = 320

_MEANING = (
    "A model learns from the stored behaviour what follows from each action. Before it acts, the policy then "
    "imagines futures with that model, and does something else where one of them is clearly worth more by "
    "the reward it has learned. Nothing learns from these episodes."
)


def would_foresight_help(run_id: str) -> None:
    """Draw what looking ahead would bring a run, or how that is found out."""
    st.markdown("**Would looking ahead help?**", help=_MEANING)
    with reading(open_store().engine) as connection:
        row = foresights.get_foresight(connection, run_id)
        job = jobs.find(connection, JobKind.FORESEE, run_id)
        is_taught = runs.get_run(connection, run_id)["reward_version"] > 0 and bool(
            models.list_checkpoints(connection, run_id)
        )
    state = None if job is None else job["state"]
    if row is not None and row["begun_at"] and state in (JobState.WAITING, JobState.CLAIMED):
        progress_with_stop(
            row["num_done"],
            row["num_in_all"],
            row["message"].capitalize(),
            key=f"stop-looking-{run_id}",
            stop=stop_foresight,
            subject=run_id,
        )
    else:
        if job is not None and state is JobState.FAILED:
            last_line = why_it_failed(job)
            st.error(f"It could not be measured: {last_line.partition(': ')[2] or last_line}")
        st.button(
            "Measure again" if row is not None and row["found"] else "Look ahead",
            key=f"look-ahead-{run_id}",
            icon=":material/visibility:",
            disabled=not is_taught,
            on_click=order_foresight,
            args=(open_store().engine, run_id),
            help="Takes a minute or two beside the training."
            if is_taught
            else "Possible once it has learned a reward from answers.",
        )
    if row is not None and row["found"]:
        _findings(row)


def in_words(found: Mapping[str, Any]) -> str:
    """Return what was found as a sentence.

    Args:
        found: what ``evaluate_foresight`` returns.
    """
    mean, low, high = (found["gain"][name] for name in ("mean", "low", "high"))
    verdict = (
        "It would help" if low > 0 else "It would harm" if high < 0 else "It would make no clear difference"
    )
    text = (
        f"{verdict}: {_signed(mean)} by the learned reward (95% interval {_signed(low)} to {_signed(high)}), "
        f"in {len(found['predicted_with'])} episodes with it and without, from the same starts. It acted "
        f"otherwise in {found['overruled']:.0%} of the steps."
    )
    if found["difference"] is not None:
        text += f" True return: {_signed(found['difference'])}, for evaluation only."
    return text


def _findings(row: sa.RowMapping) -> None:
    found = row["found"]
    st.markdown(in_words(found))
    if "clip_frames" not in found:
        st.caption(f"There is nothing to watch: {found.get('not_drawn', 'measure again to see a clip.')}")
        return
    missed = found["held_out_error"]
    said = (
        ""
        if missed is None
        else f" Of what changes in a step of episodes it has not seen, it misses {missed:.1%}."
    )
    clip = ReplayClip(
        url=f"foreseen/{row['clip']}",
        label="What happened, and what was foreseen",
        fps=found["clip_fps"],
        frames=found["clip_frames"],
    )
    replay_player(clips=[clip], key=f"foreseen-{row['run_id']}", max_clip_height=_CLIP_HEIGHT)
    st.caption(
        "Left: what happened. Right: what the model had foreseen at the start of each stretch, from the same "
        f"state and for the same actions. Where they part, it cannot be trusted any more.{said}"
    )


def _signed(value: float) -> str:
    return f"{value:+.3g}".replace("-", "\N{MINUS SIGN}")
