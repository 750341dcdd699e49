"""What watches over the reward model: each gate, where it stands, and what to do about an alarm."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
import streamlit as st

from rlhf.loop.change_world import watches
from rlhf.storage import models, runs
from rlhf.storage.engine import reading

_KINDS = ("warning", "rollback")
_LATEST_EVENTS = 500
_IN_A_ROW = 4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gate:
    """One of the looks that a run takes at its reward."""

    title: str
    says: str
    """Part of every alarm of it."""
    reading: str
    """Metric that is watched."""
    limit: str
    """Setting of ``gates`` that it is held against; of ``world`` with that name before it."""
    state: str
    """Where it stands and when it raises an alarm, with room for the reading ``now`` and the ``limit``."""
    advice: str
    """What to do about an alarm."""


GATES = (
    Gate(
        title="Foresees random pairs",
        says="may be wrong about what people want",
        reading="reward/audit_accuracy_high",
        limit="audit_floor",
        state="at most {now:.0%} right, alarm below {limit:.0%}",
        advice="See what would change its mind, and set wrong answers aside. If all are right, people want "
        "different things, or judge by what the model does not see: compare who is foreseen badly.",
    ),
    Gate(
        title="Knows rather than remembers",
        says="may have memorised its answers",
        reading="reward/train_accuracy",
        limit="audit_gap",
        state="{now:.0%} of learned answers right, alarm if random pairs are surely {limit:.0%} worse",
        advice="More answers are the cure, most of all about behaviour that was not shown yet. A plainer "
        "class of model (reward.model_class) remembers less.",
    ),
    Gate(
        title="Is not contradicted",
        says="contradict what the reward model was sure of",
        reading="reward/foresight",
        limit="surprise_limit",
        state="latest answers {now:+.1f} SD from the promise, alarm below -{limit:.1f}",
        advice="Look at the newest answers on the Data page: has somebody begun to judge by something else? "
        "Set aside what was not meant. If it was meant, go on: the model follows within some answers.",
    ),
    Gate(
        title="Follows no loophole",
        says="rises only where the reward model is unsure",
        reading="reward/lower_bound",
        limit="drift_rise",
        state="lower bound {now:+.1f}, alarm if the mean rises by {limit:.1f} without it",
        advice="Watch the newest policy on the Replays page. If it does something nobody asked for, answer "
        "pairs that show it: they come first now. Going back to an earlier policy loses no answer.",
    ),
    Gate(
        title="Knows the behaviour",
        says="unlike anything asked about",
        reading="reward/unfamiliar_share",
        limit="unfamiliar_share",
        state="{now:.0%} of its steps are unfamiliar, alarm above {limit:.0%}",
        advice="Answer a few more pairs: those that are unlike all others are asked first until the model "
        "knows them.",
    ),
    Gate(
        title="People see progress",
        says="People like newer versions less",
        reading="policy/chance_of_progress",
        limit="win_rate_loss",
        state="{now:.0%} chance that newer is better, alarm below {limit:.0%}",
        advice="They did not know which version is newer, so believe them rather than the reward. "
        "Compare versions on the Replays page, go back to the better one, and answer pairs of the newest.",
    ),
    Gate(
        title="Lives in the same world",
        says="The world seems to have changed",
        reading="experience/surprise",
        limit="world_limit",
        state="surprise {now:.1f}, alarm above {limit:.0f}",
        advice="Has something about the robot or the task changed, or worn out? The policy goes on learning "
        "in the world as it is now. The reward needs no new answers for that, as it says what is wanted.",
    ),
    Gate(
        title="People prefer the newest policy",
        says="policy version",
        reading="policy/chance_against_champion",
        limit="contest_loss",
        state="{now:.0%} chance that they do, goes back below {limit:.0%}",
        advice="The run has gone back, or would have: compare both policies on the Replays page, and answer "
        "more pairs of the newest one.",
    ),
)
_OTHERWISE = "Watch the newest policy on the Replays page, and answer a few more pairs."


def alarms(engine: sa.Engine, run_id: str) -> None:
    """Show every gate with its reading, the alarms that stand with advice, and earlier ones."""
    with reading(engine) as connection:
        run = runs.get_run(connection, run_id)
        versions = models.list_reward_versions(connection, run_id)
        events = [e for e in runs.list_events(connection, run_id, _LATEST_EVENTS) if e["kind"] in _KINDS]
        readings = runs.latest_measurements(connection, run_id, [gate.reading for gate in GATES])
    since = versions[-1]["created_at"] if versions else 0.0
    standing = [event for event in events if event["at"] >= since]
    config = run["config"] or {}
    world = config.get("world", {})
    limits = config.get("gates", {}) | {f"world_{name}": value for name, value in world.items()}
    gates = [gate for gate in GATES if watches(run) or not gate.limit.startswith("world_")]
    st.markdown("**Alarms**", help="Raised by the run itself; an alarm stands until the next reward version.")
    for event in standing:
        st.warning(
            f"{event['message']}\n\n**What to do:** {advice(event['message'])}", icon=":material/warning:"
        )
    for start in range(0, len(gates), _IN_A_ROW):
        for column, gate in zip(st.columns(_IN_A_ROW), gates[start : start + _IN_A_ROW], strict=False):
            is_raised = any(gate.says in event["message"] for event in standing)
            with column:
                _gate(gate, readings, limits, is_raised=is_raised)
    if earlier := events[len(standing) :]:
        with st.expander(f"Earlier alarms ({len(earlier)})", icon=":material/history:"):
            for event in earlier:
                st.markdown(f"{event['message']}  \n:gray[at {event['steps']:,} steps]")


def advice(message: str) -> str:
    """Return what to do about an alarm, in words."""
    return next((gate.advice for gate in GATES if gate.says in message), _OTHERWISE)


def _gate(gate: Gate, readings: Mapping[str, float], limits: Mapping[str, Any], *, is_raised: bool) -> None:
    now, limit = readings.get(gate.reading), limits.get(gate.limit)
    if is_raised:
        icon = ":orange[:material/warning:]"
    elif now is None:
        icon = ":gray[:material/hourglass_empty:]"
    else:
        icon = ":green[:material/check_circle:]"
    is_known = now is not None and limit is not None
    state = gate.state.format(now=now, limit=limit) if is_known else "nothing to go by yet"
    st.markdown(f"{icon} {gate.title}  \n:gray[:small[{state}]]", help=gate.advice)
