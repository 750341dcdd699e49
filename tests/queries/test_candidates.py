import numpy as np
import pytest

from rlhf.queries.candidates import Candidates, propose

EPISODE = np.repeat(np.arange(40), 5)
VERSION = EPISODE // 10


def draw(
    count: int, seed: int = 0, share: float = 0.25, recent: int = 10, low: float = 0.0, **given: np.ndarray
) -> Candidates:
    episode = given.get("episode", EPISODE)
    return propose(
        episode,
        given.get("version", VERSION),
        count,
        recent_episodes=recent,
        new_versus_old_share=share,
        low_density_share=low,
        rarity=given.get("rarity", np.zeros(len(episode), np.float32)),
        num_even=given.get("num_even", len(episode)),
        rng=np.random.default_rng(seed),
    )


def test_no_pair_twice_and_no_segment_with_itself() -> None:
    pairs = draw(1000)
    unordered = np.sort(np.stack([pairs.first, pairs.second]), axis=0)
    assert len(np.unique(unordered, axis=1).T) == len(pairs) == 1000
    assert (pairs.first != pairs.second).all()


def test_near_pairs_are_recent_and_the_others_span_versions() -> None:
    pairs = draw(1000)
    is_recent = EPISODE >= 30
    both = is_recent[pairs.first] & is_recent[pairs.second]
    np.testing.assert_array_equal(both, pairs.near_on_policy)
    mixed = ~pairs.near_on_policy
    assert (is_recent[pairs.first] ^ is_recent[pairs.second])[mixed].all()
    assert (VERSION[pairs.first] != VERSION[pairs.second])[mixed].all()


def test_audits_are_made_only_of_what_was_drawn_evenly() -> None:
    pairs, same = draw(1000, num_even=np.int64(180)), draw(1000)
    np.testing.assert_array_equal(pairs.first, same.first)
    is_even = (pairs.first < 180) & (pairs.second < 180)
    np.testing.assert_array_equal(pairs.near_on_policy, same.near_on_policy & is_even)
    assert (same.near_on_policy & ~is_even).any()


def test_share_of_pairs_against_older_policies() -> None:
    # standard error sqrt(.25 * .75 / 1000) = .014
    assert 1.0 - draw(1000).near_on_policy.mean() == pytest.approx(0.25, abs=0.05)


def test_left_is_the_newer_one_half_of_the_time() -> None:
    pairs = draw(1000, share=1.0)
    mixed = ~pairs.near_on_policy
    newer_left = (EPISODE[pairs.first] > EPISODE[pairs.second])[mixed]
    assert newer_left.mean() == pytest.approx(0.5, abs=0.06)


def test_all_pairs_are_found_when_all_are_wanted() -> None:
    pairs = draw(1000, episode=np.zeros(7, np.int64), version=np.zeros(7, np.int64))
    assert len(pairs) == 21
    assert set(np.concatenate([pairs.first, pairs.second]).tolist()) == set(range(7))


@pytest.mark.parametrize("number", [0, 1])
def test_fewer_than_two_segments_make_no_pair(number: int) -> None:
    ages = np.zeros(number, np.int64)
    assert len(draw(10, episode=ages, version=ages)) == 0


def test_without_an_older_policy_all_pairs_are_near() -> None:
    assert draw(100, version=np.zeros_like(EPISODE)).near_on_policy.all()


def test_one_recent_segment_falls_back_to_all() -> None:
    pairs = draw(100, episode=np.arange(5), version=np.arange(5), recent=1)
    assert len(pairs) == 10


def test_low_density_pairs_show_one_rare_segment() -> None:
    rarity = np.where(np.arange(200) % 4 == 0, 2.0, 1.0).astype(np.float32)
    pairs = draw(400, share=0.0, low=1.0, rarity=rarity)
    assert (rarity[pairs.first] != rarity[pairs.second]).all()
    assert not pairs.near_on_policy.any()


def test_share_of_low_density_pairs() -> None:
    # standard error sqrt(.2 * .8 / 1000) = .013
    assert 1.0 - draw(1000, share=0.0, low=0.2).near_on_policy.mean() == pytest.approx(0.2, abs=0.05)


def test_same_seed_equal_other_seed_different() -> None:
    assert draw(50, seed=1).first.tolist() == draw(50, seed=1).first.tolist()
    assert draw(50, seed=1).first.tolist() != draw(50, seed=2).first.tolist()
