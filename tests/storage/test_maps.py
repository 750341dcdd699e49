from collections.abc import Callable

import pytest
import sqlalchemy as sa

from rlhf.errors import NotFoundError
from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.storage import demonstrations, maps, runs, schema
from rlhf.storage.engine import reading, writing
from rlhf.storage.migrations import migrate
from rlhf.types.demonstration import DemonstrationSource
from rlhf.types.feedback import Choice
from rlhf.ui.store import Store

Make = Callable[..., str]


def save(store: Store, run_id: str, arrays: str | None, draft: str | None) -> set[str]:
    with writing(store.engine) as connection:
        return maps.save_map(
            connection, run_id, arrays=arrays, draft=draft, num_done=1, num_segments=2, shows={"answers": 3}
        )


def test_a_map_takes_the_place_of_the_one_before(store: Store, make_run: Make) -> None:
    run_id = make_run()
    assert save(store, run_id, "a", "b") == set()
    assert save(store, run_id, "a", "c") == {"b"}
    assert save(store, run_id, "c", None) == {"a"}
    assert save(store, run_id, "c", None) == set()
    with reading(store.engine) as connection:
        row = maps.get_map(connection, run_id)
    assert row is not None
    assert (row["arrays"], row["draft"], row["shows"]) == ("c", None, {"answers": 3})


def test_no_map_is_none(store: Store, make_run: Make) -> None:
    with reading(store.engine) as connection:
        assert maps.get_map(connection, make_run()) is None


def test_the_newest_segments_of_the_run_come_first(store: Store, make_run: Make, make_segment: Make) -> None:
    run_id, other = make_run(), make_run()
    ids = [make_segment(run_id) for _ in range(3)]
    make_segment(other)
    with reading(store.engine) as connection:
        rows = maps.list_sources(connection, run_id, least_steps=3, limit=2)
    assert [row["id"] for row in rows] == ids[:0:-1]
    assert [row["demonstration"] for row in rows] == [None, None]


@pytest.mark.parametrize(
    ("num_steps", "terminated", "is_listed"), [(10, False, True), (9, False, False), (9, True, True)]
)
def test_a_demonstration_too_short_for_a_window_is_left_out(
    store: Store, make_run: Make, make_segment: Make, num_steps: int, terminated: bool, is_listed: bool
) -> None:
    run_id = make_run()
    segment_id = make_segment(run_id)
    with writing(store.engine) as connection:
        shown = demonstrations.insert_demonstration(
            connection,
            run_id,
            segment_id,
            source=DemonstrationSource.PERSON,
            num_steps=num_steps,
            terminated=terminated,
        )
        rows = maps.list_sources(connection, run_id, least_steps=10, limit=5)
    assert [row["demonstration"] for row in rows] == ([shown] if is_listed else [])


def test_answers_and_reward_versions_make_a_map_old(
    store: Store, make_run: Make, make_query: Make, make_annotator: Make
) -> None:
    run_id = make_run()

    def now() -> dict[str, int]:
        with reading(store.engine) as connection:
            return maps.what_there_is(connection, run_id)

    first = now()
    answer = Answer(key="answer-0001", query_id=make_query(run_id), choice=Choice.LEFT)
    record_answer(store.engine, run_id, make_annotator(), answer)
    second = now()
    with writing(store.engine) as connection:
        runs.update_run(connection, run_id, reward_version=1, steps=100)
    third = now()
    assert first != second != third
    assert third == now()


def test_what_an_unknown_run_has_is_no_question(store: Store) -> None:
    with reading(store.engine) as connection, pytest.raises(NotFoundError):
        maps.what_there_is(connection, "nowhere")


def test_database_without_maps_gets_them(store: Store, make_run: Make) -> None:
    run_id = make_run()
    with writing(store.engine) as connection:
        schema.behaviour_maps.drop(connection)
        for index in schema.segments.indexes:
            index.drop(connection)
        name = "0008_behaviour_maps"
        connection.execute(schema.migrations.delete().where(schema.migrations.c.name == name))
    migrate(store.engine)
    assert save(store, run_id, "a", None) == set()
    indexes = {index["name"] for index in sa.inspect(store.engine).get_indexes("segments")}
    assert indexes == {"segments_of_run"}
