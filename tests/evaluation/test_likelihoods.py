import numpy as np
import pytest

from rlhf.evaluation.likelihoods import (
    FIRST,
    SECOND,
    TIE,
    TIE_RULES,
    AnswerRule,
    fit_rule,
    held_out_log_likelihood,
    log_likelihood,
    outcomes,
)

DIFFERENCES = np.linspace(-6.0, 6.0, 13)


def rule(kind: str, *, scale: float = 1.0, ties: float = 0.3, noise: float = 0.0) -> AnswerRule:
    return AnswerRule(kind=kind, scale=scale, ties=ties, noise=noise)


def drawn(truth: AnswerRule, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    differences = rng.normal(scale=2.0, size=count)
    edges = truth.probs(differences).cumsum(axis=1)
    return differences, (rng.random((count, 1)) > edges).sum(axis=1)


@pytest.mark.parametrize("kind", TIE_RULES)
def test_probabilities_sum_to_one_and_sides_are_alike(kind: str) -> None:
    probs = rule(kind, noise=0.1).probs(DIFFERENCES)
    np.testing.assert_allclose(probs.sum(axis=1), 1.0)
    np.testing.assert_allclose(probs, rule(kind, noise=0.1).probs(-DIFFERENCES)[:, ::-1])
    assert (probs > 0).all()


def test_rules_worked_by_hand() -> None:
    d = np.array([np.log(4.0)])
    # .7 * 4/5
    np.testing.assert_allclose(rule("constant").probs(d)[0], [0.56, 0.3, 0.14])
    # width log 2: odds of first 4/2, of second 1/8
    np.testing.assert_allclose(rule("rao-kupper", ties=np.log(2.0)).probs(d)[0], [2 / 3, 2 / 9, 1 / 9])
    # 2 : 1.5 : .5
    np.testing.assert_allclose(rule("davidson", ties=1.5).probs(d)[0], [0.5, 0.375, 0.125])


def test_noise_and_scale() -> None:
    d = np.array([1.0])
    plain, noisy = rule("davidson").probs(d), rule("davidson", noise=0.6).probs(d)
    np.testing.assert_allclose(noisy, 0.4 * plain + 0.2)
    np.testing.assert_allclose(rule("davidson", scale=0.5).probs(2 * d), plain)


def test_outcomes_of_targets() -> None:
    assert outcomes(np.array([1.0, 0.5, 0.0])).tolist() == [FIRST, TIE, SECOND]


def test_an_impossible_answer_has_a_finite_likelihood() -> None:
    impossible = log_likelihood(rule("constant", ties=0.0), np.zeros(1), np.array([TIE]))
    assert impossible[0] == pytest.approx(np.log(1e-12))


@pytest.mark.parametrize("kind", TIE_RULES)
def test_the_rule_that_made_the_answers_foretells_them_best(kind: str) -> None:
    ties = {"constant": 0.3, "rao-kupper": 1.0, "davidson": 3.0}[kind]
    differences, answered = drawn(rule(kind, ties=ties, noise=0.1), 1000)
    folds = np.arange(1000) % 2
    scores = {k: held_out_log_likelihood(k, differences, answered, folds).mean() for k in TIE_RULES}
    assert scores[kind] >= max(scores.values()) - 0.005  # the two proper rules are close to each other
    if kind != "constant":
        assert scores[kind] > scores["constant"] + 0.005


def test_fitted_parameters_are_near_the_true_ones() -> None:
    differences, answered = drawn(rule("rao-kupper", scale=0.7, ties=1.0, noise=0.1), 4000)
    found = fit_rule("rao-kupper", differences, answered)
    assert found.scale == pytest.approx(0.7, rel=0.4)
    assert found.ties == pytest.approx(1.0, rel=0.4)
    assert found.noise == pytest.approx(0.1, abs=0.1)


def test_the_answer_that_is_foretold_sets_no_parameter() -> None:
    """One fold answers the opposite: its own parameters would hide that."""
    differences = np.tile([3.0, -3.0], 50)
    answered = np.tile([FIRST, SECOND], 50)
    folds = (np.arange(100) >= 50).astype(np.int64)
    answered[50:] = np.tile([SECOND, FIRST], 25)
    assert held_out_log_likelihood("constant", differences, answered, folds)[50:].mean() < -2.0
