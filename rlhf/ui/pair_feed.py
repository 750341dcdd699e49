"""What an annotator's browser is told: the next pairs, its own latest answers, and how the run stands.

Nothing the model thinks of a single pair is ever part of it; figures over many pairs are. Knows no HTTP.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from rlhf.loop.ask_again import ask_again, count_consistent
from rlhf.storage import acts, answers, queries, runs
from rlhf.storage.engine import reading, writing
from rlhf.types.feedback import CONTROLS, NEVER_LEARNED, Choice, QueryKind
from rlhf.types.people import ActKind
from rlhf.types.run import QueryStatus
from rlhf.ui.store import Store

PREFETCH = 6
"""Pairs a browser holds at most, the one on its screen included."""
HISTORY = 20
"""Latest answers a browser can go back to."""
WHY = {
    QueryKind.INITIAL: "One of the first pairs: they show behaviour as different as possible.",
    QueryKind.ACTIVE: "The reward model is unsure about this pair, so your answer teaches it the most.",
    QueryKind.AUDIT: "A random pair: it checks what the reward model has learned so far.",
    QueryKind.CONTEST: "Two versions of the behaviour side by side: it checks that practice makes it better.",
    QueryKind.PICKED: "Somebody saw these moments in a recording and wants to know which is better.",
}
"""Why a pair is asked, in words for the annotator."""
# Knowing which pairs test them or the progress, people would answer those otherwise than the others.
WHY |= dict.fromkeys((*CONTROLS, *NEVER_LEARNED), WHY[QueryKind.AUDIT])
PAUSED = "The researcher has paused your part in this run. Your answers are kept. Thank you for them!"
_CONSISTENCY_EVERY = 5
"""Repeats between two figures of consistency; each alone would give away which pair it was."""
_ACCURACIES = {"reward/audit_accuracy": "audit_accuracy", "reward/out_of_bag_accuracy": "unseen_accuracy"}


def next_pairs(store: Store, run_id: str, annotator: str, have: Sequence[str]) -> dict[str, Any]:
    """Lease to an annotator as many pairs as their browser lacks, and return them with the run's status.

    The status has a ``notice`` where the annotator is paused, and ``consistency``, how many of how many
    repeats were answered alike, once there are some.

    Args:
        store: where they are.
        run_id: the run.
        annotator: who asks.
        have: ids of the pairs that the browser holds already.

    Raises:
        NotFoundError: there is no such run.
    """
    # What is lost in a power cut is asked again: nobody holds a lease then.
    with writing(store.engine, is_durable=False) as connection:
        run = runs.get_run(connection, run_id)
        is_paused = acts.holds(connection, run_id, ActKind.PAUSE, annotator)
        missing = 0 if is_paused else max(0, PREFETCH - len(have))
        if missing:
            ask_again(connection, run, annotator)
        rows = [] if is_paused else queries.lease_ready(connection, run_id, annotator, missing, have)
        consistency = count_consistent(connection, run_id, annotator, _CONSISTENCY_EVERY)
    clips = [_pair(row, row["id"], row["left_id"], row["right_id"]) for row in rows]
    reply = run_status(store, run_id) | {"queue": clips}
    if is_paused:
        reply["status"]["notice"] = PAUSED
    if consistency[1]:
        reply["status"]["consistency"] = consistency
    return reply


def own_answers(store: Store, run_id: str, annotator: str) -> list[dict[str, Any]]:
    """Return the latest answers of an annotator that stand, the newest last, each with its pair."""
    with reading(store.engine) as connection:
        rows = answers.recent_answers(connection, run_id, annotator, HISTORY)
    told = ("strength", "both_bad", "tags", "comment", "moment")
    return [
        {
            "key": row["key"],
            "choice": row["choice"].value,
            "is_swapped": row["left_id"] != row["query_left_id"],
            "shown_at": row["shown_at"],
            "answered_at": row["answered_at"],
            "query": _pair(row, row["query_id"], row["query_left_id"], row["query_right_id"]),
        }
        | {name: row["details"][name] for name in told if name in row["details"]}
        for row in rows
    ]


def run_status(store: Store, run_id: str) -> dict[str, Any]:
    """Return how a run stands, and no pairs.

    Raises:
        NotFoundError: there is no such run.
    """
    with reading(store.engine) as connection:
        run = runs.get_run(connection, run_id)
        numbers = queries.count_by_status(connection, run_id, (QueryStatus.READY,))
        counts = answers.count_standing(connection, run_id)
        num_late = answers.count_late(connection, run_id)
        accuracies = runs.latest_measurements(connection, run_id, list(_ACCURACIES))
    status = {
        "answers": sum(counts.values()) + num_late,
        "skipped": counts.get(Choice.SKIP, 0),
        "ready": numbers.get(QueryStatus.READY, 0),
        "state": run["state"].value,
        "reward_version": run["reward_version"],
        "policy_version": run["policy_version"],
        "steps": run["steps"],
        "message": run["error"] or run["message"],
    }
    return {
        "queue": [],
        "status": status | {key: accuracies.get(name) for name, key in _ACCURACIES.items()},
    }


def _pair(row: sa.RowMapping, query_id: str, left_id: str, right_id: str) -> dict[str, Any]:
    def side(name: str, clip_id: str) -> dict[str, Any]:
        return {
            "url": f"clips/{clip_id}.mp4",
            "poster": f"clips/{clip_id}.png",
            "fps": row[f"{name}_clip_fps"],
            "frames": row[f"{name}_clip_frames"],
            "ended_at": row[f"{name}_ended_at_frame"],
        }

    return {
        "query_id": query_id,
        "left": side("left", left_id),
        "right": side("right", right_id),
        "reason": WHY[row["kind"]],
        "reward_version": row["reward_version"],
        "policy_version": row["policy_version"],
    }
