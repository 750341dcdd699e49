"""A design is the reward before anybody answers, and the answers' to correct afterwards."""

from collections.abc import Callable

import numpy as np
import pytest

from rlhf.errors import ConfigError, FeedbackError
from rlhf.loop.ask_teacher import ask_teacher
from rlhf.loop.iterate import Turn, iterate
from rlhf.loop.score_rollout import score_rollout
from rlhf.loop.session import Session, open_session, save_checkpoint
from rlhf.loop.write_design import write_design
from rlhf.storage import designs, models, runs
from rlhf.storage.engine import reading
from rlhf.storage.people import Person
from rlhf.types.design import Design, Potential, Term
from rlhf.types.people import Role
from rlhf.ui.store import Store

NewRun = Callable[..., str]
UPRIGHT = Design(terms=(Term(feature="cosine of angle", weight=1.0),))
QUICK = {"reward.model_class": "linear", "schedule.refit_answers": 4}


def write(store: Store, run_id: str, design: Design, by: Person | None = None) -> int:
    return write_design(store.engine, store.blobs, run_id, design, by=by)


def opened(store: Store, run_id: str) -> Session:
    return open_session(store.engine, store.blobs, run_id, is_simulated=True)


def report(store: Store, run_id: str) -> dict[str, object]:
    with reading(store.engine) as connection:
        return models.latest_reward_report(connection, run_id)


def test_a_design_is_the_reward_before_anybody_answers(store: Store, new_small_run: NewRun) -> None:
    run_id = new_small_run(teacher=None)
    write(store, run_id, UPRIGHT)
    session = opened(store, run_id)
    assert iterate(session) is Turn.LEARNED
    assert session.reward is not None
    (rollout,) = session.memory.rollouts
    rewards = score_rollout(session, rollout, session.reward, 0.0).rewards
    assert np.corrcoef(rewards.ravel(), rollout.observations[..., 0].ravel())[0, 1] > 0.999
    (term,) = report(store, run_id)["terms"]  # type: ignore[misc]
    assert (term["feature"], term["weight"], term["learned"]) == ("cosine of angle", 1.0, 1.0)
    session.close()


def test_without_a_design_a_run_waits_for_answers(store: Store, new_small_run: NewRun) -> None:
    session = opened(store, new_small_run(teacher=None))
    assert iterate(session) is Turn.WAITING
    session.close()


def test_a_potential_alone_waits_for_answers_too(store: Store, new_small_run: NewRun) -> None:
    run_id = new_small_run(teacher=None)
    write(store, run_id, Design(potential=Potential(feature="cosine of angle", weight=1.0)))
    session = opened(store, run_id)
    assert iterate(session) is Turn.WAITING
    session.close()


def test_answers_are_learned_from_on_top_of_the_design(store: Store, new_small_run: NewRun) -> None:
    run_id = new_small_run(**QUICK, **{"schedule.labels": 24, "schedule.initial_labels": 24})
    write(store, run_id, UPRIGHT)
    session = opened(store, run_id)
    iterate(session)
    ask_teacher(store.engine, store.blobs, run_id, 100)
    iterate(session)
    found = report(store, run_id)
    assert session.reward_version == 2
    assert found["num_comparisons"] == 24
    assert found["uses_design"]
    (term,) = found["terms"]  # type: ignore[misc]
    assert term["learned_sd"] < term["sd"]
    session.close()


def test_a_new_design_is_taken_up_at_the_next_turn(store: Store, new_small_run: NewRun) -> None:
    run_id = new_small_run(**QUICK)
    session = opened(store, run_id)
    iterate(session)
    ask_teacher(store.engine, store.blobs, run_id, 100)
    iterate(session)
    assert session.reward_version == 1
    iterate(session)
    assert session.reward_version == 1  # nothing new
    number = write(store, run_id, UPRIGHT)
    iterate(session)
    assert session.reward_version == 2
    assert report(store, run_id)["design"] == number
    write(store, run_id, Design())
    iterate(session)
    assert session.reward_version == 3
    assert not report(store, run_id)["uses_design"]
    session.close()


def test_a_resumed_run_does_not_take_up_the_same_design_again(store: Store, new_small_run: NewRun) -> None:
    run_id = new_small_run(teacher=None)
    write(store, run_id, UPRIGHT)
    session = opened(store, run_id)
    iterate(session)
    save_checkpoint(session)
    session.close()
    again = opened(store, run_id)
    iterate(again)
    assert again.reward_version == 1
    again.close()


def test_shaping_is_followed_but_is_no_part_of_the_reward(store: Store, new_small_run: NewRun) -> None:
    run_id = new_small_run(teacher=None)
    potential = Potential(feature="angular velocity", weight=2.0, target=0.0)
    write(store, run_id, Design(terms=UPRIGHT.terms, potential=potential))
    session = opened(store, run_id)
    iterate(session)
    assert session.reward is not None
    assert session.reward.shaping is not None
    (rollout,) = session.memory.rollouts
    scored = score_rollout(session, rollout, session.reward, 0.0)
    speed, after = (np.abs(one[..., 2]) for one in (rollout.observations, rollout.next_observations))
    slope = session.reward.shaping.slope
    expected = slope * (speed - session.config.ppo.discount * after)
    np.testing.assert_allclose(scored.followed - scored.rewards, expected, atol=1e-4)
    assert session.predicted_reward == pytest.approx(float(scored.rewards.mean()))
    session.close()


@pytest.mark.parametrize(
    "design",
    [
        Design(terms=(Term(feature="speed of light", weight=1.0),)),
        Design(potential=Potential(feature="absorbing", weight=1.0)),
        Design(potential=Potential(feature="change of angular velocity", weight=1.0)),
    ],
)
def test_a_feature_that_is_not_there_is_refused(store: Store, new_small_run: NewRun, design: Design) -> None:
    run_id = new_small_run()
    with pytest.raises(ConfigError, match="cosine of angle"):
        write(store, run_id, design)
    with reading(store.engine) as connection:
        assert designs.list_designs(connection, run_id) == []


@pytest.mark.parametrize("use_changes", [False, True])
def test_a_potential_can_be_of_whatever_is_observed(
    store: Store, new_small_run: NewRun, use_changes: bool
) -> None:
    run_id = new_small_run(**{"reward.use_changes": use_changes})
    for name in ("cosine of angle", "sine of angle", "angular velocity"):
        write(store, run_id, Design(potential=Potential(feature=name, weight=1.0)))
    for name in ("absorbing", "change of angular velocity"):
        with pytest.raises(ConfigError, match=f"no feature '{name}'"):
            write(store, run_id, Design(potential=Potential(feature=name, weight=1.0)))


@pytest.mark.parametrize("role", [None, Role.ANNOTATOR])
def test_whoever_is_no_researcher_designs_nothing(
    store: Store, new_small_run: NewRun, role: Role | None
) -> None:
    run_id = new_small_run()
    person = Person(person_id="1", name="Ann", role=role, runs=None)
    with pytest.raises(ConfigError, match="Ann may not design rewards"):
        write(store, run_id, UPRIGHT, person)
    with reading(store.engine) as connection:
        assert designs.list_designs(connection, run_id) == []


def test_who_designed_what_and_when_is_kept(store: Store, new_small_run: NewRun) -> None:
    run_id = new_small_run()
    researcher = Person(person_id="1", name="Rae", role=Role.RESEARCHER, runs=None)
    first = write(store, run_id, UPRIGHT, researcher)
    second = write(store, run_id, Design())
    with reading(store.engine) as connection:
        rows = designs.list_designs(connection, run_id)
        events = [row["message"] for row in runs.list_events(connection, run_id)]
        assert designs.newest_design(connection, run_id) == (second, Design())
    assert [(row["id"], row["by"]) for row in rows] == [(second, "studio"), (first, "Rae")]
    assert Design.from_dict(rows[1]["design"]) == UPRIGHT
    assert any("Rae designed: cosine of angle +1 (50% sure)" in message for message in events)


def test_a_task_without_names_needs_behaviour_first(
    store: Store, make_run: NewRun, make_segment: Callable[..., str]
) -> None:
    run_id = make_run(task="gym:Pendulum-v1")
    design = Design(terms=(Term(feature="observation 1", weight=1.0),))
    with pytest.raises(FeedbackError, match="shown no behaviour"):
        write(store, run_id, design)
    make_segment(run_id)
    assert write(store, run_id, design) == 1
