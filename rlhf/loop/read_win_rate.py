"""Answers to blind pairs -> whether people prefer newer policies. No torch."""

import dataclasses

import numpy as np
import sqlalchemy as sa

from rlhf.feedback.targets import prob_first
from rlhf.storage import acts, answers, models
from rlhf.types.experience import Float64, Int64
from rlhf.types.people import ActKind

WINDOW = 20
"""Latest answers that a point of the curve is of."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class BlindAnswers:
    """N answers to pairs of two saved policies, in the order of the newer policy, then as they came."""

    newer: Int64
    """(N,), version of the newer policy."""
    older: Int64
    """(N,), version of the other."""
    steps: Int64
    """(N,), steps of the run when the newer one was saved."""
    won: Float64
    """(N,), 1 where the newer one was preferred, 0 where the older one was, 0.5 where neither."""


def read_win_rate(connection: sa.Connection, run_id: str) -> BlindAnswers:
    """Return what people who count said about policies that the run still has."""
    steps = {row["version"]: row["steps"] for row in models.list_policy_versions(connection, run_id)}
    weights = acts.holding(connection, run_id, ActKind.WEIGHT)
    found = []
    for row in answers.list_win_rate_answers(connection, run_id):
        target = prob_first(row["choice"])
        older, newer = sorted((row["left_version"], row["right_version"]))
        if target is None or newer not in steps or weights.get(row["annotator_id"], 1.0) <= 0:
            continue
        found.append((newer, older, steps[newer], target if newer == row["left_version"] else 1.0 - target))
    found.sort(key=lambda answer: answer[0])
    columns = np.array(found, np.float64).reshape(-1, 4).T
    newer_versions, older_versions, at = columns[:3].astype(np.int64)
    return BlindAnswers(newer=newer_versions, older=older_versions, steps=at, won=columns[3])
