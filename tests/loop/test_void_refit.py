"""The trainer notices what a researcher set aside, at once, and learns without it."""

from collections.abc import Callable

from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.fit_reward import fit_reward
from rlhf.loop.iterate import iterate
from rlhf.loop.session import open_session
from rlhf.loop.void_answers import revert_change, void_answers
from rlhf.storage import answers
from rlhf.storage.answer_search import AnswerFilter
from rlhf.storage.engine import reading
from rlhf.ui.store import Store


def test_one_voided_answer_is_enough_for_a_new_fit(store: Store, new_small_run: Callable[..., str]) -> None:
    run_id = new_small_run()
    session = open_session(store.engine, store.blobs, run_id, is_simulated=True)
    iterate(session)
    ask_teacher(store.engine, store.blobs, run_id, 8)
    assert fit_reward(session) is not None
    learned = session.fitted
    with reading(store.engine) as connection:
        row = answers.standing_answers(connection, run_id)[0]
    only = AnswerFilter(run_id=run_id, answer_id=row["id"])
    act = void_answers(store.engine, only, by="researcher", reason="a slip")
    assert fit_reward(session) is not None
    assert session.fitted == learned - 1
    assert fit_reward(session) is None
    revert_change(store.engine, run_id, str(act.change_id), by="researcher")
    assert fit_reward(session) is not None
    assert session.fitted == learned
