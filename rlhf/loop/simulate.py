"""The whole preference loop with a synthetic teacher, in one process and as fast as it goes.

The same session, store, queue and verbs as with people; only the teacher answers at once and no clip is
drawn. Deterministic: the same seed gives the same run.
"""

import contextlib
from typing import Any

import numpy as np
import sqlalchemy as sa

from rlhf.evaluation.agreement import preference_accuracy, rank_correlation
from rlhf.experience.segments import sample_segments
from rlhf.feedback.targets import prob_first
from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.change_world import change_world
from rlhf.loop.choose_policy import choose_policy
from rlhf.loop.collect_experience import collect_experience
from rlhf.loop.iterate import Turn, iterate
from rlhf.loop.report import Progress, Stopwatch, evaluate_acting, finite
from rlhf.loop.session import Session, open_session
from rlhf.parallel import peak_rss_mb
from rlhf.seeding import generator
from rlhf.storage import answers, runs
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading
from rlhf.types.feedback import Choice, QueryKind
from rlhf.types.run import RunState

_CURVE_POINTS = 40
_SPEARMAN_SEGMENTS = 300


def simulate(
    engine: sa.Engine,
    blobs: Blobs,
    run_id: str,
    progress: Progress,
    *,
    change: tuple[int, str] | None = None,
) -> dict[str, Any]:
    """Run a new run with a teacher to its end and report it.

    Args:
        engine: of the store.
        blobs: of the store.
        run_id: of a run that has a teacher.
        progress: hears how far it is.
        change: steps after which its world becomes another variant of its task, and the variant's name.

    Raises:
        RlhfError: the run cannot go on; what it had learned is in the store.
    """
    watch = Stopwatch()
    with contextlib.closing(open_session(engine, blobs, run_id, is_simulated=True)) as session:
        curve = _run_to_the_end(session, progress, change)
        summary = watch.summary(session.task, session.seed, session.steps, session.seconds, peak_rss_mb())
        return summary | _findings(session, curve)


def _run_to_the_end(
    session: Session, progress: Progress, change: tuple[int, str] | None
) -> list[dict[str, Any]]:
    """Let turns and the teacher's answers alternate; return the learning curve."""
    _set_state(session, RunState.RUNNING)
    curve: list[dict[str, Any]] = []
    asked = 0
    total = session.config.schedule.total_steps
    while (turn := iterate(session)) is not Turn.FINISHED:
        if change is not None and session.steps >= change[0]:
            change_world(session.engine, session.run_id, change[1])
            change = None
        answered = ask_teacher(session.engine, session.blobs, session.run_id, session.config.schedule.labels)
        asked += answered
        if turn is Turn.WAITING and not answered:
            collect_experience(session)  # nothing to learn from; time passes all the same
        returns = session.memory.true_returns(session.task.horizon)
        if session.steps >= (len(curve) + 1) * total / _CURVE_POINTS and returns:
            curve.append({"steps": session.steps, "labels": asked, "true_return": float(np.mean(returns))})
        progress(session.steps, total, f"{asked} labels, reward version {session.reward_version}")
    _set_state(session, RunState.FINISHED)
    return curve


def _findings(session: Session, curve: list[dict[str, Any]]) -> dict[str, Any]:
    with reading(session.engine) as connection:
        run = runs.get_run(connection, session.run_id)
        rows = answers.standing_answers(connection, session.run_id)
    choices = [row["choice"] for row in rows]
    audits = [
        (row["predicted"], prob_first(row["choice"]))
        for row in rows
        if row["kind"] is QueryKind.AUDIT
        and row["predicted"] is not None
        and prob_first(row["choice"]) is not None
    ]
    predicted, target = np.array(audits, np.float64).reshape(-1, 2).T
    version, policy = choose_policy(session)
    watched = {} if session.world is None else {"world_alarms": session.world.alarms}
    return watched | {
        "random_return": run["baseline"]["random_return"],
        "true_return": evaluate_acting(session.task, policy, session.seed, version),
        "labels": {
            "asked": len(choices),
            "answered": sum(c in (Choice.LEFT, Choice.RIGHT) for c in choices),
            "equal": choices.count(Choice.EQUAL),
            "skipped": choices.count(Choice.SKIP),
        },
        "audit_accuracy": finite(preference_accuracy(predicted, target)),
        "reward_spearman": _spearman(session),
        "teacher": run["teacher"],
        "curve": curve,
    }


def _spearman(session: Session) -> float | None:
    """Return the rank correlation of predicted and true segment returns over remembered behaviour."""
    episodes = [*session.memory.recent, *session.memory.older]
    if session.reward is None or not episodes:
        return None
    rng = generator(session.seed, "spearman")
    task = session.task
    segments = sample_segments(episodes, _SPEARMAN_SEGMENTS, task.segment_steps, task.horizon, rng)
    features = np.stack([session.inputs.segment(segment) for segment in segments])
    predicted = session.reward.member_returns(features).mean(axis=0).astype(np.float64)
    true = np.array([session.memory.true_rewards_of(segment).sum() for segment in segments])
    return finite(rank_correlation(predicted, true))


def _set_state(session: Session, state: RunState) -> None:
    with session.writing() as connection:
        runs.update_run(connection, session.run_id, state=state, steps=session.steps)
