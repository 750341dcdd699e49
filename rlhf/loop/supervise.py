"""A researcher's decisions about people and pairs: each is one line in a log and can be taken back. No torch.

A person who is paused is asked nothing more; what they answered stays and counts. A person's weight says what
their answers count when the reward is fitted. A gold pair has a known right answer: people are scored by it,
and nothing is learned from it.
"""

import sqlalchemy as sa

from rlhf.errors import FeedbackError
from rlhf.storage import acts, queries, segments
from rlhf.storage.engine import reading, writing
from rlhf.types.feedback import CONTROLS, Choice
from rlhf.types.people import ActKind

_MAX_REASON = 500


def pause(engine: sa.Engine, run_id: str, annotator_id: str, *, by: str, reason: str) -> int:
    """Ask a person nothing more until ``resume``; return the act's number."""
    return _decide(engine, run_id, ActKind.PAUSE, annotator_id, True, by=by, reason=reason)


def resume(engine: sa.Engine, run_id: str, annotator_id: str, *, by: str, reason: str) -> int:
    """Ask a person again; return the act's number."""
    return _decide(engine, run_id, ActKind.PAUSE, annotator_id, False, by=by, reason=reason)


def weigh(engine: sa.Engine, run_id: str, annotator_id: str, weight: float, *, by: str, reason: str) -> int:
    """Let a person's answers count ``weight`` from the next fit on; return the act's number.

    Raises:
        FeedbackError: the weight is outside [0, 1].
    """
    if not ActKind.WEIGHT.allows(weight):
        raise FeedbackError(f"the weight is {weight}; it must lie between 0 (not learned from) and 1.")
    return _decide(engine, run_id, ActKind.WEIGHT, annotator_id, float(weight), by=by, reason=reason)


def mark_gold(engine: sa.Engine, query_id: str, choice: Choice | None, *, by: str, reason: str) -> int:
    """Say what the right answer to a pair is, as the pair was first asked, or (None) that there is none.

    Raises:
        NotFoundError: there is no such query.
        FeedbackError: it only shows an earlier pair again, its clips were never drawn, or the choice orders
            nothing.
    """
    with reading(engine) as connection:
        query = queries.get_query(connection, query_id)
        sides = [segments.get_segment_row(connection, query[side]) for side in ("left_id", "right_id")]
    if query["kind"] in CONTROLS:
        raise FeedbackError("this pair only shows an earlier one again; mark that one.")
    if any(side["clip"] is None for side in sides):
        raise FeedbackError("the clips of this pair were never drawn, so people cannot be shown it.")
    value = None if choice is None else choice.value
    if not ActKind.GOLD.allows(value):
        raise FeedbackError(f"the right answer cannot be {value!r}; it is left, right or equal.")
    return _decide(engine, query["run_id"], ActKind.GOLD, query_id, value, by=by, reason=reason)


def undo(engine: sa.Engine, act_id: int, *, by: str) -> int:
    """Restore what held before an act, by a further act; return that one's number.

    Raises:
        NotFoundError: there is no such act.
        FeedbackError: something newer holds by now.
    """
    with writing(engine) as connection:
        act = acts.get_act(connection, act_id)
        run_id, kind, subject = act["run_id"], act["kind"], act["subject"]
        if any(
            other["id"] > act_id and (other["kind"], other["subject"]) == (kind, subject)
            for other in acts.list_acts(connection, run_id)
        ):
            raise FeedbackError("there is a newer decision about the same; take that one back first.")
        value = acts.holds(connection, run_id, kind, subject, before=act_id)
        reason = f"Takes back no. {act_id}."
        return acts.insert_act(connection, run_id, kind, subject, value, by=by, reason=reason)


def _decide(
    engine: sa.Engine,
    run_id: str,
    kind: ActKind,
    subject: str,
    value: bool | float | str | None,
    *,
    by: str,
    reason: str,
) -> int:
    if len(reason) > _MAX_REASON:
        raise FeedbackError(f"the reason has {len(reason)} characters; at most {_MAX_REASON} are kept.")
    with writing(engine) as connection:
        return acts.insert_act(connection, run_id, kind, subject, value, by=by, reason=reason.strip())
