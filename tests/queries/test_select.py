import itertools

import numpy as np
import pytest

from rlhf.queries.candidates import Candidates, propose
from rlhf.queries.config import QueryConfig
from rlhf.queries.select import Predict, Selection, select, select_initial
from rlhf.types.feedback import QueryKind

NUM_SEGMENTS = 200
MOTIONS = np.random.default_rng(5).normal(size=(NUM_SEGMENTS, 6)).astype(np.float32)
NOTHING = np.empty((0, 2), np.int64)


def candidates(seed: int = 0, count: int = 300) -> Candidates:
    episode = np.arange(NUM_SEGMENTS) // 5
    return propose(
        episode,
        episode // 10,
        count,
        recent_episodes=20,
        new_versus_old_share=0.25,
        low_density_share=0.0,
        rarity=np.zeros(NUM_SEGMENTS, np.float32),
        num_even=NUM_SEGMENTS,
        rng=np.random.default_rng(seed),
    )


def known(member_probs: np.ndarray) -> Predict:
    """Predict just these probabilities, whatever is asked."""
    return lambda first, second: member_probs


def choose(member_probs: np.ndarray, count: int = 20, seed: int = 0, **settings: float | str) -> Selection:
    pool = candidates(count=member_probs.shape[1])
    config = QueryConfig(**settings)  # type: ignore[arg-type]
    rng = np.random.default_rng(seed)
    return select(pool, known(member_probs), MOTIONS, NOTHING, count, config, rng)


def random_probs(count: int = 300) -> np.ndarray:
    return np.random.default_rng(9).random((5, count)).astype(np.float32)


def kinds(selection: Selection, kind: QueryKind) -> np.ndarray:
    return np.array([each is kind for each in selection.kinds])


def test_no_segment_is_shared_within_a_batch() -> None:
    chosen = choose(random_probs())
    assert len(chosen) == 20
    assert len(set(chosen.first) | set(chosen.second)) == 40


def test_share_of_audits_holds_over_many_small_batches() -> None:
    audits = [kinds(choose(random_probs(), 5, seed), QueryKind.AUDIT).sum() for seed in range(200)]
    assert np.mean(audits) == pytest.approx(0.75, abs=0.1)


def test_audits_are_near_on_policy_and_blind_to_the_score() -> None:
    pool, probs = candidates(), random_probs()
    near = {
        (a, b) for a, b, is_near in zip(pool.first, pool.second, pool.near_on_policy, strict=True) if is_near
    }
    config = QueryConfig(audit_share=1.0)
    chosen = select(pool, known(probs), MOTIONS, NOTHING, 10, config, np.random.default_rng(1))
    other = select(pool, known(probs[:, ::-1]), MOTIONS, NOTHING, 10, config, np.random.default_rng(1))
    assert set(chosen.kinds) == {QueryKind.AUDIT}
    assert set(zip(chosen.first, chosen.second, strict=True)) <= near
    np.testing.assert_array_equal(chosen.first, other.first)


def test_active_queries_have_the_best_scores() -> None:
    probs = random_probs()
    chosen = choose(probs, 10, audit_share=0.0, repeat_percentile=0.0, look_alike_distance=0.0)
    best = np.sort(probs.std(axis=0))[::-1]
    assert chosen.scores.max() == pytest.approx(best[0])
    assert chosen.scores.min() >= best[40]  # at most 10 queries block the segments of others


def test_settled_ties_are_not_asked() -> None:
    probs = np.full((5, 300), 0.5, dtype=np.float32)
    probs[:, :8] = np.array([0.1, 0.3, 0.5, 0.7, 0.9], dtype=np.float32)[:, None]
    chosen = choose(probs, 20, audit_share=0.0, look_alike_distance=0.0)
    is_active = kinds(chosen, QueryKind.ACTIVE)
    assert 1 <= is_active.sum() <= 8
    assert (chosen.scores[is_active] > 0.2).all()


def test_a_model_that_knows_nothing_does_not_call_everything_a_tie() -> None:
    probs = (0.5 + 0.02 * np.random.default_rng(0).normal(size=(5, 300))).astype(np.float32)
    pool, config = candidates(count=300), QueryConfig(audit_share=0.0, look_alike_distance=0.0)
    asked = np.array([[0, 1]])
    for about_asked, is_decided in ((np.full((5, 1), 0.95), True), (np.full((5, 1), 0.51), False)):

        def predict(first: np.ndarray, second: np.ndarray, seen: np.ndarray = about_asked) -> np.ndarray:
            return seen.astype(np.float32) if len(first) == 1 else probs

        chosen = select(pool, predict, MOTIONS, asked, 20, config, np.random.default_rng(0))
        assert (len(chosen) < 20) is is_decided


def test_slots_without_a_question_worth_asking_stay_empty() -> None:
    chosen = choose(np.full((5, 300), 0.5, dtype=np.float32), 10, audit_share=0.2)
    assert chosen.kinds == (QueryKind.AUDIT,) * 2


def test_look_alike_pairs_are_not_asked() -> None:
    pool = Candidates(
        first=np.array([0, 2, 4]), second=np.array([1, 3, 5]), near_on_policy=np.ones(3, dtype=np.bool_)
    )
    motions = np.array([[0.0], [0.0], [0.0], [9.0], [20.0], [40.0]], dtype=np.float32)
    probs = np.array([[0.0, 0.3, 0.4], [1.0, 0.7, 0.6]], dtype=np.float32)
    config = QueryConfig(audit_share=0.0)
    chosen = select(pool, known(probs), motions, NOTHING, 1, config, np.random.default_rng(0))
    assert (chosen.first.tolist(), chosen.second.tolist()) == ([2], [3])


def test_repeats_give_way_to_different_questions() -> None:
    # pairs 0 and 1 ask the same thing with other segments, pair 2 something else; pairs 3 and 4 set the scale
    motions = np.array(
        [[0.0], [1.0], [0.01], [1.01], [50.0], [60.0], [80.0], [90.0], [70.0], [99.0]], np.float32
    )
    pool = Candidates(
        first=np.arange(0, 10, 2), second=np.arange(1, 10, 2), near_on_policy=np.ones(5, dtype=np.bool_)
    )
    probs = np.array([[0.0, 0.01, 0.2, 0.4, 0.4], [1.0, 0.99, 0.8, 0.6, 0.6]], dtype=np.float32)
    config = QueryConfig(audit_share=0.0, look_alike_distance=0.0, repeat_percentile=40.0)
    chosen = select(pool, known(probs), motions, NOTHING, 2, config, np.random.default_rng(0))
    assert set(chosen.first.tolist()) == {0, 4}


def test_no_candidates_give_no_queries() -> None:
    pool = candidates(count=0)
    rng = np.random.default_rng(0)
    assert len(select(pool, known(random_probs(0)), MOTIONS, NOTHING, 5, QueryConfig(), rng)) == 0


def test_same_generator_gives_the_same_queries() -> None:
    one, other = choose(random_probs(), seed=3), choose(random_probs(), seed=3)
    assert one.first.tolist() == other.first.tolist()
    assert one.kinds == other.kinds


def test_pairs_asked_before_are_not_asked_again() -> None:
    probs, pool = random_probs(), candidates()
    asked = np.stack([pool.second, pool.first], axis=1)[:299]  # with their sides swapped
    config = QueryConfig(audit_share=0.0, look_alike_distance=0.0)
    chosen = select(pool, known(probs), MOTIONS, asked, 20, config, np.random.default_rng(0))
    assert (chosen.first.tolist(), chosen.second.tolist()) == ([pool.first[299]], [pool.second[299]])


def test_one_rare_kind_of_behaviour_does_not_fill_a_batch() -> None:
    # ten segments far away, in a tenth of the pairs, and all of those contradict most
    motions = MOTIONS * 0.01
    motions[:10] += 50.0
    first, second = np.arange(100), np.arange(100, 200)
    pool = Candidates(first=first, second=second, near_on_policy=np.ones(100, np.bool_))
    probs = np.tile(np.array([[0.3], [0.7]], np.float32), 100)
    probs[:, :10] = [[0.0], [1.0]]

    def num_rare(share: float) -> int:
        settings = {"audit_share": 0.0, "repeat_percentile": 0.0, "look_alike_distance": 0.0}
        config = QueryConfig(num_clusters=2, cluster_share=share, **settings)
        rng = np.random.default_rng(0)
        chosen = select(pool, known(probs), motions, NOTHING, 10, config, rng)
        assert len(chosen) == 10
        return int((chosen.first < 10).sum())

    assert num_rare(1.0) == 10
    assert num_rare(0.3) == 3


def chained(audit_share: float, seed: int = 0) -> Selection:
    strength = np.random.default_rng(2).normal(size=(5, NUM_SEGMENTS))

    def predict(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        difference = strength[:, first] - strength[:, second]
        return (1.0 / (1.0 + np.exp(-difference))).astype(np.float32)

    config = QueryConfig(audit_share=audit_share, chain_length=4, cluster_share=1.0)
    return select(candidates(), predict, MOTIONS, NOTHING, 20, config, np.random.default_rng(seed))


def test_chained_queries_share_one_clip_with_the_next_and_none_is_kept() -> None:
    chosen = chained(audit_share=0.0)
    pairs = [set(pair) for pair in zip(chosen.first.tolist(), chosen.second.tolist(), strict=True)]
    shared = [one & other for one, other in itertools.pairwise(pairs)]
    assert len(pairs) == 20
    assert [len(s) for s in shared] == [1, 1, 1, 0] * 4 + [1, 1, 1]
    assert len(set.union(*pairs)) == 25  # five chains of five clips, none of them in more than two queries
    assert all(not (one & other) for one, other in itertools.pairwise(shared))


def test_sides_of_a_chain_are_drawn_anew() -> None:
    left = []
    for seed in range(20):
        chosen = chained(audit_share=0.0, seed=seed)
        for k in (row for row in range(19) if row % 4 != 3):
            left.append(chosen.first[k + 1] in (chosen.first[k], chosen.second[k]))
    # 300 links, standard error .03
    assert np.mean(left) == pytest.approx(0.5, abs=0.1)


def test_audits_are_in_no_chain() -> None:
    chosen = chained(audit_share=0.5)
    is_audit = kinds(chosen, QueryKind.AUDIT)
    audited = {*chosen.first[is_audit], *chosen.second[is_audit]}
    assert is_audit.sum() == 10
    assert len(audited) == 20
    assert not audited & {*chosen.first[~is_audit], *chosen.second[~is_audit]}


def choose_initial(motions: np.ndarray, count: int, asked: np.ndarray = NOTHING) -> Selection:
    return select_initial(motions, len(motions), asked, count, QueryConfig(), np.random.default_rng(0))


def test_identical_clips_are_no_initial_query() -> None:
    assert len(choose_initial(np.zeros((6, 2), np.float32), 3)) == 0


def test_initial_queries_cover_the_behaviour_with_new_segments() -> None:
    clusters = np.repeat(np.eye(8, dtype=np.float32) * 10.0, 25, axis=0)
    chosen = choose_initial(clusters, 4)
    assert chosen.kinds == (QueryKind.INITIAL,) * 4
    assert sorted(np.concatenate([chosen.first, chosen.second]) // 25) == list(range(8))


def test_initial_queries_reuse_segments_where_there_are_few() -> None:
    chosen = choose_initial(MOTIONS[:4], 10)
    pairs = {tuple(sorted(pair)) for pair in zip(chosen.first.tolist(), chosen.second.tolist(), strict=True)}
    assert len(pairs) == len(chosen) == 6


@pytest.mark.parametrize("number", [0, 1])
def test_fewer_than_two_segments_give_no_initial_queries(number: int) -> None:
    assert len(choose_initial(MOTIONS[:number], 3)) == 0


def test_shares_of_candidates_past_one_are_refused() -> None:
    with pytest.raises(ValueError, match="together"):
        QueryConfig(new_versus_old_share=0.6, low_density_share=0.5)


def test_unknown_acquisition_is_refused() -> None:
    with pytest.raises(ValueError, match="disagreement"):
        QueryConfig(acquisition="magic")
