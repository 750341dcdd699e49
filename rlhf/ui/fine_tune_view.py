"""Fine-tuning as people set it up: what to start from, for what, what to take and what is to learn."""

import html
from collections.abc import Sequence

import numpy as np
import streamlit as st

from rlhf.errors import RlhfError, TaskError
from rlhf.experience.tasks import GYM_PREFIX, get_task, list_tasks
from rlhf.loop.fork_run import fork_run
from rlhf.loop.look_at_source import Source, best_policy, look_at_source
from rlhf.loop.start_run import start_run
from rlhf.loop.ways import HOLD, PACES, Way, usual_config
from rlhf.policy.config import UPDATES, Update
from rlhf.storage import origins
from rlhf.storage.engine import reading
from rlhf.types.ranked_source import RankedSource
from rlhf.ui import lineage, training_view
from rlhf.ui.access import visitor_here
from rlhf.ui.network_picture import network_picture
from rlhf.ui.replay_view import SavedPolicy, view_policies
from rlhf.ui.session import turn_to_run
from rlhf.ui.source_table import PACE_NAMES, UPDATE_NAMES
from rlhf.ui.store import open_store

TAKES = {
    "policy": ("Policy", "What it does."),
    "critic": ("Critic", "How well it expects to do. Saves the new run its first rollouts."),
    "reward": ("Reward model", "What it thinks people like. Without the answers it is soon learned anew."),
    "answers": ("Answers", "As copies: undoing one here leaves it in the other run."),
}
_MEANINGS: dict[Update, str] = {
    "all": "The most freedom; what the source could do may be forgotten.",
    "adapters+head": "What it observes and what it does; what lies between is kept.",
    "head": "Other actions from the same understanding.",
    "last-block": "The last hidden layer and the head.",
    "low-rank": "The head, and a change of rank 4 to each other layer.",
}
_CURVES = ("experience/true_return", "experience/predicted_return", "reward/out_of_bag_accuracy")
_MOST_RUNS = 5


def choose_policy(run_id: str) -> int | None:
    """Let people choose a saved policy, with its clip and its numbers; None where none is saved."""
    saved = view_policies(open_store().engine, run_id)
    if not saved:
        st.info("This run has saved no policy yet.", icon=":material/movie:")
        return None
    by_version = {policy.version: policy for policy in reversed(saved)}
    with reading(open_store().engine) as connection:
        liked = best_policy(connection, run_id)
    best, versions = None if liked is None else liked["version"], list(by_version)
    version = st.selectbox(
        "Saved policy",
        versions,
        index=versions.index(best) if best in by_version else 0,
        format_func=lambda one: by_version[one].label + (" · liked best" if one == best else ""),
        key=f"policy-{run_id}",
    )
    _watch(by_version[version])
    return version


def choose_target(run_id: str, own_task: str, version: int | None) -> Source | None:
    """Let people choose the new run's task; return how the source fits it, or None where that is no task."""
    key = f"target-{run_id}"
    typed = [st.session_state[key]] if st.session_state.get(key) else []
    names = list(dict.fromkeys([own_task, *(task.name for task in list_tasks()), *typed]))
    name = st.selectbox(
        "Task of the new run",
        names,
        format_func=lambda one: f"{one} (the same)" if one == own_task else one,
        accept_new_options=True,
        key=key,
        help="Pick one, or type the name of any other task.",
    )
    try:
        _check_typed(name)
        st.caption(get_task(name).goal)
        store = open_store()
        return look_at_source(store.engine, store.blobs, run_id, task=name, policy_version=version)
    except RlhfError as error:
        st.error(str(error))
        return None


def choose_parts(source: Source) -> list[str]:
    """Let people choose what is taken over; what does not fit says why."""
    st.markdown("**Take over**")
    taken = []
    for part, (title, meaning) in TAKES.items():
        reason = source.missing.get(part)
        with st.container(gap=None):
            is_on = st.checkbox(
                title,
                value=reason is None,
                disabled=reason is not None,
                key=f"take-{part}-{source.run['id']}-{source.task.name}-{reason is None}",
            )
            st.caption(meaning if reason is None else f"Not possible: {reason}.")
        if is_on and reason is None:
            taken.append(part)
    return taken


def choose_way(source: Source) -> Way:
    """Let people choose how the policy learns, with a picture of the network."""
    allowed = [mode for mode in UPDATES if source.allows(mode)]
    of = f"{source.run['id']}-{source.task.name}"
    left, right = st.columns(2, gap="large")
    with left:
        mode = st.radio(
            "What learns",
            allowed,
            index=1 if source.new_layers else 0,
            captions=[_MEANINGS[one] for one in allowed],
            format_func=lambda one: UPDATE_NAMES[one],
            key=f"update-{of}",
        )
        if len(allowed) < len(UPDATES):
            st.caption("The new task observes other numbers, so a new first layer has to learn.")
    with right:
        st.html(network_picture(source.widths, source.new_layers, mode))
        learned, total = source.count_learned(mode)
        st.markdown(f"**{learned / total:.0%} of the policy's parameters learn** ({learned:,} of {total:,})")
        pace = st.radio(
            "Learning rate",
            PACES,
            format_func=lambda one: PACE_NAMES[one].capitalize(),
            horizontal=True,
            key=f"pace-{of}",
            help="What the source knows needs to be adapted, not found: slower forgets less.",
        )
        is_held = st.checkbox(
            "Hold it to what it does now, less and less",
            key=f"hold-{of}",
            help="For the first third of the run, departing from the source's behaviour costs something.",
        )
    return Way(update=mode, pace=pace, hold=HOLD if is_held else 0.0)


def start(source: Source, taken: Sequence[str], way: Way) -> None:
    """Draw the button that makes and starts the run."""
    if not taken:
        st.caption("Take over something, or start from scratch on the Runs page.")
    label = f"Start fine-tuning on {source.task.name}"
    if not st.button(label, type="primary", icon=":material/play_arrow:", disabled=not taken):
        return
    store = open_store()
    try:
        run_id = fork_run(
            store.engine,
            store.blobs,
            source.run["id"],
            task=source.task.name,
            take=taken,
            policy_version=source.policy_version,
            overrides=way.settings(usual_config(source)) if "policy" in taken else {},
            by=visitor_here().annotator_id or "studio",
        )
        start_run(store.engine, run_id)
    except RlhfError as error:
        st.error(str(error))
        return
    st.toast(f"Run {run_id} has started.")


def fill_in(source: RankedSource, target: str) -> None:
    """Turn to a run, with this saved policy, target and way chosen; for callbacks."""
    assert source.run_id is not None
    turn_to_run(source.run_id)
    chosen = st.session_state
    chosen[f"policy-{source.run_id}"], chosen[f"target-{source.run_id}"] = source.version, target
    if source.update is not None:
        of = f"{source.run_id}-{target}"
        chosen[f"update-{of}"], chosen[f"pace-{of}"] = source.update, source.pace
        chosen[f"hold-{of}"] = bool(source.hold)


def compare(run_id: str) -> None:
    """Draw the runs that started from this one, and the one it started from, on common axes."""
    engine = open_store().engine
    with reading(engine) as connection:
        found = origins.list_origins(connection)
    own = next((origin for origin in found if origin["run_id"] == run_id), None)
    children = [origin for origin in reversed(found) if origin["source_id"] == run_id]
    names = {run_id: "this run"}
    if own is not None:
        names[own["source_id"]] = f"its source {own['source_id']}"
    names |= {one["run_id"]: one["run_id"] for one in children}
    names = dict(list(names.items())[:_MOST_RUNS])
    if len(names) == 1:
        return
    st.subheader("Beside each other", anchor=False)
    points = training_view.view_training(engine, list(names), _CURVES)
    events = training_view.view_events(engine, children[0]["run_id"] if children else run_id)
    training_view.draw_curves(points, events.iloc[:0], _CURVES, names, key=f"fine-tune-{run_id}")
    for one in children[: _MOST_RUNS - 1]:
        query = {"run": one["run_id"]}
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"{one['run_id']} took {lineage.in_words(one)}")
            st.page_link("label.py", label="Label", icon=":material/compare:", query_params=query)
            st.page_link("replays.py", label="Replays", icon=":material/movie:", query_params=query)


def _watch(policy: SavedPolicy) -> None:
    recording = policy.recording
    if recording is None:
        st.caption("Its clip is being drawn.")
    else:
        address = f"clips/{recording.segment_id}"
        label = html.escape(f"What the policy of {policy.label} does")
        st.html(
            f'<video src="{address}.mp4" poster="{address}.png" controls loop muted playsinline '
            f'style="width:100%;max-height:300px;border-radius:8px;object-fit:contain" '
            f'aria-label="{label}"></video>'
        )
    with st.container(horizontal=True, gap="medium"):
        for title, returns in (("True return", policy.true_returns), ("Predicted", policy.predicted_returns)):
            if len(returns):
                st.metric(title, f"{np.mean(returns):,.1f}", help=f"Mean of {len(returns)} episodes.")
        st.metric("Answers", f"{policy.num_answers:,}")
        st.metric("Steps", f"{policy.steps:,}")


def _check_typed(name: str) -> None:
    # Importing a module runs its code: not for whoever can open the page to choose.
    if ":" in name.removeprefix(GYM_PREFIX) and name.startswith(GYM_PREFIX):
        raise TaskError(
            f"{name!r} names a module, and pages import none. Use the command line: "
            f"`python -m rlhf finetune RUN --task {name}`."
        )
