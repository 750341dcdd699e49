"""A run's world becomes another one while it learns: gravity, masses, motors, wind, by sliders."""

import streamlit as st

from rlhf.errors import RlhfError
from rlhf.experience.tasks import get_task
from rlhf.experience.variants import SIGN, changes_of, name_changes
from rlhf.loop.change_world import change_world
from rlhf.storage import runs
from rlhf.storage.engine import reading
from rlhf.types.task import base_name
from rlhf.ui.store import open_store

_POSITIONS = 100
"""Of a slider."""
_DIGITS = 3
"""Of a number that a slider gives."""


def world_control(run_id: str) -> None:
    """Draw the button with the sliders of a run's world; nothing where there is no step left or no slider.

    Belongs outside of fragments that draw themselves anew: sliders would spring back.
    """
    engine = open_store().engine
    with reading(engine) as connection:
        run = runs.get_run(connection, run_id)
    task = get_task(run["task"])
    allowed = changes_of(task.env_id)
    if not allowed or run["steps"] >= run["total_steps"]:
        return
    # Closed again, and its sliders as the world is, once that has changed.
    key = f"world-{run_id}-{run['task']}"
    with st.popover("Change the world", icon=":material/public:", type="tertiary", key=key):
        st.caption(_told(run["config"]))
        wanted: dict[str, float] = {}
        for name, change in allowed.items():
            chosen = st.slider(
                name.replace("_", " ").capitalize(),
                change.low,
                change.high,
                task.changes.get(name, change.usual),
                step=(change.high - change.low) / _POSITIONS,
                format=f"%.{_DIGITS}g",
                help=f"Usually {change.usual:g}.",
                key=f"{key}-{name}",
            )
            value = float(f"{chosen:.{_DIGITS}g}")
            if value != change.usual:
                wanted[name] = value
        base = base_name(run["task"])
        becomes = f"{base}{SIGN}{name_changes(wanted)}" if wanted else base
        same = wanted == dict(task.changes)
        if st.button(
            "Change it now", type="primary", icon=":material/public:", disabled=same, key=f"{key}-do"
        ):
            _change(run_id, becomes)
        if task.changes and st.button("As it usually is", icon=":material/undo:", key=f"{key}-undo"):
            _change(run_id, base)


def _told(config: dict[str, dict[str, object]] | None) -> str:
    watches = bool(config and config.get("world", {}).get("watch"))
    notices = (
        "It watches for that and will say when it has noticed."
        if watches
        else "It does not watch for that (`world.watch`), and will only go on learning."
    )
    return f"The agent goes on from where it stands, by other physics. It is not told. {notices}"


def _change(run_id: str, task_name: str) -> None:
    try:
        change_world(open_store().engine, run_id, task_name)
    except RlhfError as error:
        st.error(str(error))
        return
    st.toast(f"The world is {task_name} from now on.")
    st.rerun()
