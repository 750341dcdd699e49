"""Decisions about people: the newest holds, none is lost."""

from collections.abc import Callable

import pytest

from rlhf.errors import NotFoundError
from rlhf.storage import acts
from rlhf.storage.engine import reading, writing
from rlhf.types.people import TEACHING_ACTS, ActKind
from rlhf.ui.store import Store

Make = Callable[..., str]


@pytest.fixture
def run_id(make_run: Make) -> str:
    return make_run()


def _add(store: Store, run_id: str, kind: ActKind, subject: str, value: bool | float | str | None) -> int:
    with writing(store.engine) as connection:
        return acts.insert_act(connection, run_id, kind, subject, value, by="Researcher", reason="why")


def test_the_newest_of_a_kind_holds(store: Store, run_id: str) -> None:
    _add(store, run_id, ActKind.WEIGHT, "ann", 0.5)
    _add(store, run_id, ActKind.WEIGHT, "bob", 0.0)
    _add(store, run_id, ActKind.WEIGHT, "ann", 0.75)
    _add(store, run_id, ActKind.PAUSE, "ann", True)
    with reading(store.engine) as connection:
        assert acts.holding(connection, run_id, ActKind.WEIGHT) == {"ann": 0.75, "bob": 0.0}
        assert acts.holds(connection, run_id, ActKind.PAUSE, "ann") is True


def test_without_a_decision_the_default_holds(store: Store, run_id: str) -> None:
    with reading(store.engine) as connection:
        held = {kind: acts.holds(connection, run_id, kind, "ann") for kind in ActKind}
    assert held == {ActKind.PAUSE: False, ActKind.WEIGHT: 1.0, ActKind.GOLD: None}


def test_what_held_before_an_act_is_known(store: Store, run_id: str) -> None:
    first = _add(store, run_id, ActKind.GOLD, "query", "left")
    second = _add(store, run_id, ActKind.GOLD, "query", None)
    with reading(store.engine) as connection:
        assert acts.holds(connection, run_id, ActKind.GOLD, "query", before=second) == "left"
        assert acts.holds(connection, run_id, ActKind.GOLD, "query", before=first) is None


def test_runs_do_not_mix(store: Store, run_id: str, make_run: Make) -> None:
    _add(store, make_run(), ActKind.PAUSE, "ann", True)
    with reading(store.engine) as connection:
        assert not acts.holds(connection, run_id, ActKind.PAUSE, "ann")
        assert acts.list_acts(connection, run_id) == []


def test_a_pause_changes_nothing_that_is_learned(store: Store, run_id: str) -> None:
    weighed = _add(store, run_id, ActKind.WEIGHT, "ann", 0.5)
    _add(store, run_id, ActKind.PAUSE, "ann", True)
    with reading(store.engine) as connection:
        assert acts.last_id(connection, run_id, TEACHING_ACTS) == weighed


def test_an_unknown_act_is_named(store: Store) -> None:
    with reading(store.engine) as connection, pytest.raises(NotFoundError, match="7"):
        acts.get_act(connection, 7)
