"""Which source, and which way to start from it? Compared for a task, and what is picked filled in."""

import time

import sqlalchemy as sa
import streamlit as st

from rlhf.errors import RlhfError
from rlhf.loop.look_at_source import Source
from rlhf.loop.order_ranking import RankConfig, order_ranking, stop_ranking
from rlhf.storage import jobs, source_rankings
from rlhf.storage.engine import reading
from rlhf.types.ranked_source import RankedSource
from rlhf.types.run import JobKind, JobState
from rlhf.types.task import Task, base_name
from rlhf.ui import fine_tune_view
from rlhf.ui.background_job import progress_with_stop, why_it_failed
from rlhf.ui.session import runs_here
from rlhf.ui.source_table import draw_sources, draw_ways
from rlhf.ui.store import open_store

_PRACTICE = (0, 5_000, 20_000, 100_000)
_TRUE = "the true reward, for evaluation only"
_PICKED = "source_picked"
_SCRATCH = "scratch"
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"))


def which_source(run_id: str, target: Task) -> None:
    """Draw the comparison of sources for a task: ordering it, how far it is, what it found.

    Args:
        run_id: on whose page it is.
        target: the task that is to be started.
    """
    _turn_to_pick()
    st.subheader("Which source?", anchor=False)
    st.caption(
        f"Compares the newest saved policy of each of the {RankConfig.limit} newest runs that fit "
        f"{target.name}, with observations, actions and hidden layers of its sizes, and puts the most "
        "promising first. Choose a row to start from it."
    )
    found = _comparison(run_id, target, "")
    if found is not None:
        sources = [RankedSource.from_dict(source) for source in found["sources"]]
        draw_sources(
            sources, key=f"sources-{found['id']}", on_pick=lambda source: _fill_in(source, target.name)
        )


def which_way(source: Source) -> None:
    """Draw the same for ways of fine-tuning one saved policy.

    Args:
        source: that policy, and the task that is to be started from it.
    """
    _turn_to_pick()
    run_id, version = source.run["id"], source.policy_version
    st.subheader("Which way?", anchor=False)
    st.caption(
        "Lets the chosen policy practise with more or less of it learning, faster or slower and held to what "
        "it did at first, beside a policy from scratch. Choose a row to fill in the form."
    )
    found = _comparison(run_id, source.task, f"{run_id}:{version}")
    if found is not None:
        ways = [RankedSource.from_dict(way) for way in found["sources"]]
        draw_ways(ways, key=f"ways-{found['id']}", on_pick=lambda way: _fill_in(way, source.task.name))


def _comparison(run_id: str, target: Task, ways_of: str) -> sa.RowMapping | None:
    """Draw how a comparison is ordered or how far it is; return the newest one that is finished."""
    with reading(open_store().engine) as connection:
        of = {"target": target.name, "ways_of": ways_of}
        begun = source_rankings.newest_ranking(connection, **of, is_finished=False)
        found = source_rankings.newest_ranking(connection, **of, is_finished=True)
        job = None if begun is None else jobs.find(connection, JobKind.RANK, begun["id"])
    if begun is not None and job is not None and job["state"] is not JobState.FAILED:
        progress_with_stop(
            begun["num_done"],
            begun["num_in_all"],
            f"Comparing: {begun['message']}" if begun["message"] else "",
            key=f"stop-{begun['id']}",
            stop=stop_ranking,
            subject=begun["id"],
        )
    else:
        if job is not None:
            st.error(f"The comparison failed: {why_it_failed(job)}")
        _order(run_id, target, ways_of, is_again=found is not None)
    if found is not None:
        how = "after practice" if found["settings"]["short_steps"] else "untrained"
        judge = found["settings"]["reward_from"]
        by = f"the reward of run {judge.replace(':', ', version ')}" if judge else _TRUE
        st.caption(f"Compared {_ago(found['finished_at'])}, {how}, by {by}.")
    return found


def _turn_to_pick() -> None:
    picked = st.session_state.pop(_PICKED, None)
    if picked == _SCRATCH:
        st.toast("A policy from scratch starts on the Runs page.")
    elif picked is not None:
        st.rerun()  # the whole page: the form is outside of this part


def _order(run_id: str, target: Task, ways_of: str, *, is_again: bool) -> None:
    """Draw what a comparison goes by, and the button that orders one."""
    judges = _judges(target.name) + ([""] if target.has_true_reward else [])
    if not judges:
        st.info("Nothing can judge them: the task has no true reward, and no run has learned one for it.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        judge = st.selectbox(
            "Judged by",
            judges,
            format_func=lambda one: f"reward of {one.replace(':', ', version ')}" if one else _TRUE,
            key=f"judge-{target.name}-{ways_of}",
        )
        steps = st.selectbox(
            "Practice",
            _PRACTICE[1:] if ways_of else _PRACTICE,
            format_func=lambda one: f"{one:,} steps" if one else "none, as they are",
            key=f"practice-{target.name}-{ways_of}",
            help="Each practises a little and the worse half is given up, beside one from scratch. Four "
            "rollouts are made at least. It says the most, and takes minutes.",
        )
        label = "Compare ways" if ways_of else "Compare"
        is_wanted = st.button(f"{label} again" if is_again else label, icon=":material/leaderboard:")
    if is_wanted:
        try:
            config = RankConfig(short_steps=steps, ways_of=ways_of)
            order_ranking(open_store().engine, run_id, target.name, config, reward_from=judge)
        except RlhfError as error:
            st.error(str(error))
            return
        st.rerun()


def _judges(target: str) -> list[str]:
    """Return learned rewards of the same environment as ``RUN:VERSION``, of the newest runs first."""
    return [
        f"{row['id']}:{row['reward_version']}"
        for row in runs_here()
        if row["reward_version"] and base_name(row["task"]) == base_name(target)
    ]


def _fill_in(source: RankedSource, target: str) -> None:
    st.session_state[_PICKED] = source.run_id or _SCRATCH
    if source.run_id is not None:
        fine_tune_view.fill_in(source, target)


def _ago(at: float) -> str:
    passed = time.time() - at
    for seconds, unit in _UNITS:
        if passed >= seconds:
            count = round(passed / seconds)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
