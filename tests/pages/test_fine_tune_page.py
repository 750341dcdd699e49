"""The page *Fine-tune* and the tree of runs, drawn without a browser."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from rlhf.loop.fork_run import fork_run
from rlhf.policy.config import PPOConfig
from rlhf.policy.ppo import PPO
from rlhf.storage import models, origins, runs
from rlhf.storage.engine import reading, writing
from rlhf.types.run import RunState
from rlhf.types.task import ActionSpace
from rlhf.ui.store import Store, open_store

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def source(store: Store, make_run: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> str:
    """A run with a saved policy of two hidden layers, in the store that the pages open."""
    monkeypatch.setenv("RLHF_DATA_DIR", str(store.settings.data_dir))
    open_store.cache_clear()
    run_id = make_run(task="cartpole-balance", goal="Balance the pole")
    policy = PPO(PPOConfig(hidden=(8, 8)), 4, ActionSpace("discrete", 2), np.random.default_rng(0))
    arrays = store.blobs.write_arrays(policy.policy_arrays())
    with writing(store.engine) as connection:
        models.insert_policy_version(
            connection, run_id, 5, arrays=arrays, steps=900, reward_version=0, num_answers=7
        )
        runs.add_measurements(connection, run_id, 100, {"experience/true_return": 20.0})
    return run_id


def open_page(run_id: str, name: str = "fine_tune.py") -> AppTest:
    page = AppTest.from_file(str(ROOT / "pages" / "_shell.py"), default_timeout=60)
    page.run()
    page.query_params["run"] = run_id
    if name != "home.py":
        page.switch_page(name).run()
    assert not page.exception
    return page


def texts(page: AppTest) -> str:
    return " ".join(str(one.value) for one in (*page.markdown, *page.caption, *page.get("html")))


def test_what_cannot_be_taken_says_why(source: str) -> None:
    page = open_page(source)
    states = {box.label: (box.value, box.disabled) for box in page.checkbox}
    assert states == {
        "Policy": (True, False),
        "Critic": (False, True),
        "Reward model": (False, True),
        "Answers": (False, True),
    }
    assert "Not possible: nobody has answered yet." in texts(page)


def test_the_share_that_learns_follows_the_choice(source: str) -> None:
    page = open_page(source)
    assert "100% of the policy" in texts(page)
    page.radio[0].set_value("head").run()
    assert "14% of the policy" in texts(page)
    page.radio[0].set_value("low-rank").run()
    assert "low-rank" not in texts(page)  # in plain words
    page.checkbox[0].uncheck().run()
    assert not page.radio
    assert page.button[-1].disabled


def test_another_task_offers_what_can_work(source: str) -> None:
    page = open_page(source)
    page.selectbox[1].set_value("pendulum-swingup").run()
    assert page.radio[0].options == ["Everything", "First layer and head"]
    assert "The new task observes other numbers" in texts(page)


@pytest.mark.parametrize("name", ["no-such-task", "gym:antigravity:Fly-v0"])
def test_a_task_that_is_none_is_an_error_and_imports_nothing(source: str, name: str) -> None:
    page = open_page(source)
    page.selectbox[1].options.append(name)  # as if it had been typed
    page.selectbox[1].set_value(name).run()
    assert not page.exception
    assert name in page.error[0].value
    assert "antigravity" not in sys.modules
    assert not [button for button in page.button if "fine-tuning" in button.label]


def test_the_button_starts_a_run_that_is_shown_beside_its_source(store: Store, source: str) -> None:
    page = open_page(source)
    page.radio[0].set_value("adapters+head").run()
    next(button for button in page.button if "fine-tuning" in button.label).click().run()
    assert not page.exception
    with reading(store.engine) as connection:
        (origin,) = origins.list_origins(connection)
        made = runs.get_run(connection, origin["run_id"])
    assert (origin["source_id"], origin["policy_version"]) == (source, 5)
    assert (made["wanted"], made["overrides"]["ppo.update"]) == (RunState.RUNNING, "adapters+head")
    assert f"{made['id']} took policy 5" in texts(page)


def test_runs_page_shows_which_run_came_from_which(store: Store, source: str) -> None:
    assert "Which run started" not in " ".join(one.value for one in open_page(source, "home.py").subheader)
    child = fork_run(store.engine, store.blobs, source, update="head")
    with writing(store.engine) as connection:
        origins.insert_origin(
            connection,
            source,
            "gone-000000",
            policy_version=None,
            policy=None,
            critic=None,
            reward_version=3,
            num_answers=1200,
        )
    page = open_page(source, "home.py")
    (tree,) = [str(one.value) for one in page.get("html") if "lineage" in str(one.value)]
    assert tree.index("gone-000000") < tree.index(source) < tree.index(child)
    assert "is no longer here" in tree
    assert "took reward 3, 1,200 answers" in tree
    assert "took policy 5 · only the head learns" in tree
