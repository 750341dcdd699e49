import numpy as np
import pytest

from rlhf.errors import ConfigError
from rlhf.queries.acquisition import ACQUISITIONS, acquisition

# columns: members contradict each other, a true tie, all agree
PROBS = np.array([[0.95, 0.5, 0.9], [0.05, 0.5, 0.9]], dtype=np.float32)
TARGETS = np.array([[0.9], [0.1]], dtype=np.float32)


def test_disagreement_is_the_standard_deviation() -> None:
    np.testing.assert_allclose(acquisition("disagreement")(PROBS, TARGETS), [0.45, 0.0, 0.0], atol=1e-6)


def test_entropy_is_that_of_the_mean() -> None:
    # H(.5) = ln 2 = .6931; H(.9) = -(.9 ln .9 + .1 ln .1) = .3251
    np.testing.assert_allclose(acquisition("entropy")(PROBS, TARGETS), [0.6931, 0.6931, 0.3251], atol=1e-4)


def test_bald_wants_contradiction_and_not_ties() -> None:
    # H(.5) - H(.95) = .6931 - .1985 = .4946
    np.testing.assert_allclose(acquisition("bald")(PROBS, TARGETS), [0.4946, 0.0, 0.0], atol=1e-4)


def test_bald_allows_for_mistakes_in_certain_answers() -> None:
    certain = np.array([[1.0], [0.0]], dtype=np.float32)
    assert acquisition("bald")(certain, certain)[0] == pytest.approx(0.4946, abs=1e-4)


def test_information_gain_is_what_the_answer_tells_of_the_target() -> None:
    # y: .9, .1; o: .9, .1; P(y, o) = (.81 + .01) / 2 = .41 where they agree, .09 where they do not, all means
    # .5: I = 2 (.41 ln(.41 / .25) + .09 ln(.09 / .25)) = .2218
    member_probs = np.array([[0.9, 0.5], [0.1, 0.5]], dtype=np.float32)
    np.testing.assert_allclose(
        acquisition("information_gain")(member_probs, TARGETS), [0.2218, 0.0], atol=1e-4
    )


def test_information_gain_leaves_what_matters_nowhere_to_bald() -> None:
    # members 0 and 1 contradict 2 and 3 about the target; about pair 1 it is 0 and 2 against 1 and 3
    target = np.array([[0.9], [0.9], [0.1], [0.1]], dtype=np.float32)
    member_probs = np.array([[0.8, 0.95], [0.8, 0.05], [0.2, 0.95], [0.2, 0.05]], dtype=np.float32)
    assert acquisition("bald")(member_probs, target).argmax() == 1
    assert acquisition("information_gain")(member_probs, target).argmax() == 0


def test_random_prefers_nothing() -> None:
    assert np.ptp(acquisition("random")(PROBS, TARGETS)) == 0.0


@pytest.mark.parametrize("name", sorted(ACQUISITIONS))
def test_score_does_not_depend_on_members_order_or_sides(name: str) -> None:
    probs = np.random.default_rng(0).random((5, 40)).astype(np.float32)
    targets = np.random.default_rng(1).random((5, 7)).astype(np.float32)
    scores = acquisition(name)(probs, targets)
    np.testing.assert_allclose(acquisition(name)(probs[::-1], targets[::-1]), scores, atol=1e-5)
    np.testing.assert_allclose(acquisition(name)(1.0 - probs, targets), scores, atol=1e-5)
    np.testing.assert_allclose(acquisition(name)(probs, 1.0 - targets), scores, atol=1e-5)
    assert scores.shape == (40,)
    assert scores.dtype == np.float32
    assert (scores >= 0.0).all()


def test_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="bald"):
        acquisition("magic")
