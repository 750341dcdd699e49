from collections.abc import Callable

import pytest

from rlhf.errors import NotFoundError
from rlhf.storage import schema, source_rankings
from rlhf.storage.engine import reading, writing
from rlhf.storage.migrations import migrate
from rlhf.ui.store import Store

Make = Callable[..., str]
TARGET = "cartpole-balance"


def insert(store: Store, run_id: str, target: str = TARGET) -> str:
    with writing(store.engine) as connection:
        return source_rankings.insert_ranking(connection, run_id, target, {"episodes": 2})


def test_what_was_found_stays_until_the_next_one_is_finished(store: Store, make_run: Make) -> None:
    first, second = insert(store, make_run()), ""
    with writing(store.engine) as connection:
        source_rankings.finish_ranking(connection, first, [{"run_id": "a"}])
    second = insert(store, make_run())
    other = insert(store, make_run(), "pendulum-swingup")
    with reading(store.engine) as connection:
        found = source_rankings.newest_ranking(connection, TARGET, is_finished=True)
        begun = source_rankings.newest_ranking(connection, TARGET, is_finished=False)
    assert found is not None
    assert (found["id"], found["sources"], found["settings"]) == (first, [{"run_id": "a"}], {"episodes": 2})
    assert begun is not None
    assert begun["id"] == second
    with writing(store.engine) as connection:
        source_rankings.finish_ranking(connection, second, [])
    with reading(store.engine) as connection:
        with pytest.raises(NotFoundError):
            source_rankings.get_ranking(connection, first)
        assert source_rankings.get_ranking(connection, second)["sources"] == []
        assert source_rankings.get_ranking(connection, other)["finished_at"] is None


def test_one_that_was_stopped_hears_so(store: Store, make_run: Make) -> None:
    ranking_id = insert(store, make_run())
    with writing(store.engine) as connection:
        assert source_rankings.note_progress(connection, ranking_id, 1, 5, "run a, as it is")
        row = source_rankings.get_ranking(connection, ranking_id)
        assert (row["num_done"], row["num_in_all"], row["message"]) == (1, 5, "run a, as it is")
        source_rankings.delete_ranking(connection, ranking_id)
        assert not source_rankings.note_progress(connection, ranking_id, 2, 5, "")
        with pytest.raises(NotFoundError, match="may have been stopped"):
            source_rankings.finish_ranking(connection, ranking_id, [])


def test_a_database_without_them_gets_them(store: Store, make_run: Make) -> None:
    run_id = make_run()
    with writing(store.engine) as connection:
        schema.source_rankings.drop(connection)
        name = "0011_source_rankings"
        connection.execute(schema.migrations.delete().where(schema.migrations.c.name == name))
    migrate(store.engine)
    with reading(store.engine) as connection:
        assert source_rankings.newest_ranking(connection, TARGET, is_finished=False) is None
    insert(store, run_id)
