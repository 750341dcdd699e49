"""The page *Fine-tune* and the tree of runs, drawn without a browser."""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from rlhf.experience.tasks import get_task
from rlhf.loop.config import resolve
from rlhf.loop.fork_run import fork_run
from rlhf.loop.order_ranking import RankConfig, order_ranking
from rlhf.policy.config import PPOConfig
from rlhf.policy.ppo import PPO
from rlhf.storage import demonstrations, jobs, models, origins, runs, source_rankings
from rlhf.storage.engine import reading, writing
from rlhf.types.demonstration import DemonstrationSource
from rlhf.types.ranked_source import RankedSource
from rlhf.types.run import JobKind, JobState, RunState
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
    states = {box.label: (box.value, box.disabled) for box in page.checkbox if "Hold" not in box.label}
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
    assert next(button for button in page.button if "fine-tuning" in button.label).disabled


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
    assert "What runs started from" not in " ".join(
        one.value for one in open_page(source, "home.py").subheader
    )
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


def test_runs_page_shows_whose_reward_a_run_started_from(
    store: Store, source: str, make_run: Callable[..., str]
) -> None:
    named = {"transfer.reward_from": f"{source}:3"}
    helped = make_run(overrides=named)
    other = make_run()
    both = make_run(overrides=named)
    lost = make_run(overrides={"transfer.reward_from": "gone-000000:4"})
    with writing(store.engine) as connection:
        origins.insert_origin(
            connection,
            both,
            other,
            policy_version=2,
            policy="none",
            critic=None,
            reward_version=None,
            num_answers=None,
        )
    (tree,) = [str(one.value) for one in open_page(source, "home.py").get("html") if "lineage" in one.value]
    below = tree[tree.index(f"training?run={source}") :]
    assert below.index("<ul>") < below.index(helped) < below.index("</ul>")
    assert f"its reward starts from reward 3 of {source}" in below[: below.index("</ul>")]
    assert tree.index(other) < tree.index(both)
    assert f"took policy 2 · everything learns · its reward starts from reward 3 of {source}" in tree
    assert tree.index("gone-000000") < tree.index(lost)
    assert "its reward starts from reward 4 of gone-000000" in tree


def test_a_comparison_of_sources_is_ordered_and_shown(store: Store, source: str) -> None:
    page = open_page(source)
    assert f"newest saved policy of each of the {RankConfig().limit} newest runs" in texts(page)
    page.selectbox(key="practice-cartpole-balance-").set_value(5000).run()
    next(button for button in page.button if button.label == "Compare").click().run()
    assert not page.exception
    with writing(store.engine) as connection:
        row = source_rankings.newest_ranking(connection, "cartpole-balance", is_finished=False)
        assert row is not None
        assert (row["run_id"], row["settings"]["short_steps"]) == (source, 5000)
        job = jobs.find(connection, JobKind.RANK, row["id"])
        assert job is not None
        assert job["state"] is JobState.WAITING
    page.run()
    assert not [button for button in page.button if button.label in ("Compare", "Compare again")]
    known = RankedSource(
        run_id=source,
        version=5,
        task="cartpole-balance",
        num_parameters=100,
        own_return=None,
        predicted_return=None,
        zero_shot_return=20.0,
        short_arm=0.5,
        steps=8192,
    )
    stored = dataclasses.asdict(known) | {"share": 1.0}  # which earlier programs stored
    with writing(store.engine) as connection:
        source_rankings.finish_ranking(connection, row["id"], [stored])
    page.run()
    assert page.dataframe[0].value["Run"].tolist() == [source]
    assert page.dataframe[0].value["Steps practised"].tolist() == [8192]
    assert "after practice, by the true reward" in texts(page)
    assert [one.label for one in page.button if "Compare" in one.label] == ["Compare ways", "Compare again"]


def test_ways_are_compared_apart_from_sources_and_a_way_that_is_chosen_is_the_runs(
    store: Store, source: str
) -> None:
    page = open_page(source)
    next(button for button in page.button if button.label == "Compare ways").click().run()
    assert not page.exception
    with reading(store.engine) as connection:
        assert source_rankings.newest_ranking(connection, "cartpole-balance", is_finished=False) is None
        row = source_rankings.newest_ranking(
            connection, "cartpole-balance", ways_of=f"{source}:5", is_finished=False
        )
    assert row is not None
    assert row["settings"]["short_steps"] == 5000
    way = RankedSource(
        run_id=source,
        version=5,
        task="cartpole-balance",
        num_parameters=9,
        update="low-rank",
        pace=0.3,
        hold=0.1,
    )
    scratch = RankedSource(run_id=None, version=0, task="cartpole-balance", num_parameters=90, short_arm=0.9)
    found = [dataclasses.asdict(one) for one in (scratch, way)]
    with writing(store.engine) as connection:
        source_rankings.finish_ranking(connection, row["id"], found)
    page.run()
    assert page.dataframe[0].value["What learns"].tolist() == [
        "Everything, from scratch",
        "A little of every layer",
    ]
    assert "from scratch did best" in page.warning[0].value
    chosen = f"{source}-cartpole-balance"
    page.session_state[f"update-{chosen}"] = "low-rank"
    page.session_state[f"pace-{chosen}"] = 0.3
    page.session_state[f"hold-{chosen}"] = True
    page.run()
    next(button for button in page.button if "fine-tuning" in button.label).click().run()
    with reading(store.engine) as connection:
        (origin,) = origins.list_origins(connection)
        made = runs.get_run(connection, origin["run_id"])
    rate = resolve(get_task("cartpole-balance"), {}).ppo.learning_rate
    assert made["overrides"]["ppo.update"] == "low-rank"
    assert made["overrides"]["ppo.learning_rate"] == pytest.approx(0.3 * rate)
    assert made["overrides"]["ppo.reference_kl"] == 0.1


def test_a_comparison_that_failed_says_why_and_can_be_ordered_again(store: Store, source: str) -> None:
    ranking_id = order_ranking(store.engine, source, "cartpole-balance", RankConfig())
    with writing(store.engine) as connection:
        job = jobs.claim(connection, (JobKind.RANK,), "one")
        assert job is not None
        jobs.release(connection, job["id"], "one", JobState.FAILED, "Traceback\nTaskError: gone\n")
    page = open_page(source)
    assert "TaskError: gone" in page.error[0].value
    next(button for button in page.button if button.label == "Compare").click().run()
    assert not page.error
    with reading(store.engine) as connection:
        row = source_rankings.newest_ranking(connection, "cartpole-balance", is_finished=False)
    assert row is not None
    assert row["id"] != ranking_id


def test_filling_in_a_source_turns_the_form_to_it(store: Store, source: str) -> None:
    other = fork_run(store.engine, store.blobs, source)
    with reading(store.engine) as connection:
        arrays = models.get_policy_version(connection, source, 5)["arrays"]
    with writing(store.engine) as connection:
        for version in (1, 2):
            models.insert_policy_version(
                connection, other, version, arrays=arrays, steps=9, reward_version=0, num_answers=0
            )
    page = open_page(source)
    page.session_state["run_id"] = other
    page.query_params["run"] = other
    page.session_state[f"policy-{other}"] = 1
    page.session_state[f"target-{other}"] = "gym:CartPole-v1"
    page.run()
    assert not page.exception
    assert page.selectbox(key=f"policy-{other}").value == 1
    assert page.selectbox(key=f"target-{other}").value == "gym:CartPole-v1"


def test_runs_page_shows_runs_that_name_each_others_rewards(
    store: Store, source: str, make_run: Callable[..., str]
) -> None:
    one = make_run(overrides={"transfer.reward_from": f"{source}:3"})
    with writing(store.engine) as connection:
        runs.update_run(connection, source, overrides={"transfer.reward_from": f"{one}:1"})
    (tree,) = [
        str(found.value) for found in open_page(source, "home.py").get("html") if "lineage" in found.value
    ]
    assert tree.count(f"training?run={one}") == tree.count(f"training?run={source}") == 1


def test_runs_page_shows_which_runs_began_by_imitating(
    store: Store, source: str, make_run: Callable[..., str], make_segment: Callable[..., str]
) -> None:
    cloned = make_run(task="cartpole-balance", goal="Balance", overrides={"demonstrations.clone": "true"})
    make_run(goal="Not shown anything", overrides={"demonstrations.clone": True})

    def show(run_id: str, who: DemonstrationSource) -> None:
        segment_id = make_segment(run_id)
        with writing(store.engine) as connection:
            demonstrations.insert_demonstration(
                connection, run_id, segment_id, source=who, num_steps=3, terminated=True
            )

    for who in (*[DemonstrationSource.EXPERT] * 2, DemonstrationSource.PERSON, DemonstrationSource.TAKEOVER):
        show(cloned, who)
    show(source, DemonstrationSource.PERSON)
    with writing(store.engine) as connection:
        runs.add_event(connection, cloned, 0, "clone", "The policy started by imitating.")
        runs.update_run(connection, cloned, config={"seen": True})
    show(cloned, DemonstrationSource.PERSON)  # after it had begun
    child = fork_run(store.engine, store.blobs, source)
    (tree,) = [str(one.value) for one in open_page(source, "home.py").get("html") if "lineage" in one.value]
    assert f'href="demonstrate?run={cloned}"' in tree
    assert tree.count("2 by the scripted expert, 2 by people") == 2
    assert "imitated 4 episodes" in tree
    assert "Not shown anything" not in tree
    assert f"demonstrate?run={source}" not in tree
    assert child in tree
