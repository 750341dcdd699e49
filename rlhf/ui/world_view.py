"""Changing the world of a run that goes on, to see whether it notices."""

import sqlalchemy as sa
import streamlit as st

from rlhf.errors import RlhfError
from rlhf.experience.tasks import env_id_of, get_task
from rlhf.experience.variants import SIGN, Change, can_change_live, changes_of, name_changes
from rlhf.loop.change_world import change_world, let_watch, watches
from rlhf.storage import runs
from rlhf.storage.engine import reading
from rlhf.types.run import RunState
from rlhf.types.task import base_name
from rlhf.ui.run_view import RunView
from rlhf.ui.store import open_store

_STEPS = 40
"""Of the buttons beside a number, from its smallest to its largest value."""


def change_the_world(view: RunView) -> None:
    """Draw what can be changed about a run's environment and the button that does so, where anything can."""
    is_possible = can_change_live(env_id_of(view.task))  # before a task that names a module is looked at
    if view.state in (RunState.CREATED, RunState.FINISHED) or not is_possible:
        return
    task = get_task(view.task)
    engine = open_store().engine
    with reading(engine) as connection:
        is_watched = watches(runs.get_run(connection, view.run_id))
    with st.expander("Change its world", icon=":material/public:"):
        st.caption(
            "An experiment in place of wear and tear. The run is not told: its episodes go on from where "
            "they stand, by other physics. A run that watches for changes warns; the answers hold "
            "in the new world too, and the policy goes on learning from them."
        )
        _watch(engine, view.run_id, is_watched)
        wanted: dict[str, float] = {}
        with st.container(horizontal=True, gap="medium"):
            for name, change in changes_of(task.env_id).items():
                now = task.changes.get(name, change.usual)
                value = _number(name, change, now, key=f"world-{name}-{view.run_id}-{view.task}")
                if value != change.usual:
                    wanted[name] = value
        name = SIGN.join(filter(None, (base_name(view.task), name_changes(wanted))))
        is_other = wanted != dict(task.changes)
        if st.button(
            "Change the world",
            icon=":material/public:",
            key=f"change-{view.run_id}",
            disabled=not is_other,
            help=f"The task is {view.task} now" + (f", and will be {name}." if is_other else "."),
        ):
            try:
                change_world(engine, view.run_id, name)
            except RlhfError as error:
                st.error(str(error))
                return
            st.toast(f"The world is {name} from now on.")
            st.rerun()


def _watch(engine: sa.Engine, run_id: str, was_on: bool) -> None:
    """Draw the switch that lets the run watch for changes."""
    is_on = st.toggle(
        "Watch for changes",
        value=was_on,
        key=f"watch-{run_id}-{was_on}",
        help="It warns when what follows an action is no longer what it was: see *What happened* "
        "and the alarms of *Reward model*. Begun now, it first learns for a while what is usual. Costs a "
        "tenth to a third of a small run's time.",
    )
    if is_on != was_on:
        let_watch(engine, run_id, is_on)
        st.rerun()


def _number(name: str, change: Change, now: float, *, key: str) -> float:
    return st.number_input(
        name.replace("_", " ").capitalize(),
        change.low,
        change.high,
        now,
        step=float(f"{(change.high - change.low) / _STEPS:.0e}"),
        format="%g",
        key=key,
        width=160,
        help=f"Usually {change.usual:g}; from {change.low:g} to {change.high:g}.",
    )
