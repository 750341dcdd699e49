from collections.abc import Callable

import numpy as np
import pytest
from point_env import POINT

from rlhf.clips.encode import decode_mp4
from rlhf.config import override
from rlhf.errors import TaskError
from rlhf.experience.goal_tasks import get_goal_task
from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.film_foresight import film_goal_foresight, film_run_foresight
from rlhf.loop.foresee_run import RunForesightConfig, evaluate_foresight, foresee_run
from rlhf.loop.iterate import iterate
from rlhf.loop.learn_goals import GoalConfig, learn_goals
from rlhf.loop.session import open_session, save_checkpoint
from rlhf.ui.store import Store

QUICK = {"model.members": 2, "model.batch_size": 64, "plan.horizon": 2, "plan.rounds": 1}


def halves(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both sides of frames, without the gap between them."""
    frames = pictures.astype(int)
    middle = frames.shape[2] // 2
    return frames[:, :, : middle - 4], frames[:, :, middle + 4 :]


@pytest.mark.parametrize(("name", "moments"), [("pendulum-swingup", 2), ("hopper-run", 1)])
def test_what_was_imagined_of_a_run_is_beside_what_happened(
    store: Store, new_small_run: Callable[..., str], name: str, moments: int
) -> None:
    session = open_session(store.engine, store.blobs, new_small_run(name), is_simulated=True)
    iterate(session)
    ask_teacher(store.engine, store.blobs, session.run_id, 100)
    iterate(session)
    save_checkpoint(session)
    config = override(RunForesightConfig(), {"updates": 60, **QUICK})
    found = foresee_run(store.engine, store.blobs, session.run_id, config)
    episode = evaluate_foresight(found, 1)[1]
    told: list[tuple[int, int]] = []
    film = film_run_foresight(found, episode, moments, lambda done, in_all, _: told.append((done, in_all)))
    assert told == [(number, moments) for number in range(moments)]
    happened, imagined = halves(film)
    assert len(happened) == moments * (session.task.segment_steps + 1)
    differences = np.abs(happened - imagined).mean(axis=(1, 2, 3))
    assert differences[0] < 0.3 * differences[session.task.segment_steps]  # both begin in the same state


def test_what_was_imagined_of_goals_is_beside_what_happened() -> None:
    task = get_goal_task("four-rooms")
    settings = {f"foresight.{name}": value for name, value in QUICK.items()}
    config = override(
        GoalConfig(), {"total_steps": 50, "foresight.on": True, "foresight.episodes": 1, **settings}
    )
    _, foresight, _ = learn_goals(task, config, 0, lambda done, total, text: None)
    assert foresight is not None
    happened, imagined = halves(decode_mp4(film_goal_foresight(task, foresight, 0, 2)))
    assert np.abs(happened[0] - imagined[0]).mean() < 3
    with pytest.raises(TaskError, match="cannot be drawn"):
        film_goal_foresight(get_goal_task(f"gym:{POINT}"), foresight, 0, 2)
