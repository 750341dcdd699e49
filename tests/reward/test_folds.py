import numpy as np
import pytest

from rlhf.reward.answer_model import rows
from rlhf.reward.folds import make_folds
from rlhf.types.feedback import PreferenceData, Rankings, no_rankings


def answers(pairs: list[tuple[int, int]], order: list[list[int]] | None = None) -> PreferenceData:
    first, second = np.array(pairs, np.int64).T
    highest = max(int(first.max()), int(second.max()), *(max(row) for row in order or [[0]]))
    return PreferenceData(
        features=np.zeros((highest + 1, 2, 1), np.float32),
        first=first,
        second=second,
        prob_first=np.ones(len(first), np.float32),
        annotator=np.zeros(len(first), np.int64),
        rankings=no_rankings()
        if order is None
        else Rankings(
            order=np.array(order, np.int64),
            num_ranked=np.ones(len(order), np.int64),
            annotator=np.zeros(len(order), np.int64),
        ),
    )


def shared(count: int) -> PreferenceData:
    rng = np.random.default_rng(0)
    return answers([tuple(rng.choice(40, 2, replace=False)) for _ in range(count)])


DISTINCT = answers([(2 * i, 2 * i + 1) for i in range(50)])
CHAIN = answers([(i, i + 1) for i in range(50)])
RANKED = answers([(i, i + 1) for i in range(10)], [[20 + 4 * i + j for j in range(4)] for i in range(20)])


@pytest.mark.parametrize(
    "data", [DISTINCT, CHAIN, RANKED, shared(100)], ids=["distinct", "chain", "ranked", "shared"]
)
def test_no_segment_is_trained_on_and_tested(data: PreferenceData) -> None:
    folds = make_folds(data, 5, 2, np.random.default_rng(1))
    first, second, answer = rows(data)
    assert folds.trains.shape == folds.is_tested.shape == (10, len(data))
    for trains, is_tested in zip(folds.trains > 0, folds.is_tested, strict=True):
        seen = {*first[trains[answer]].tolist(), *second[trains[answer]].tolist()}
        tested = {*first[is_tested[answer]].tolist(), *second[is_tested[answer]].tolist()}
        assert not seen & tested
        assert trains.any()


def test_every_answer_is_tested_once_where_no_segment_is_shared() -> None:
    folds = make_folds(DISTINCT, 5, 1, np.random.default_rng(0))
    assert (folds.is_tested.sum(axis=0) == 1).all()
    assert (folds.trains.sum(axis=0) == 4).all()
    assert (folds.is_tested.sum(axis=1) == 10).all()


def test_a_chain_loses_one_test_per_cut() -> None:
    folds = make_folds(CHAIN, 5, 1, np.random.default_rng(0))
    # a walk that starts in the middle goes both ways, so a cut may part two neighbours
    assert folds.is_tested.sum() >= 50 - 2 * 4


def test_densely_shared_segments_leave_answers_to_test_and_to_train_on() -> None:
    folds = make_folds(shared(200), 5, 1, np.random.default_rng(0))
    assert folds.is_tested.sum() >= 20
    assert (folds.trains.sum(axis=1) >= 100).all()


def test_repeats_are_different_splits() -> None:
    folds = make_folds(DISTINCT, 5, 2, np.random.default_rng(0))
    assert not np.array_equal(folds.is_tested[:5], folds.is_tested[5:])
