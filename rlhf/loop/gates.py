"""Is the reward still right where the policy is? Warnings on the run, and a way back that loses no answer.

Six looks at the same question: how well answers to random pairs were foreseen, whether the latest answers
contradict what it was sure of, whether the reward rises only where the ensemble does not agree, how much of
the behaviour is unlike anything asked about, whether people who do not know which policy is newer prefer it,
and whether the newest policy is better than the best one stored. Only the last one acts.
"""

import numpy as np
import sqlalchemy as sa

from rlhf.evaluation.agreement import foresight, preference_accuracy
from rlhf.evaluation.reward_drift import diverges, share_above, spread_limit
from rlhf.evaluation.statistics import probability_of_winning, wilson_interval
from rlhf.feedback.targets import prob_first
from rlhf.loop.champion import judge
from rlhf.loop.fit_reward import segment_inputs, teaching_answers
from rlhf.loop.read_win_rate import read_win_rate
from rlhf.loop.score_rollout import Scored
from rlhf.loop.session import Session
from rlhf.storage import models, runs
from rlhf.storage.engine import reading
from rlhf.types.experience import Float32, Float64
from rlhf.types.feedback import QueryKind

_NOTHING_UNFAMILIAR = 1e30
_SHORT_OF_PROMISE = 1.0
"""Standard deviations by which less must have been foreseen than was promised before an audit can warn."""
_MAX_COMPARED = 10_000
"""Steps of answered clips that say what is familiar."""


def check_gates(session: Session, scored: Scored, *, is_saved: bool) -> None:
    """Look at the rollout just learned from; warn of what is wrong, and go back if the policy got worse.

    Args:
        session: after the update.
        scored: the rewards that it followed.
        is_saved: the policy has just been saved, and may become the one to go back to.
    """
    is_new = session.gates.reward_version != session.reward_version
    with session.timed("reward"):
        if is_new:
            _start_readings(session)
        _read(session, scored)
        if is_saved:
            _check_win_rate(session)
        if is_new or is_saved:
            judge(session, may_crown=is_saved)


def _start_readings(session: Session) -> None:
    """Prepare for a new reward version: what is familiar to it, and how well its forerunner foresaw."""
    gates, config = session.gates, session.config.gates
    gates.forget_readings()
    gates.reward_version = session.reward_version
    with reading(session.engine) as connection:
        rows, _ = teaching_answers(connection, session.run_id)
        report = models.latest_reward_report(connection, session.run_id)
    gates.spread_limit = _NOTHING_UNFAMILIAR
    if rows:  # all may have been taken back
        gates.spread_limit = spread_limit(_compared_spread(session, rows), config.familiar_percentile)
    judged = [row for row in rows if row["predicted"] is not None]
    _check_surprise(session, judged[-config.surprise_window :])
    audits = [row for row in judged if row["kind"] is QueryKind.AUDIT]
    _check_audit(session, audits[-config.audit_window :], report.get("train_accuracy"))


def _check_surprise(session: Session, judged: list[sa.RowMapping]) -> None:
    """Look at the latest answers to pairs that a reward had judged before, whatever they were asked for.

    Notices within a few answers what the audit, a seventh of them, takes long to see.
    """
    z = foresight(*_predictions(judged))
    with session.writing() as connection:
        runs.add_measurements(connection, session.run_id, session.steps, {"reward/foresight": z})
    _warn(
        session,
        "surprise",
        z < -session.config.gates.surprise_limit,
        f"The latest {len(judged)} answers contradict what the reward model was sure of. Somebody may judge "
        "by something else than before; look at the newest answers, and at what the policy does.",
    )


def _predictions(judged: list[sa.RowMapping]) -> tuple[Float64, Float64]:
    """Return what was predicted of answers and what was answered, (Q,) each."""
    predicted = np.array([row["predicted"] for row in judged], np.float64)
    return predicted, np.array([prob_first(row["choice"]) for row in judged], np.float64)


def _check_audit(session: Session, audits: list[sa.RowMapping], train_accuracy: float | None) -> None:
    config = session.config.gates
    predicted, target = _predictions(audits)
    number = int((target != 0.5).sum())
    if number == 0:
        return
    accuracy = preference_accuracy(predicted, target)
    low, high = wilson_interval(accuracy * number, number, config.confidence)
    with session.writing() as connection:
        values = {"reward/audit_accuracy_low": low, "reward/audit_accuracy_high": high}
        runs.add_measurements(connection, session.run_id, session.steps, values)
    # To be out of luck with pairs that it calls a coin toss is no fault, however many they are.
    is_wrong = number >= config.min_audits and foresight(predicted, target) < -_SHORT_OF_PROMISE
    seen = f"it foresaw {accuracy:.0%} of the last {number} random pairs, less than it had promised"
    _warn(
        session,
        "audit",
        is_wrong and high < config.audit_floor,
        f"The reward model may be wrong about what people want: {seen}.",
    )
    _warn(
        session,
        "memorised",
        is_wrong and train_accuracy is not None and train_accuracy - high > config.audit_gap,
        f"The reward model may have memorised its answers: {seen}; of those that it learned from it gets "
        f"{train_accuracy or 0:.0%} right.",
    )


def _check_win_rate(session: Session) -> None:
    """Look at what people say who do not know which policy is the newer one."""
    with reading(session.engine) as connection:
        won = read_win_rate(connection, session.run_id).won[-session.config.gates.win_rate_window :]
    wins, losses = int((won == 1.0).sum()), int((won == 0.0).sum())
    chance = probability_of_winning(wins, losses)
    with session.writing() as connection:
        values = {"policy/chance_of_progress": chance}
        runs.add_measurements(connection, session.run_id, session.steps, values)
    _warn(
        session,
        "win rate",
        chance < session.config.gates.win_rate_loss,
        "People like newer versions less, whatever the reward model says: of the latest blind pairs they "
        f"preferred the older version in {losses} and the newer one in {wins}.",
    )


def _read(session: Session, scored: Scored) -> None:
    gates, config = session.gates, session.config.gates
    gates.means.append(float(scored.mean.mean()))
    gates.lower_bounds.append(float((scored.mean - scored.spread).mean()))
    gates.unfamiliar.append(share_above(scored.spread, gates.spread_limit))
    for readings in (gates.means, gates.lower_bounds, gates.unfamiliar):
        del readings[: -config.drift_updates - 1]
    _warn(
        session,
        "drift",
        diverges(gates.means, gates.lower_bounds, config.drift_updates, config.drift_rise),
        "The reward rises only where the reward model is unsure: the policy may have found a loophole.",
    )
    recent = float(np.mean(gates.unfamiliar[-config.drift_updates :]))
    _warn(
        session,
        "unfamiliar",
        len(gates.unfamiliar) >= config.drift_updates and recent > config.unfamiliar_share,
        f"{recent:.0%} of the behaviour is unlike anything asked about; more of it is asked about now.",
    )


def _warn(session: Session, gate: str, is_wrong: bool, message: str) -> None:
    """Keep whether a warning holds; say so when it begins, at most once for each reward version."""
    gates = session.gates
    begins = is_wrong and gate not in gates.standing
    gates.standing = [g for g in gates.standing if g != gate] + [gate] * is_wrong
    if begins and gates.warned.get(gate) != session.reward_version:
        gates.warned[gate] = session.reward_version
        with session.writing() as connection:
            runs.add_event(connection, session.run_id, session.steps, "warning", message)


def _compared_spread(session: Session, rows: list[sa.RowMapping]) -> Float32:
    """Return the ensemble's spread over steps of the answered segments, (B,)."""
    assert session.reward is not None
    ids = list(dict.fromkeys(side for row in rows for side in (row["left_id"], row["right_id"])))
    features = np.concatenate([segment_inputs(session, segment_id) for segment_id in ids])
    thinned = features[:: max(1, len(features) // _MAX_COMPARED)]
    spread: Float32 = session.reward.member_rewards(thinned).std(axis=0)
    return spread
