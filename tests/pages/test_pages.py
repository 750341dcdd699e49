"""Each page by itself, without a browser: what it shows of an empty store, and of a run with answers."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.storage import answers, models, runs
from rlhf.storage.engine import reading, writing
from rlhf.types.feedback import Choice
from rlhf.types.run import RunState
from rlhf.ui.store import Store, open_store

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    "home.py",
    "label.py",
    "demonstrate.py",
    "replays.py",
    "reward_model.py",
    "training.py",
    "fine_tune.py",
    "map.py",
    "data.py",
)


@pytest.fixture(autouse=True)
def app_store(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pages open the test's store."""
    monkeypatch.setenv("RLHF_DATA_DIR", str(store.settings.data_dir))
    open_store.cache_clear()


def open_page(name: str, run_id: str | None = None) -> AppTest:
    page = AppTest.from_file(str(ROOT / "pages" / "_shell.py"), default_timeout=20)
    page.run()
    if run_id is not None:
        page.query_params["run"] = run_id
    if name != "home.py":
        page.switch_page(name).run()
    assert not page.exception
    return page


@pytest.fixture
def labelled_run(store: Store, make_run: Callable[..., str], make_query: Callable[..., str]) -> str:
    """A running run with twelve answers, two reward versions and a recorded policy."""
    run_id = make_run()
    with writing(store.engine) as connection:
        person = answers.insert_annotator(connection, "Annotator", is_teacher=False)
        runs.update_run(
            connection, run_id, state=RunState.RUNNING, wanted=RunState.RUNNING, reward_version=2, steps=500
        )
        runs.add_measurements(
            connection, run_id, 100, {"reward/out_of_bag_accuracy": 0.75, "reward/num_answers": 8}
        )
    for index in range(12):
        query_id = make_query(run_id)
        choice = (Choice.LEFT, Choice.RIGHT, Choice.EQUAL)[index % 3]
        record_answer(
            store.engine, run_id, person, Answer(key=f"answer-{index:04}", query_id=query_id, choice=choice)
        )
    with reading(store.engine) as connection:
        replay_id = answers.standing_answers(connection, run_id)[0]["left_id"]
    blob = store.blobs.write_arrays({})
    with writing(store.engine) as connection:
        for version in (1, 2):
            models.insert_reward_version(
                connection,
                run_id,
                version,
                arrays=blob,
                num_answers=4 * version,
                steps=100 * version,
                report={"out_of_bag_accuracy": 0.75, "train_accuracy": 0.9, "seconds": 0.5},
            )
        for version in (0, 3):
            models.insert_policy_version(
                connection, run_id, version, arrays=blob, steps=100 * version, reward_version=1, num_answers=8
            )
            models.set_evaluation(
                connection,
                run_id,
                version,
                replay_id=replay_id,
                evaluation={
                    "true_returns": [-1200.0, -1000.0],
                    "predicted_returns": [],
                    "episode_steps": [200],
                },
            )
    return run_id


@pytest.mark.parametrize("name", PAGES)
def test_page_explains_itself_on_an_empty_store(name: str) -> None:
    page = open_page(name)
    assert page.title[0].value


def test_home_offers_every_preset_on_an_empty_store() -> None:
    buttons = {button.label for button in open_page("home.py").button}
    assert {"Start Swing the pendulum up and hold it", "Start Do a backflip"} <= buttons


def test_starting_a_preset_adds_a_wanted_run(store: Store) -> None:
    page = open_page("home.py")
    next(b for b in page.button if b.label == "Start Balance the pole").click().run()
    with reading(store.engine) as connection:
        (run,) = runs.list_runs(connection)
    assert run["task"] == "cartpole-balance"
    assert run["wanted"] is RunState.RUNNING


def test_an_environment_that_cannot_be_used_is_refused_in_words(store: Store) -> None:
    page = open_page("home.py")
    page.text_input[0].set_value("NoSuchEnv-v0")
    next(b for b in page.button if b.label == "Start").click().run()
    assert "NoSuchEnv-v0" in page.error[0].value
    with reading(store.engine) as connection:
        assert runs.list_runs(connection) == []


@pytest.mark.parametrize("prefix", ["", "gym:"])
def test_a_page_imports_no_module_that_somebody_names(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    (tmp_path / "named_on_a_page.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    page = open_page("home.py")
    page.text_input[0].set_value(f"{prefix}named_on_a_page:CartPole-v1")
    next(b for b in page.button if b.label == "Start").click().run()
    assert "python -m rlhf run new --task gym:<module>:<EnvId>" in page.error[0].value
    assert "named_on_a_page" not in sys.modules
    with reading(store.engine) as connection:
        assert runs.list_runs(connection) == []


@pytest.mark.parametrize("name", PAGES)
def test_showing_a_run_imports_no_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_run: Callable[..., str], name: str
) -> None:
    (tmp_path / "named_by_a_run.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    page = open_page(name, make_run(task="gym:named_by_a_run:Env-v0", goal="Solve it"))
    assert any("Solve it" in item.value for item in page.subheader)
    assert "named_by_a_run" not in sys.modules


@pytest.mark.parametrize("name", PAGES)
def test_page_shows_a_run(name: str, labelled_run: str) -> None:
    page = open_page(name, labelled_run)
    assert any("Swing the pendulum up" in item.value for item in page.subheader)


@pytest.mark.parametrize(
    ("word", "question"),
    [(None, "Which clip"), ("rank", "Which does it best"), ("rate", "How well"), ("nonsense", "Which clip")],
)
def test_label_page_offers_other_ways_of_answering(
    labelled_run: str, word: str | None, question: str
) -> None:
    page = AppTest.from_file(str(ROOT / "pages" / "_shell.py"), default_timeout=20).run()
    page.query_params["run"] = labelled_run
    if word is not None:
        page.query_params["mode"] = word
    page.switch_page("label.py").run()
    assert not page.exception
    assert any(item.value.startswith(question) for item in page.caption)
    page.segmented_control(key="label_mode").set_value("rate").run()
    assert page.query_params["mode"] == "rate"
    assert any(item.value.startswith("How well") for item in page.caption)


def test_label_page_says_that_the_policy_began_anew(store: Store, labelled_run: str) -> None:
    def told() -> list[str]:
        return [caption.value for caption in open_page("label.py", labelled_run).caption]

    assert not any("afresh" in caption for caption in told())
    with writing(store.engine) as connection:
        runs.add_event(connection, labelled_run, 1_200, "restart", "The policy starts afresh once.")
        runs.add_event(connection, labelled_run, 2_400, "restart", "The policy starts afresh again.")
        runs.add_event(connection, labelled_run, 2_500, "champion", "Something else.")
    (caption,) = [caption for caption in told() if "afresh" in caption]
    assert caption.endswith("At 2,400 steps: The policy starts afresh again.")
    with writing(store.engine) as connection:
        runs.update_run(connection, labelled_run, state=RunState.FINISHED)
    assert not any("afresh" in caption for caption in told())


def test_pausing_and_resuming_change_what_is_wanted(store: Store, labelled_run: str) -> None:
    def wanted() -> RunState:
        with reading(store.engine) as connection:
            state: RunState = runs.get_run(connection, labelled_run)["wanted"]
            return state

    page = open_page("home.py")
    page.button(key=f"pause-{labelled_run}").click().run()
    assert wanted() is RunState.PAUSED
    page.button(key=f"start-{labelled_run}").click().run()
    assert wanted() is RunState.RUNNING
    page.button(key=f"stop-{labelled_run}").click().run()
    assert wanted() is RunState.STOPPED


def test_the_switch_lets_a_teacher_answer(store: Store, labelled_run: str) -> None:
    page = open_page("home.py")
    page.toggle[0].set_value(True).run()
    with reading(store.engine) as connection:
        assert runs.get_run(connection, labelled_run)["teacher"] == "oracle"


def test_reward_page_gives_the_accuracy_on_pairs_judged_before(labelled_run: str) -> None:
    page = open_page("reward_model.py", labelled_run)
    shown = {metric.label: metric.value for metric in page.metric}
    assert shown["Right on chosen pairs"].startswith(
        "50%"
    )  # four LEFT right, four RIGHT wrong, at P(left) = .75
    assert shown["Ties among them"] == "4"


def test_the_world_of_a_run_is_changed_and_the_run_not_told(store: Store, labelled_run: str) -> None:
    page = open_page("training.py", labelled_run)
    (button,) = [one for one in page.button if one.label == "Change the world"]
    assert button.disabled
    gravity, mass = page.number_input
    assert (gravity.label, gravity.value, mass.value) == ("Gravity", 10.0, 1.0)
    mass.set_value(1.5).run()
    next(one for one in page.button if one.label == "Change the world").click().run()
    assert not page.exception
    with reading(store.engine) as connection:
        assert runs.get_run(connection, labelled_run)["task"] == "pendulum-swingup+mass=1.5"
        (event,) = [e for e in runs.list_events(connection, labelled_run, 50) if e["kind"] == "world"]
    assert "The run was not told" in event["message"]
    assert next(one for one in page.button if one.label == "Change the world").disabled  # as it is now


def test_a_run_is_set_to_watch_its_world_and_its_alarm_appears(store: Store, labelled_run: str) -> None:
    def alarm() -> bool:
        shown = open_page("reward_model.py", labelled_run).markdown
        return any("Lives in the same world" in text.value for text in shown)

    assert not alarm()
    page = open_page("training.py", labelled_run)
    (switch,) = page.toggle
    switch.set_value(True).run()
    assert not page.exception
    with reading(store.engine) as connection:
        assert runs.get_run(connection, labelled_run)["overrides"]["world.watch"] is True
    assert alarm()
    page.toggle[0].set_value(False).run()
    assert not alarm()


def test_what_cannot_change_under_a_run_offers_nothing(store: Store, make_run: Callable[..., str]) -> None:
    run_id = make_run(task="lunarlander-land")
    with writing(store.engine) as connection:
        runs.update_run(connection, run_id, state=RunState.RUNNING)
    assert not open_page("training.py", run_id).number_input


def test_replays_offer_the_first_and_the_newest(labelled_run: str) -> None:
    page = open_page("replays.py", labelled_run)
    assert [box.value for box in page.selectbox] == ["0", "3"]
    assert (page.query_params["left"], page.query_params["right"]) == ("0", "3")


def test_replays_show_what_a_shared_link_names(labelled_run: str) -> None:
    page = AppTest.from_file(str(ROOT / "pages" / "_shell.py"), default_timeout=20)
    page.run()
    page.query_params.update({"run": labelled_run, "left": "3", "right": "0", "frame": "2"})
    page.switch_page("replays.py").run()
    assert not page.exception
    assert [box.value for box in page.selectbox] == ["3", "0"]
    sent = [json.loads(component.proto.json) for component in page.get("bidi_component")]
    (player,) = (data for data in sent if "clips" in data)
    assert (player["start_frame"], player["share"]["left"]) == (2, "3")


def test_a_frame_in_the_address_does_not_stay_for_other_clips(labelled_run: str) -> None:
    page = open_page("replays.py", labelled_run)
    page.query_params["frame"] = "2"
    page.selectbox[0].set_value("3").run()
    assert not page.exception
    assert "frame" not in page.query_params


@pytest.mark.parametrize("frame", ["-1", "x", "9999999", "1e3", "٣"])
def test_an_improper_frame_in_the_address_is_ignored(labelled_run: str, frame: str) -> None:
    page = open_page("replays.py", labelled_run)
    page.query_params["frame"] = frame
    page.run()
    assert not page.exception


def test_training_compares_runs(labelled_run: str, make_run: Callable[..., str], store: Store) -> None:
    other = make_run(seed=7)
    with writing(store.engine) as connection:
        runs.add_measurements(connection, other, 100, {"policy/entropy": 0.5})
    page = open_page("training.py", labelled_run)
    assert "**Entropy**" not in [text.value for text in page.markdown]
    page.multiselect[0].set_value([other]).run()
    assert not page.exception
    assert "**Entropy**" in [text.value for text in page.markdown]


@pytest.mark.parametrize("name", [name for name in PAGES if name != "home.py"])
def test_page_turns_to_another_run(name: str, labelled_run: str, make_run: Callable[..., str]) -> None:
    other = make_run(seed=7)
    page = open_page(name, labelled_run)
    page.button(key=f"turn-to-{other}").click().run()
    assert not page.exception
    assert page.query_params["run"] == other
    assert page.button(key=f"turn-to-{labelled_run}")
