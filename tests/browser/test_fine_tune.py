"""A run from another run's policy, by mouse in a real browser, and the tree of runs on a phone."""

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_app import ROOT, live_app
from playwright.sync_api import Browser, Locator, Page, expect

from rlhf.config import child_environment
from rlhf.policy.config import PPOConfig
from rlhf.policy.ppo import PPO
from rlhf.storage import models, runs, source_rankings
from rlhf.storage.engine import reading, writing
from rlhf.types.ranked_source import RankedSource
from rlhf.types.task import ActionSpace
from rlhf.ui.store import Store

FIRST_PAINT_MS = 60_000
ROW_PX = 35
"""Height of a row of a table."""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def app(
    store: Store, make_run: Callable[..., str], make_segment: Callable[..., str], tmp_path: Path
) -> Iterator[Callable[[str], str]]:
    """``app(page)`` returns the address of a page of a run with a recorded policy and a curve."""
    run_id = make_run(task="cartpole-balance", goal="Balance the pole")
    policy = PPO(PPOConfig(), 4, ActionSpace("discrete", 2), np.random.default_rng(0))
    arrays, replay_id = store.blobs.write_arrays(policy.policy_arrays()), make_segment(run_id)
    with writing(store.engine) as connection:
        models.insert_policy_version(
            connection, run_id, 5, arrays=arrays, steps=900, reward_version=0, num_answers=7
        )
        found = {"true_returns": [312.0], "predicted_returns": [], "episode_steps": [3]}
        models.set_evaluation(connection, run_id, 5, replay_id=replay_id, evaluation=found)
        for steps in (100, 200):
            runs.add_measurements(connection, run_id, steps, {"experience/true_return": float(steps)})
    with live_app(tmp_path / "data", worker="external") as started:
        yield lambda page: f"{started.url}/{page}?run={run_id}"


def see(found: Locator) -> None:
    expect(found).to_be_visible(timeout=FIRST_PAINT_MS)


def test_a_run_is_started_from_another_and_both_are_shown(
    chromium: Browser, app: Callable[[str], str]
) -> None:
    page = chromium.new_context(viewport={"width": 1280, "height": 1200}).new_page()
    page.set_default_timeout(FIRST_PAINT_MS)
    page.goto(app("fine_tune"))
    see(page.get_by_label("What the policy of 900 steps"))
    see(page.get_by_text("312.0"))
    see(page.get_by_role("img", name="First layer learns; Trunk learns; Head learns"))
    page.get_by_text("First layer and head").click()
    see(page.get_by_text("10% of the policy's parameters learn (450 of 4,610)"))
    see(page.get_by_role("img", name="First layer learns; Trunk stays; Head learns"))
    task = page.get_by_role("combobox", name="Task of the new run")
    task.fill("pendulum")
    page.get_by_role("option", name="pendulum-swingup").click()
    see(page.get_by_role("img", name="First layer is new, learns; Trunk stays"))
    page.get_by_role("button", name="Start fine-tuning on pendulum-swingup").click()
    see(page.get_by_text("Beside each other"))
    see(page.get_by_text("took policy 5"))
    see(page.locator("[data-testid=stVegaLiteChart]"))

    phone = chromium.new_context(viewport={"width": 390, "height": 844}).new_page()
    phone.goto(app(""))
    branch = phone.get_by_role("listitem").filter(has_text="first layer and head learn").last
    see(branch)
    assert phone.evaluate(OVERFLOW) == 0


def test_sources_are_compared_in_the_background_and_a_row_fills_in_the_form(
    chromium: Browser, app: Callable[[str], str], store: Store, other_run: str
) -> None:
    page = chromium.new_context(viewport={"width": 1280, "height": 1400}).new_page()
    page.set_default_timeout(FIRST_PAINT_MS)
    page.goto(app("fine_tune"))
    see(page.get_by_role("heading", name="Which source?"))
    page.get_by_role("button", name="Compare", exact=True).click()
    see(page.get_by_text("Waiting for a worker."))
    page.get_by_role("button", name="Stop", exact=True).click()
    see(page.get_by_role("button", name="Compare", exact=True))
    page.get_by_role("button", name="Compare", exact=True).click()
    see(page.get_by_text("Waiting for a worker."))
    command = [sys.executable, "-m", "rlhf", "worker", "--role", "ranker", "--once"]
    environment = child_environment() | {"RLHF_DATA_DIR": str(store.settings.data_dir)}
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    see(page.get_by_text("Compared just now, untrained, by the true reward"))
    page.reload()  # what was found is kept
    choose_row(page, [source["run_id"] for source in found(store)].index(other_run))
    see(page.get_by_label("What the policy of 1,500 steps"))
    assert f"run={other_run}" in page.url
    see(page.get_by_role("button", name="Start fine-tuning on cartpole-balance"))


def test_the_way_that_is_chosen_fills_in_the_form(
    chromium: Browser, app: Callable[[str], str], store: Store
) -> None:
    page = chromium.new_context(viewport={"width": 1280, "height": 1400}).new_page()
    page.set_default_timeout(FIRST_PAINT_MS)
    page.goto(app("fine_tune"))
    page.get_by_role("button", name="Compare ways", exact=True).click()
    see(page.get_by_text("Waiting for a worker."))
    with writing(store.engine) as connection:
        (run,) = runs.list_runs(connection)
        of = f"{run['id']}:5"
        row = source_rankings.newest_ranking(connection, "cartpole-balance", ways_of=of, is_finished=False)
        assert row is not None
        known: dict[str, Any] = {"run_id": run["id"], "version": 5, "task": "cartpole-balance"}
        ways = [
            RankedSource(**known, num_parameters=4610, update="all", short_arm=1.0),
            RankedSource(**known, num_parameters=130, update="head", pace=0.3, hold=0.1, short_arm=0.9),
        ]
        source_rankings.finish_ranking(connection, row["id"], [dataclasses.asdict(way) for way in ways])
    see(page.get_by_text("Compared just now, after practice"))
    choose_row(page, 1)
    see(page.get_by_role("img", name="First layer stays; Trunk stays; Head learns"))
    expect(page.get_by_role("radio", name="Three tenths of it")).to_be_checked()
    expect(page.get_by_role("checkbox", name="Hold it to what it does now")).to_be_checked()


def choose_row(page: Page, row: int) -> None:
    """Choose a row of the page's only table."""
    table = page.get_by_test_id("stDataFrame")
    see(table)
    table.click(position={"x": 20.0, "y": ROW_PX * (row + 1.5)})


@pytest.fixture
def other_run(store: Store, make_run: Callable[..., str], make_segment: Callable[..., str]) -> str:
    """Another run of the same task with a recorded policy."""
    run_id = make_run(task="cartpole-balance", goal="Balance the pole")
    policy = PPO(PPOConfig(), 4, ActionSpace("discrete", 2), np.random.default_rng(1))
    arrays, replay_id = store.blobs.write_arrays(policy.policy_arrays()), make_segment(run_id)
    with writing(store.engine) as connection:
        models.insert_policy_version(
            connection, run_id, 7, arrays=arrays, steps=1500, reward_version=0, num_answers=7
        )
        found = {"true_returns": [90.0], "predicted_returns": [], "episode_steps": [3]}
        models.set_evaluation(connection, run_id, 7, replay_id=replay_id, evaluation=found)
    return run_id


def found(store: Store) -> list[dict[str, object]]:
    with reading(store.engine) as connection:
        row = source_rankings.newest_ranking(connection, "cartpole-balance", is_finished=True)
    assert row is not None
    return list(row["sources"])
