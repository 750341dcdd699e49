"""A fitted reward -> the store: the model, what it makes of each answer, and how the fit went."""

import dataclasses
from typing import Any

import numpy as np
import sqlalchemy as sa

from rlhf.evaluation.agreement import preference_accuracy
from rlhf.feedback.targets import prob_first
from rlhf.loop.session import Session
from rlhf.reward.fit import FitReport
from rlhf.reward.sources import Sources, compare_sources
from rlhf.seeding import generator
from rlhf.storage import models, runs
from rlhf.types.feedback import PreferenceData, QueryKind

_AUDIT_WINDOW = 50
"""Latest audit pairs that the audit accuracy is of."""


def store_reward(
    session: Session,
    report: FitReport,
    data: PreferenceData,
    people: list[str],
    rows: list[sa.RowMapping],
    compared: list[sa.RowMapping],
) -> None:
    """Store the session's reward as its newest version.

    Args:
        session: after the fit.
        report: of the fit.
        data: what was fitted to.
        people: ids of the annotators, in the order of the report's.
        rows: the answers that were learned from.
        compared: those among them that are the first comparisons of ``data``, in its order; the others are
            parts of rankings.
    """
    assert session.reward is not None
    views = report.comparisons.called([row["id"] for row in compared])
    name = session.blobs.write_arrays(dict(session.reward.to_arrays()) | views.to_arrays())
    said = {name: part for name, part in dataclasses.asdict(report).items() if name != "comparisons"}
    said["annotator_ids"] = people
    sources = _sources(session, data, compared) if report.candidates else None
    if sources is not None:
        said["sources"] = dataclasses.asdict(sources)
    with session.writing() as connection:
        models.insert_reward_version(
            connection,
            session.run_id,
            session.reward_version,
            arrays=name,
            num_answers=session.fitted,
            steps=session.steps,
            report=_finite(said),
        )
        runs.update_run(connection, session.run_id, reward_version=session.reward_version)
        runs.add_event(connection, session.run_id, session.steps, "reward", _message(session, report))
        runs.add_measurements(
            connection,
            session.run_id,
            session.steps,
            {
                "reward/out_of_bag_accuracy": report.out_of_bag_accuracy,
                "reward/out_of_bag_nll": report.out_of_bag_nll,
                "reward/audit_accuracy": _audit_accuracy(rows),
                "reward/train_accuracy": report.train_accuracy,
                "reward/num_answers": float(session.fitted),
            },
        )


def _message(session: Session, report: FitReport) -> str:
    if not report.num_comparisons:
        return f"Reward version {session.reward_version} is what was designed; nobody has answered yet."
    message = f"Reward version {session.reward_version} learned from {session.fitted} answers"
    if implied := report.num_comparisons - session.fitted:
        message += f" and {implied} comparisons with what was shown"
    if np.isfinite(report.out_of_bag_accuracy):
        message += f", right about {report.out_of_bag_accuracy:.0%} of those it had not seen"
    if report.candidates:
        message += f"; {report.reason}"
    if report.uses_design:
        message += "; it starts from the design"
    elif report.terms:
        message += (
            "; the answers speak against the weights of the design, so only the features it names are kept"
        )
    named = session.config.transfer.reward_from
    if report.uses_source:
        message += f"; it starts from {named or 'the one that was taken over'}"
    elif named:
        message += f"; {named} is of no help to it"
    return message + "."


def _sources(session: Session, data: PreferenceData, compared: list[sa.RowMapping]) -> Sources | None:
    """Return whether pairs that the model chose taught more than random ones, if there are enough answers."""
    assert session.reward is not None
    chosen, random = (
        np.array([i for i, row in enumerate(compared) if row["kind"] is kind], np.int64)
        for kind in (QueryKind.ACTIVE, QueryKind.AUDIT)
    )
    # A stream of its own: what is only reported must not change the run.
    rng = generator(session.seed, "sources", session.reward_version)
    return compare_sources(session.reward, data, chosen, random, rng)


def _audit_accuracy(rows: list[sa.RowMapping]) -> float:
    """Return how often the model had foreseen the answers to the latest random audit pairs."""
    audits = [row for row in rows if row["kind"] is QueryKind.AUDIT and row["predicted"] is not None]
    audits = audits[-_AUDIT_WINDOW:]
    predicted = np.array([row["predicted"] for row in audits], np.float64)
    target = np.array([prob_first(row["choice"]) for row in audits], np.float64)
    return preference_accuracy(predicted, target)


def _finite(value: Any) -> Any:
    """Return plain data with None in place of numbers that JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
