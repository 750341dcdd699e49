"""Session -> people: where a run stands, as curves, counters and one line of text."""

import dataclasses
import time

from rlhf.loop.report import STAGES
from rlhf.loop.session import Session
from rlhf.policy.stats import PolicyStats
from rlhf.storage import answers, runs
from rlhf.storage.engine import reading
from rlhf.types.experience import Rollout
from rlhf.types.feedback import Choice

_CURVE_POINTS = 400
"""Points of a curve over a whole run; denser ones would only fill the disk."""
_ROW_S = 0.5
"""Seconds between updates of the run's row."""


def publish_turn(session: Session, rollout: Rollout, stats: PolicyStats) -> None:
    """Make a turn's numbers known, as densely as curves and counters need."""
    now = time.monotonic()
    spacing = session.config.schedule.total_steps / _CURVE_POINTS
    is_point = session.is_finished or session.steps - session.curve_steps >= spacing
    if not is_point and now - session.published_at < _ROW_S:
        return
    with session.writing() as connection:
        runs.update_run(
            connection,
            session.run_id,
            steps=session.steps,
            policy_version=session.policy.version,
            message=f"Learning from {f'{session.fitted} answers' if session.fitted else 'what was designed'} "
            f"with reward version {session.reward_version}.",
        )
        if is_point:
            values = {f"policy/{name}": value for name, value in dataclasses.asdict(stats).items()}
            if not stats.reference_kl:
                del values["policy/reference_kl"]  # it is held to nothing
            values |= {f"seconds/{stage}": session.seconds.get(stage, 0.0) for stage in STAGES}
            values["experience/predicted_return"] = session.predicted_reward * session.task.horizon
            if session.world is not None:
                values["experience/surprise"] = session.world.errors.total
            if session.gates.means:
                values["reward/mean"] = session.gates.means[-1]
                values["reward/lower_bound"] = session.gates.lower_bounds[-1]
                values["reward/unfamiliar_share"] = session.gates.unfamiliar[-1]
            returns = session.memory.true_returns(session.task.horizon)
            if session.task.has_true_reward and returns:
                values["experience/true_return"] = sum(returns) / len(returns)
            runs.add_measurements(connection, session.run_id, session.steps, values)
    session.published_at = now
    if is_point:
        session.curve_steps = session.steps


def publish_waiting(session: Session) -> None:
    """Say what is missing before the policy can start to learn, and how far it has explored."""
    with reading(session.engine) as connection:
        counts = answers.count_standing(connection, session.run_id)
        given = sum(counts.values()) - counts.get(Choice.SKIP, 0)
    missing = max(1, session.config.schedule.first_answers - given)
    message = f"{missing} more answer{'s' if missing > 1 else ''} and the agent starts to learn."
    if session.is_exploring:
        message = "The agent tries what is new, then it learns from the answers."
    is_seen = session.is_exploring and time.monotonic() - session.published_at >= _ROW_S
    if message == session.message and not is_seen:
        return  # nothing new: a run may wait all night
    with session.writing() as connection:
        runs.update_run(
            connection,
            session.run_id,
            steps=session.steps,
            policy_version=session.policy.version,
            message=message,
        )
    session.message, session.published_at = message, time.monotonic()
