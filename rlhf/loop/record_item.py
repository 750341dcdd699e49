"""One item of a request -> the store: an answer to a pair, a ranking of several clips, or a rating of one."""

from typing import Any

import sqlalchemy as sa

from rlhf.errors import FeedbackError, NotFoundError
from rlhf.loop.record_feedback import Answer, Receipt, record_answer
from rlhf.loop.record_ranking import Ranking, record_ranking
from rlhf.loop.record_rating import Rating, record_rating


def record_item(engine: sa.Engine, run_id: str, annotator_id: str, item: Any) -> Receipt:
    """Check and store what a browser sent; its ``form`` is ``ranking``, ``rating``, or left out for a pair.

    Raises:
        FeedbackError: it is malformed or cannot be stored; nothing was.
        StorageError: the database could not be written; the caller may try again.
    """
    form = item.get("form") if isinstance(item, dict) else None
    try:
        if form == "ranking":
            return record_ranking(engine, run_id, annotator_id, Ranking.from_json(item))
        if form == "rating":
            return record_rating(engine, run_id, annotator_id, Rating.from_json(item))
    except NotFoundError as error:
        raise FeedbackError("this pair does not belong to the run.") from error
    return record_answer(engine, run_id, annotator_id, Answer.from_json(item))
