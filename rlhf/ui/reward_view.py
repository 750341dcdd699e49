"""What the page about the reward model shows, read from the store. Knows no widgets."""

import functools
import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from rlhf.evaluation.learning_curve import expected_gain
from rlhf.evaluation.people import Estimate, Share
from rlhf.feedback.targets import prob_first
from rlhf.storage import answer_search, answers, models
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading
from rlhf.types.feedback import CONTROLS, QueryKind
from rlhf.types.reward import AnswerViews
from rlhf.ui.data_view import KINDS, person_name

NEWEST = 5000
"""Latest answers that the figures are of: a page must not read a million."""
BEFORE, WITHOUT = "before", "without"
"""Columns of what the model expected: before each answer came, and at present had it not had the answer."""
_MOST_PEOPLE = 8
_CERTAIN = (0.5, 0.6, 0.75, 0.9, 1.0)
_AGES = 5


def view_judgements(engine: sa.Engine, blobs: Blobs, run_id: str, version: int) -> pd.DataFrame:
    """Return what was said and expected of a run's latest answers that order or equate two clips.

    Returns:
        Columns ``kind`` and ``person`` in words, ``target`` (1 left, 0 right, .5 equal), ``before`` and
        ``without`` (P(left preferred), NaN where there is none), ``known`` (answers that the version that
        asked had learned from) and ``is_audit``; in the order they came.
    """
    with reading(engine) as connection:
        newest = answers.last_id(connection, run_id)
        stored = models.get_reward_version(connection, run_id, version)["arrays"]
    return _judgements(engine, blobs, run_id, stored, newest)


@functools.lru_cache(maxsize=16)
def _judgements(engine: sa.Engine, blobs: Blobs, run_id: str, stored: str, newest: int) -> pd.DataFrame:
    """Read once for each state of a run: pages are drawn every few seconds, for everybody who looks."""
    with reading(engine) as connection:
        rows = answers.latest_of_people(connection, run_id, NEWEST)
        versions = models.list_reward_versions(connection, run_id)
    known = {row["version"]: row["num_answers"] for row in versions}
    unseen = np.full(len(rows), math.nan)
    if (views := _views(blobs, stored)) is not None:
        ids = np.array([row["id"] for row in rows], np.int64)
        _, here, there = np.intersect1d(ids, views.answer, return_indices=True)
        unseen[here] = views.unseen[there]
    found = [
        {
            "kind": KINDS[row["kind"]],
            "person": person_name(row["name"], row["annotator_id"]),
            "target": target,
            BEFORE: math.nan if row["predicted"] is None else row["predicted"],
            WITHOUT: without,
            "known": known.get(row["reward_version"], 0),
            "is_audit": row["kind"] is QueryKind.AUDIT,
        }
        for row, without in zip(rows, unseen.tolist(), strict=True)
        if (target := prob_first(row["choice"])) is not None and row["kind"] not in CONTROLS
    ]
    columns = ["kind", "person", "target", BEFORE, WITHOUT, "known", "is_audit"]
    kinds = {"target": float, BEFORE: float, WITHOUT: float, "known": int, "is_audit": bool}
    return pd.DataFrame(found, columns=columns).astype(kinds)  # also where there is no row


def view_answers(engine: sa.Engine, blobs: Blobs, run_id: str, version: int) -> AnswerViews | None:
    """Return what a reward version makes of its answers; None for versions of earlier programs."""
    with reading(engine) as connection:
        stored = models.get_reward_version(connection, run_id, version)["arrays"]
    return _views(blobs, stored)


@functools.lru_cache(maxsize=16)
def _views(blobs: Blobs, stored: str) -> AnswerViews | None:
    return AnswerViews.from_arrays(blobs.read_arrays(stored)[0])


def view_disputed(
    engine: sa.Engine, run_id: str, views: AnswerViews, by: str, limit: int
) -> list[tuple[sa.RowMapping, AnswerViews]]:
    """Return the answers that stand out most, each with what the reward makes of it, the first one most.

    Args:
        engine: of the store.
        run_id: whose.
        views: of a reward version.
        by: the field of ``AnswerViews`` that they are ordered by.
        limit: how many at most; answers that no longer stand are left out.
    """
    values = getattr(views, by)
    order = np.argsort(-values, kind="stable")
    order = order[values[order] > 0][: 3 * limit]  # some may have been set aside since
    ids = [int(one) for one in views.answer[order]]
    with reading(engine) as connection:
        rows = {row["id"]: row for row in answer_search.find_standing(connection, run_id, ids)}
    return [
        (rows[one], views.at(place)) for one, place in zip(ids, order.tolist(), strict=True) if one in rows
    ][:limit]


def shares(judgements: pd.DataFrame, column: str, groups: pd.Series) -> pd.DataFrame:
    """Return how often the model was right in each group of answers; ties are left out.

    Args:
        judgements: of ``view_judgements``.
        column: ``BEFORE`` or ``WITHOUT``.
        groups: of each judgement, in words; or categories, which have an order of their own.

    Returns:
        Columns ``group, right, low, high, expected, answers``, in the order groups appear: the share with
        Wilson's interval, and the share that the model itself expected.
    """
    prob, target, names = (
        judgements[column].to_numpy(),
        judgements["target"].to_numpy(),
        groups.to_numpy(object),
    )
    decided = ~np.isnan(prob) & (target != 0.5) & groups.notna().to_numpy()
    right = np.where(prob == 0.5, 0.5, (prob > 0.5) == (target > 0.5))
    sure = np.maximum(prob, 1.0 - prob)
    has_order = isinstance(groups.dtype, pd.CategoricalDtype)
    found = []
    for group in groups.cat.categories if has_order else pd.unique(names[decided]):
        part = decided & (names == group)
        if not part.any():
            continue
        low, high = Share(count=float(right[part].sum()), of=int(part.sum())).interval()
        found.append((str(group), right[part].mean(), low, high, sure[part].mean(), int(part.sum())))
    return pd.DataFrame(found, columns=["group", "right", "low", "high", "expected", "answers"])


def by_certainty(judgements: pd.DataFrame, column: str) -> pd.Series:
    """Return how sure the model was, in words."""
    sure = np.maximum(judgements[column], 1.0 - judgements[column])
    names = [f"{low:.0%} to {high:.0%}" for low, high in itertools.pairwise(_CERTAIN)]
    return pd.Series(pd.cut(sure, _CERTAIN, labels=names, include_lowest=True))


def by_age(judgements: pd.DataFrame) -> pd.Series:
    """Return which fifth of the answers each is of, the earliest first."""
    place = np.arange(len(judgements)) * _AGES // max(1, len(judgements))
    edges = [math.ceil(part * len(judgements) / _AGES) for part in range(_AGES + 1)]
    names = [f"{low + 1:,} to {high:,}" for low, high in itertools.pairwise(edges)]
    return pd.Series([names[part] for part in place], index=judgements.index)


def by_person(judgements: pd.DataFrame) -> pd.Series:
    """Return who gave each answer; those with fewer answers than the first few people count as one."""
    most = judgements["person"].value_counts().index[:_MOST_PEOPLE]
    return judgements["person"].where(judgements["person"].isin(most), "all others")


def gain_of_ten(judgements: pd.DataFrame, num_answers: int) -> Estimate | None:
    """Return how much more often right ten more answers are expected to make the model; None if unknown."""
    audits = judgements[judgements["is_audit"] & judgements[BEFORE].notna() & (judgements["known"] > 0)]
    audits = audits[audits["target"] != 0.5]
    is_right = ((audits[BEFORE] > 0.5) == (audits["target"] > 0.5)).to_numpy()
    return expected_gain(audits["known"].to_numpy(np.int64), is_right, num_answers)


def view_grades(engine: sa.Engine, run_id: str) -> pd.DataFrame:
    """Return how reward versions did against the true reward: what ``grade_reward`` says, by ``steps``."""
    with reading(engine) as connection:
        rows = models.list_policy_versions(connection, run_id)
    graded: list[dict[str, Any]] = [
        {"steps": row["steps"]} | row["evaluation"]["reward_grade"]
        for row in rows
        if (row["evaluation"] or {}).get("reward_grade")
    ]
    return pd.DataFrame(
        graded, columns=["steps", "reward_version", "num_clips", "rank_correlation", "distance"]
    )
