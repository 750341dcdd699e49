from collections.abc import Callable
from typing import Any

import pytest

from rlhf.experience.tasks import get_task
from rlhf.loop.collect_experience import explore, explore_length
from rlhf.loop.config import resolve
from rlhf.loop.session import open_session
from rlhf.storage import runs
from rlhf.storage.engine import reading
from rlhf.ui.store import Store

TASK = get_task("pendulum-swingup")
HORIZON = 200


@pytest.mark.parametrize(
    ("explore_steps", "total_steps", "expected"),
    [
        (16_000, 1_000_000, 2000),
        (16_000, 40_000, 1000),  # a fifth of the run
        (16_000, 4_000, HORIZON),  # an episode everywhere all the same
        (0, 1_000_000, HORIZON),
    ],
)
def test_exploration_takes_a_fifth_of_the_run_at_most(
    explore_steps: int, total_steps: int, expected: int
) -> None:
    settings = {
        "collect.num_envs": 8,
        "collect.explore_steps": explore_steps,
        "schedule.total_steps": total_steps,
    }
    assert explore_length(resolve(TASK, settings), HORIZON) == expected


def messages(store: Store, run_id: str) -> list[str]:
    session = open_session(store.engine, store.blobs, run_id, is_simulated=True)
    explore(session)
    with reading(store.engine) as connection:
        return [row["message"] for row in runs.list_events(connection, run_id) if row["kind"] == "explore"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"collect.explore_steps": 4000, "schedule.total_steps": 10_000}, "cut from 4,000 to 2,000 steps"),
        ({"schedule.total_steps": 900}, "Set schedule.total_steps to 4,000 or more"),
    ],
)
def test_a_short_run_says_what_became_of_its_exploration(
    changes: dict[str, Any], said: str, store: Store, new_small_run: Callable[..., str]
) -> None:
    (message,) = messages(store, new_small_run(**changes))
    assert said in message


def test_a_long_run_has_nothing_to_say_of_its_exploration(
    store: Store, new_small_run: Callable[..., str]
) -> None:
    assert messages(store, new_small_run()) == []


def test_random_episodes_are_short_and_start_often(store: Store, new_small_run: Callable[..., str]) -> None:
    run_id = new_small_run(**{"collect.explore_steps": 1600, "schedule.total_steps": 16_000})
    session = open_session(store.engine, store.blobs, run_id, is_simulated=True)
    explore(session)
    lengths = {episode.num_steps for episode in session.memory.explored}
    assert lengths == {2 * session.task.segment_steps}
    assert 2 * session.task.segment_steps < session.task.horizon
    assert session.steps == sum(episode.num_steps for episode in session.memory.explored)
