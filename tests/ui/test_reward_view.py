import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from rlhf.config import PROJECT_ROOT
from rlhf.loop.config import GateConfig, WorldConfig
from rlhf.storage import models
from rlhf.storage.engine import writing
from rlhf.ui.reward_alarms import GATES, Gate, advice
from rlhf.ui.reward_view import (
    BEFORE,
    by_age,
    by_certainty,
    by_person,
    gain_of_ten,
    shares,
    view_judgements,
)
from rlhf.ui.store import Store


def judgements(before: list[float], target: list[float], person: list[str] | None = None) -> pd.DataFrame:
    count = len(before)
    return pd.DataFrame(
        {
            "kind": "Random check",
            "person": person or ["Ann"] * count,
            "target": target,
            BEFORE: before,
            "without": math.nan,
            "known": np.arange(1, count + 1),
            "is_audit": True,
        }
    )


def test_shares_count_what_was_right_and_leave_ties_out() -> None:
    found = shares(
        judgements([0.9, 0.8, 0.3, 0.6, math.nan], [1.0, 0.0, 0.0, 0.5, 1.0]),
        BEFORE,
        pd.Series(["a", "a", "b", "b", "b"]),
    )
    assert found["group"].tolist() == ["a", "b"]
    assert found["right"].tolist() == [0.5, 1.0]
    assert found["answers"].tolist() == [2, 1]
    assert found["expected"].tolist() == pytest.approx([0.85, 0.7])
    assert (found["low"] < found["right"]).all()


def test_a_prediction_of_a_half_counts_half() -> None:
    found = shares(judgements([0.5], [1.0]), BEFORE, pd.Series(["a"]))
    assert found["right"].tolist() == [0.5]


def test_certainty_does_not_depend_on_the_side() -> None:
    groups = by_certainty(judgements([0.95, 0.05, 0.55, math.nan], [1.0] * 4), BEFORE)
    assert groups.astype(object).where(groups.notna(), None).tolist() == [
        "90% to 100%",
        "90% to 100%",
        "50% to 60%",
        None,
    ]


def test_the_surest_come_last() -> None:
    known = judgements([0.95, 0.55, 0.2], [1.0, 1.0, 1.0])
    found = shares(known, BEFORE, by_certainty(known, BEFORE))
    assert found["group"].tolist() == ["50% to 60%", "75% to 90%", "90% to 100%"]


def test_ages_are_fifths_in_the_order_answers_came() -> None:
    groups = by_age(judgements([0.5] * 12, [1.0] * 12))
    assert (
        groups.tolist()
        == ["1 to 3"] * 3 + ["4 to 5"] * 2 + ["6 to 8"] * 3 + ["9 to 10"] * 2 + ["11 to 12"] * 2
    )


def test_people_with_few_answers_are_one_group() -> None:
    people = [f"Person {index // 2}" for index in range(16)] + ["Once"]
    groups = by_person(judgements([0.5] * 17, [1.0] * 17, people))
    assert groups.nunique() == 9
    assert groups.iloc[-1] == "all others"


def test_the_gain_of_more_answers_is_of_random_pairs_alone() -> None:
    few = judgements([0.9] * 30, [1.0] * 30)
    assert gain_of_ten(few, 30) is not None
    few["is_audit"] = np.arange(30) < 5
    assert gain_of_ten(few, 30) is None


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.title)
def test_advice_goes_with_what_a_gate_says(gate: Gate) -> None:
    names = ("gates.py", "champion.py", "watch_world.py")
    source = "".join((PROJECT_ROOT / "rlhf/loop" / name).read_text() for name in names)
    assert gate.says in source
    assert advice(f"Well, it {gate.says} it seems.") == gate.advice
    settings = {field.name for field in dataclasses.fields(GateConfig)}
    assert gate.limit in settings | {f"world_{field.name}" for field in dataclasses.fields(WorldConfig)}


def test_what_no_gate_says_has_advice_too() -> None:
    assert advice("something new") not in {gate.advice for gate in GATES}


def test_a_reward_that_was_taken_without_its_answers_has_no_judgements(
    store: Store, make_run: Callable[..., str]
) -> None:
    run_id, arrays = make_run(), store.blobs.write_arrays({"some": np.zeros(1)})
    with writing(store.engine) as connection:
        models.insert_reward_version(connection, run_id, 1, arrays=arrays, num_answers=30, steps=0, report={})
    none = view_judgements(store.engine, store.blobs, run_id, 1)
    assert list(none[none["is_audit"]].columns) == list(none.columns)
