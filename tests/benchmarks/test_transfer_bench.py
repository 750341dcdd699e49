import argparse
import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlhf.benchmarks import transfer, transfer_pairs
from rlhf.benchmarks.transfer_pairs import PAIRS, Behaviour, compare, prob_first, values_of
from rlhf.types.experience import Float64

NAMES = ("forward velocity", "torso angular velocity", "change of a", "change of b", "absorbing")


@pytest.fixture
def behaviour() -> Behaviour:
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(1000, 1, 5)) + rng.normal(size=(1000, 10, 5))).astype(np.float32)
    return Behaviour(features=features, names=NAMES)


def row(**changes: Any) -> dict[str, Any]:
    losses = {"scratch": 0.5, "source only": 0.6, "source forced": 0.5, "tuner": 0.4, transfer._FEWER: 0.45}
    found = {"pair": next(iter(PAIRS)), "noise": "oracle", "answers": 20, "seed": 0, **losses}
    return found | changes


def test_a_taste_is_scaled_to_typical_differences(behaviour: Behaviour) -> None:
    values = values_of(behaviour, {"forward velocity": 3.0}, np.random.default_rng(0))
    differences = values[:500] - values[500:]
    assert differences.std() == pytest.approx(1.0, abs=0.1)
    assert np.corrcoef(values, behaviour.features[..., 0].mean(axis=1))[0, 1] == pytest.approx(1.0)


def test_a_random_taste_looks_at_what_is_observed_only(behaviour: Behaviour) -> None:
    changed = behaviour.features.copy()
    changed[..., 2:] = 0.0
    same = dataclasses.replace(behaviour, features=changed)
    values: list[Float64] = [values_of(b, {}, np.random.default_rng(0)) for b in (behaviour, same)]
    np.testing.assert_array_equal(*values)


def test_stochastic_answers_prefer_the_better_of_two_typical_clips_three_times_in_four() -> None:
    median = np.array([transfer_pairs._TYPICAL_LEAD])
    assert prob_first(median, "stochastic")[0] == pytest.approx(0.75)
    np.testing.assert_array_equal(prob_first(np.array([-0.1, 0.1]), "oracle"), [0.0, 1.0])


def test_an_oracle_never_errs(behaviour: Behaviour) -> None:
    values = values_of(behaviour, {"forward velocity": 1.0}, np.random.default_rng(0))
    chosen = np.arange(40)
    data = compare(behaviour, values, chosen, "oracle", np.random.default_rng(0))
    np.testing.assert_array_equal(data.prob_first, values[:20] > values[20:40])


def test_all_arms_meet_the_same_answers(behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "_behaviour", lambda name, is_learned: behaviour)
    pair = "halfcheetah, run -> run calmly"
    found = transfer.measure(pair, "oracle", 0, (20,))
    assert found == transfer.measure(pair, "oracle", 0, (20,))
    assert set(found["rows"][0]) == {"answers", *transfer.ARMS, transfer._FEWER}
    assert found["rows"][0]["tuner"] < found["rows"][0]["scratch"]


def test_harm_and_savings_are_told_apart() -> None:
    (good,) = transfer.summarise([row(), row(seed=1)])
    assert good["is_safe"]
    assert good["saves"]
    (bad,) = transfer.summarise([row(tuner=0.52, **{transfer._FEWER: 0.51})])
    assert not bad["is_safe"]
    assert not bad["saves"]
    (control,) = transfer.summarise([row(pair="halfcheetah, a random taste")])
    assert control["saves"] is None


def test_results_are_written_with_table_plot_and_command(
    tmp_path: Path, behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RLHF_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(transfer, "_behaviour", lambda name, is_learned: behaviour)
    options = argparse.Namespace(
        pairs=list(PAIRS)[:1], seeds=1, first_seed=5, jobs=1, quick=True, out=tmp_path / "out"
    )
    _, table, note = transfer.run(options, lambda *at: None)
    assert len(table) == 2 + 1
    assert "log loss" in note
    assert (tmp_path / "out" / "plot.svg").read_text().count("<svg") == 1
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["command"] == "python -m rlhf bench transfer --quick --first-seed 5"
    lines = (tmp_path / "out" / "measurements.csv").read_text().splitlines()
    rows = list(csv.DictReader(lines))
    assert [row["seed"] for row in rows] == ["5", "5", "6", "6"]
