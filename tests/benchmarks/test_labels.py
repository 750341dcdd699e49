"""How scores are made of runs, worked by hand; and the benchmark itself with tiny budgets."""

import dataclasses
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlhf.benchmarks import labels
from rlhf.benchmarks.labels_arms import ABLATIONS, ARMS, OURS, REFERENCE, chosen_arms, is_same_as_ours
from rlhf.benchmarks.labels_report import SAME, plot, summarise, text_notes, text_rows
from rlhf.benchmarks.labels_scores import (
    LabelsNeeded,
    Scale,
    area,
    label_ratio,
    labels_needed,
    mean_lead,
    mean_score,
    scale_of,
    share_won,
    shared_numbers,
)
from rlhf.benchmarks.labels_tiers import TIERS, Asking, Tier
from rlhf.cli.main import main
from rlhf.errors import ConfigError
from rlhf.experience.tasks import get_task
from rlhf.feedback.teachers import parse_teacher
from rlhf.loop.config import resolve

TINY = Tier(
    about="", tasks={"pendulum-swingup": 2048}, askings=(Asking(teacher="oracle", labels=8),), seeds=2
)


UNSAID = dict.fromkeys(("training_score", "audit_accuracy", "reward_spearman", "wall_s", "reward_share"))
SCALE = Scale(random=0.0, reference=1.0, reference_training=None)


def row(
    score: float | None, *, number: int = 100, task: str = "a", seed: int = 0, arm: str = OURS
) -> dict[str, Any]:
    found = {"task": task, "arm": arm, "teacher": "oracle", "labels": number, "seed": seed, "score": score}
    return {**UNSAID, **found}


def report(final: float, random: float = 0.0, late: tuple[float, ...] = ()) -> dict[str, Any]:
    curve = [{"steps": 10, "true_return": -1.0}, *({"steps": 95, "true_return": value} for value in late)]
    return {"true_return": {"mean": final}, "random_return": random, "steps": 100, "curve": curve}


def test_a_score_is_the_share_of_the_way_from_random_to_the_reference() -> None:
    # the interquartile mean of 0, 10, 10, 50 is 10
    scale = scale_of([report(final, random=2.0, late=(6.0,)) for final in (0.0, 10.0, 10.0, 50.0)])
    assert scale == Scale(random=2.0, reference=10.0, reference_training=6.0)
    assert scale.share(6.0, scale.reference) == 0.5
    assert scale.share(6.0, scale.reference_training) == 1.0


def test_a_reference_that_learned_nothing_scores_nobody() -> None:
    assert Scale(random=5.0, reference=5.0, reference_training=None).share(7.0, 5.0) is None


def test_the_area_is_the_mean_height_over_log_labels() -> None:
    # log2: 5, 6, 8; (0 + 1) / 2 * 1 + (1 + 1) / 2 * 2 = 2.5 over a width of 3
    rows = [row(0.0, number=32), row(1.0, number=64), row(1.0, number=256), row(9.0, number=64, seed=1)]
    found = area(rows, [32, 64, 256])
    assert found is not None
    np.testing.assert_allclose(found["iqm"], 2.5 / 3.0)


def test_areas_are_over_what_arms_have_in_common() -> None:
    """An arm that lacks a run has none, and does not keep the others from theirs."""
    arms = {
        OURS: [row(1.0, number=number, seed=seed) for number in (0, 50, 100, 350) for seed in (0, 1)],
        "mlp": [row(1.0, number=number, seed=seed) for number in (100, 350) for seed in (0, 1)],
        "linear": [row(1.0, number=100), row(1.0, number=100, seed=1), row(1.0, number=350)],
        "crops": [],
    }
    both = [100, 350]
    assert shared_numbers(arms, 2) == {OURS: both, "mlp": both, "linear": [], "crops": []}
    arms["mlp"] = arms["mlp"][:-1]
    assert shared_numbers(arms, 2) == {OURS: [50, 100, 350], "mlp": [], "linear": [], "crops": []}
    assert area(arms["mlp"], []) is None


def test_a_report_has_no_area_of_half_a_row() -> None:
    askings = tuple(Asking(teacher="oracle", labels=number) for number in (50, 100))
    tier = dataclasses.replace(TINY, tasks={"a": 1000}, askings=askings)
    ours = [row(1.0, number=number, seed=seed) for number in (50, 100) for seed in range(2)]
    theirs = [{**one, "arm": "mlp"} for one in ours[:-1]]
    _, *notes = text_notes(summarise([*ours, *theirs], {"a": SCALE}, [OURS, "mlp"], tier, {})).splitlines()
    assert ["area under the curve from 50 to 100" in line for line in notes] == [True, False]
    assert "no area under the curve" in notes[1]


@pytest.mark.parametrize(
    ("scores", "needed"),
    [
        ({64: 0.8, 256: 1.0}, LabelsNeeded(128.0, "=")),  # half of the way from 2^6 to 2^8
        ({64: 0.95, 256: 0.5}, LabelsNeeded(64.0, "<=")),
        ({64: 0.2, 256: 0.8}, LabelsNeeded(256.0, ">")),
    ],
)
def test_labels_needed(scores: dict[int, float], needed: LabelsNeeded) -> None:
    found = labels_needed([row(score, number=number) for number, score in scores.items()])
    assert found is not None
    assert (found.bound, found.labels) == (needed.bound, pytest.approx(needed.labels))


@pytest.mark.parametrize(
    ("baseline", "ours", "ratio"),
    [
        (LabelsNeeded(300, "="), LabelsNeeded(100, "="), ("=", 3.0)),
        (LabelsNeeded(350, ">"), LabelsNeeded(100, "="), (">=", 3.5)),
        (LabelsNeeded(300, "="), LabelsNeeded(50, "<="), (">=", 6.0)),
        (LabelsNeeded(50, "<="), LabelsNeeded(50, "<="), None),
        (LabelsNeeded(350, ">"), LabelsNeeded(350, ">"), None),
    ],
)
def test_label_ratio_claims_no_more_than_was_run(
    baseline: LabelsNeeded, ours: LabelsNeeded, ratio: tuple[str, float] | None
) -> None:
    assert label_ratio(baseline, ours) == ratio


def test_every_task_counts_alike_in_an_interval() -> None:
    found = mean_score([row(1.0, seed=seed) for seed in range(4)] + [row(None, task="b")])
    assert found == {"iqm": 1.0, "low": 1.0, "high": 1.0}


def test_arms_are_compared_seed_by_seed() -> None:
    ours = [row(1.0, seed=0), row(0.5, seed=1), row(0.2, seed=2)]
    theirs = [row(0.0, seed=0), row(0.5, seed=1), row(9.0, seed=3)]
    assert share_won(ours, theirs) == 0.75  # one win, one tie, two without a partner
    assert share_won(ours, []) is None
    found = mean_lead(theirs, ours)
    assert found is not None
    assert found["mean"] == -0.5
    assert -1.0 <= found["low"] <= -0.5 <= found["high"] <= 0.0
    assert mean_lead([], ours) is None


def test_a_lead_is_resampled_within_its_task() -> None:
    """Two tasks with a lead each that never varies: the mean is certain, though the tasks differ."""
    ours = [row(0.0, seed=seed, task=task) for task in "ab" for seed in range(5)]
    theirs = [row(1.0 if one["task"] == "a" else 3.0, seed=one["seed"], task=one["task"]) for one in ours]
    assert mean_lead(theirs, ours) == {"mean": 2.0, "low": 2.0, "high": 2.0}


@pytest.mark.parametrize("name", ARMS)
def test_the_settings_of_every_arm_exist(name: str) -> None:
    resolve(get_task("hopper-run"), ARMS[name].settings)


def test_baselines_differ_from_ours() -> None:
    keys = labels.run_keys([(arm, "pendulum-swingup", TINY.askings[0], 0) for arm in ARMS], TINY)
    ours = keys[list(ARMS).index(OURS)]
    same = [arm for arm, key in zip(ARMS, keys, strict=True) if key == ours and arm != OURS]
    assert not {"random-mlp", "prefppo", "christiano"} & set(same)


def test_names_of_arms() -> None:
    assert chosen_arms([REFERENCE, OURS, "mlp", OURS]) == [OURS, "mlp"]
    assert set(chosen_arms([ABLATIONS])) == {name for name, arm in ARMS.items() if arm.is_ablation}
    with pytest.raises(ConfigError, match="'nobody'"):
        chosen_arms(["nobody"])


@pytest.mark.parametrize("name", TIERS)
def test_tiers_name_tasks_teachers_and_arms_that_exist(name: str) -> None:
    tier = TIERS[name]
    for task in tier.tasks:
        assert get_task(task).has_true_reward
    for asking in tier.askings:
        parse_teacher(asking.teacher)
    assert chosen_arms(tier.arms) == list(tier.arms)


def test_settings_are_tried_on_other_seeds_than_those_that_are_reported() -> None:
    tried = TIERS["dev"]
    for name, tier in TIERS.items():
        if name not in ("T0", "dev"):
            assert tried.first_seed + tried.seeds <= tier.first_seed


def test_the_plan_takes_turns() -> None:
    planned = labels.plan(TINY, [OURS, "mlp"])
    assert [(arm, seed) for arm, _, _, seed in planned] == [
        (arm, seed) for seed in (5, 6) for arm in (REFERENCE, OURS, "mlp")
    ]


@pytest.mark.parametrize(
    ("arm", "same", "different"),
    [
        ("no-endings", "halfcheetah-run", "lunarlander-land"),
        ("few-endings", "hopper-run", "lunarlander-land"),
        ("far-sighted", "walker2d-run", "lunarlander-land"),
        ("entropy-bonus", "lunarlander-land", "hopper-run"),
        ("moving-entropy", "lunarlander-land", "hopper-run"),
        ("curious", "bipedalwalker-walk", "hopper-run"),
        ("labels-end-40", "bipedalwalker-walk", "hopper-run"),
    ],
)
def test_an_arm_that_does_what_ours_does_is_not_run(arm: str, same: str, different: str) -> None:
    tier = dataclasses.replace(TINY, tasks={same: 2048, different: 2048}, seeds=1)
    assert {(name, task) for name, task, _, _ in labels.plan(tier, [OURS, arm])} == {
        (REFERENCE, same),
        (OURS, same),
        (REFERENCE, different),
        (OURS, different),
        (arm, different),
    }


def test_every_arm_differs_from_ours_somewhere() -> None:
    tasks = {task for tier in TIERS.values() for task in tier.tasks}
    assert not [arm for arm in ARMS if arm != OURS and all(is_same_as_ours(arm, task) for task in tasks)]


def test_where_an_arm_does_what_ours_does_the_table_says_so() -> None:
    """Of all tasks together it has what ours has there; and where it is the same everywhere, nothing."""
    tier = dataclasses.replace(
        TINY, tasks={"a": 1000, "b": 1000}, seeds=1, askings=(Asking(teacher="oracle", labels=100),)
    )
    rows = [row(1.0), row(0.5, task="b"), row(0.1, task="b", arm="curious")]
    same = {"curious": ["a"], "far-sighted": ["a", "b"]}
    summary = summarise(rows, {"a": SCALE, "b": SCALE}, [OURS, *same], tier, same)
    header, ours, curious, far_sighted = text_rows(summary)
    shown = [header.index(name) for name in ("runs", "a", "b")]
    assert [ours[at] for at in shown] == ["2/2", "1.00", "0.50"]
    assert [curious[at] for at in shown] == ["1/1", SAME, "0.10"]
    assert [far_sighted[at] for at in shown] == ["0/0", SAME, SAME]
    _, of_curious, of_far_sighted = summary["results"]
    assert of_curious["score"]["iqm"] == pytest.approx(0.55)
    assert of_curious["ours_wins"] == 1.0
    assert of_far_sighted["score"] is None


def test_runs_without_a_reference_have_no_score() -> None:
    planned = labels.plan(TINY, [OURS])
    assert labels.rows_of(planned, [None] * len(planned)) == ([], {})


@pytest.mark.parametrize("numbers", [(0,), (0, 100), (50, 100)])
def test_any_mix_of_runs_can_be_reported(numbers: tuple[int, ...]) -> None:
    """Also runs without answers, which have no place on a logarithmic axis, and arms without any run."""
    askings = tuple(Asking(teacher=teacher, labels=n) for teacher in ("oracle", "random") for n in numbers)
    tier = Tier(about="", tasks={"a": 1000, "b": 1000}, askings=askings, seeds=2)
    rows = [
        {**row(0.5, number=asking.labels, seed=seed), "teacher": asking.teacher}
        for asking in askings
        for seed in range(2)
    ]
    scales = {"a": SCALE}
    summary = summarise(rows, scales, [OURS, "christiano"], tier, {})
    table = text_rows(summary)
    assert len(table) == 1 + len(askings)
    assert {len(line) for line in table} == {len(table[0])}
    assert ("area" in text_notes(summary)) == (numbers == (50, 100))
    ET.fromstring(plot(rows, [OURS, "christiano"], tier))


def test_labels_runs_everything_once_and_reports_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RLHF_DATA_DIR", str(tmp_path / "data"))
    out = tmp_path / "out"
    sizes = ["--labels", "8", "--steps", "2048", "--arms", "ours", "--out", str(out)]
    arguments = ["bench", "labels", "--quick", *sizes]
    assert main([*arguments, "--so-far"]) == 2
    assert "--so-far" in capsys.readouterr().err
    for jobs in ("2", "1"):  # the second time nothing is left to run
        assert main([*arguments, "--jobs", jobs]) == 0
    shown = capsys.readouterr().out
    assert "answers to 0.9" in shown
    assert "last tenth of training" in shown.splitlines()[0]
    assert len(list((tmp_path / "data/benchmarks/labels").iterdir())) == 2
    summary = json.loads((out / "summary.json").read_text())
    (result,) = summary["results"]
    assert (result["arm"], result["labels"], result["runs"]) == ("ours", 8, 1)
    assert "--labels 8" in summary["command"]
    assert summary["command"].endswith(f" --out {out}")
    assert len((out / "measurements.csv").read_text().splitlines()) == 3
    ET.parse(out / "plot.svg")
    assert main([*arguments, "--seeds", "2", "--so-far"]) == 0
    assert "2 of 4 runs are still missing" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [["--seeds", "0"], ["--labels", "-1"], ["--teachers", "nobody"]])
def test_an_option_that_makes_no_sense_is_refused(wrong: list[str], tmp_path: Path) -> None:
    assert main(["bench", "labels", "--quick", *wrong, "--out", str(tmp_path)]) == 2
