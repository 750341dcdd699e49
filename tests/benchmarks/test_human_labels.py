"""On a stand-in set: a walker in one dimension, and people who prefer it to be far to the right."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from rlhf.benchmarks import human_labels
from rlhf.cli.main import main
from rlhf.feedback.label_sets import LabelSet, load_label_set
from rlhf.reward.folds import Folds
from rlhf.types.experience import Bool
from rlhf.types.feedback import PreferenceData

STEPS, COMPARISONS = 10, 60
LINEAR = human_labels.reward_config(human_labels.Fit(model_class="linear", noise=0.1, with_ties=True))


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Choices and transitions; differences of less than 0.5 are called equal."""
    rng = np.random.default_rng(0)
    rows = 2 * COMPARISONS * STEPS
    observations = (
        rng.normal(size=(rows // STEPS, 1)).repeat(STEPS, axis=0) + rng.normal(size=(rows, 2)) * 0.1
    )
    choices, transitions = tmp_path / "labels.npz", tmp_path / "transitions.npz"
    np.savez(
        transitions,
        observations=observations,
        actions=np.zeros((rows, 1)),
        next_observations=observations,
        terminals=np.zeros(rows),
    )
    first, second = STEPS * np.arange(2 * COMPARISONS).reshape(2, -1)
    better = np.array([observations[a, 0] - observations[b, 0] for a, b in zip(first, second, strict=True)])
    label = np.where(np.abs(better) < 0.5, -1, better < 0)
    np.savez(choices, first=first, second=second, label=label)
    return choices, transitions


@pytest.fixture
def label_set(files: tuple[Path, Path]) -> LabelSet:
    return load_label_set(*files, STEPS)


def test_the_reward_model_sees_state_change_and_action(label_set: LabelSet) -> None:
    data = human_labels.preference_data(label_set, 7)
    assert len(data) == 7
    np.testing.assert_array_equal(data.features[..., :2], label_set.observations)
    assert data.features.shape[-1] == 2 + 2 + 1 + 1  # the last one is the absorbing flag


def test_no_model_has_seen_what_it_is_judged_on(label_set: LabelSet) -> None:
    """A fold whose answers are all the opposite is foretold as if they were not."""
    data = human_labels.preference_data(label_set)
    is_tested = np.arange(len(data)) % 2 == np.array([[0], [1]])
    folds = Folds(trains=(~is_tested).astype(np.float32), is_tested=is_tested)
    before = human_labels.foretell(data, LINEAR, folds, with_ties=True, seed=0).differences
    data.prob_first[is_tested[0]] = 1.0 - data.prob_first[is_tested[0]]
    after = human_labels.foretell(data, LINEAR, folds, with_ties=True, seed=0).differences
    np.testing.assert_array_equal(after[is_tested[0]], before[is_tested[0]])
    assert (np.sign(after[is_tested[1]]) == np.sign(before[is_tested[1]])).mean() < 0.2


@pytest.mark.parametrize("spread", [4, 40])
def test_no_row_is_both_learned_from_and_judged(spread: int) -> None:
    """Where segments overlap, and where so many do that nearly all comparisons hang together."""
    rng = np.random.default_rng(0)
    starts = np.unique(rng.integers(COMPARISONS * spread * STEPS // 4, size=2 * COMPARISONS))
    first, second = rng.integers(len(starts), size=(2, COMPARISONS))
    data = PreferenceData(
        features=np.zeros((len(starts), STEPS, 1), np.float32),
        first=first,
        second=second,
        prob_first=np.ones(COMPARISONS, np.float32),
        annotator=np.zeros(COMPARISONS, np.int64),
    )
    assert (np.diff(starts) < STEPS).any()
    folds = human_labels.answer_folds(data, starts, STEPS, 5, rng)
    assert folds.is_tested.any(axis=1).sum() >= 3

    def rows(chosen: Bool) -> set[int]:
        used = np.concatenate([starts[first[chosen]], starts[second[chosen]]])
        return set((used[:, None] + np.arange(STEPS)).reshape(-1).tolist())

    for trains, is_tested in zip(folds.trains > 0, folds.is_tested, strict=True):
        assert not rows(trains) & rows(is_tested)


def test_the_answer_model_of_the_fit_is_judged_too(label_set: LabelSet) -> None:
    """It knows how often people call things equal; somebody it has not met is an ordinary annotator."""
    data = human_labels.preference_data(label_set)
    data.annotator[-1] = 1
    is_tested = np.arange(len(data)) % 2 == np.array([[0], [1]])
    folds = Folds(trains=(~is_tested).astype(np.float32), is_tested=is_tested)
    found = human_labels.foretell(data, LINEAR, folds, with_ties=True, seed=0)
    assert found.own.mean() > -np.log(3) + 0.2


def test_models_foretell_better_than_none_and_ties_by_their_closeness(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    choices, transitions = files
    out = tmp_path / "out"
    data = ["--path", str(choices), "--transitions", str(transitions), "--segment-steps", str(STEPS)]
    assert (
        main(["bench", "human-labels", *data, "--classes", "linear", "--noises", "0.1", "--out", str(out)])
        == 0
    )
    assert f"{COMPARISONS} comparisons" in capsys.readouterr().out
    summary = json.loads((out / "summary.json").read_text())
    scores = {(r["fit"], r["ties"]): r["log_likelihood"] for r in summary["results"]}
    fit = "linear, noise 0.1, ties as an interval"
    assert scores[fit, "constant"] > scores[human_labels.NO_MODEL, "constant"] + 0.2
    assert scores[fit, "rao-kupper"] > scores[fit, "constant"]
    assert scores[fit, human_labels.OWN] > scores[human_labels.NO_MODEL, "constant"] + 0.2
    assert ("linear, noise 0.1, ties left out", human_labels.OWN) not in scores
    accuracy = {r["fit"]: r["accuracy"] for r in summary["results"]}
    assert accuracy[fit] > 0.9
    assert accuracy[human_labels.NO_MODEL] == 0.5
    ET.parse(out / "plot.svg")


@pytest.mark.parametrize("wrong", [["--folds", "1"], ["--classes", "cubic"], ["--noises", "2"]])
def test_an_option_that_makes_no_sense_is_refused(wrong: list[str], files: tuple[Path, Path]) -> None:
    choices, transitions = files
    data = ["--path", str(choices), "--transitions", str(transitions), "--segment-steps", str(STEPS)]
    assert main(["bench", "human-labels", *data, *wrong]) == 2


def test_a_pickle_is_refused_with_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "label_human").write_bytes(b"\x80\x04]\x94.")
    data = ["--path", str(tmp_path / "label_human"), "--transitions", str(tmp_path / "x.npz")]
    assert main(["bench", "human-labels", *data]) == 2
    assert "convert it to npz" in capsys.readouterr().err
