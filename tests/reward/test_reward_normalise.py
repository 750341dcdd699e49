import numpy as np

from rlhf.reward.normalise import combine_members, input_normaliser, output_normaliser


def test_inputs_get_mean_zero_and_deviation_one_over_all_blocks() -> None:
    rng = np.random.default_rng(0)
    blocks = [
        rng.normal(5.0, 3.0, (20, 10, 2)).astype(np.float32),
        rng.normal(-5.0, 1.0, (50, 2)).astype(np.float32),
    ]
    normaliser = input_normaliser(*blocks)
    rows = np.concatenate([normaliser(block).reshape(-1, 2) for block in blocks])
    np.testing.assert_allclose(rows.mean(axis=0), 0.0, atol=1e-5)
    np.testing.assert_allclose(rows.std(axis=0), 1.0, atol=1e-5)


def test_constant_columns_become_zero() -> None:
    rows = np.full((10, 1), 7.0, np.float32)
    assert not input_normaliser(rows)(rows).any()


def test_what_was_constant_says_nothing_when_it_changes_later() -> None:
    normaliser = input_normaliser(np.zeros((10, 1), np.float32))
    assert normaliser(np.array([[1.0], [-50.0]], np.float32)).tolist() == [[0.0], [0.0]]


def test_what_varies_only_in_what_nobody_compared_says_nothing() -> None:
    flags = np.array([[0.0], [1.0]], np.float32)
    assert not input_normaliser(np.zeros((10, 1), np.float32), flags)(flags).any()


def test_columns_come_in_when_data_shows_them_and_the_others_keep_their_scale() -> None:
    before = input_normaliser(np.array([[0.0, 7.0], [2.0, 7.0]], np.float32))
    now = before.completed_by(input_normaliser(np.array([[0.0, 0.0], [20.0, 4.0]], np.float32)))
    assert (now.mean.tolist(), now.sd.tolist()) == ([1.0, 2.0], [1.0, 2.0])
    assert now.mean.dtype == now.sd.dtype == np.float32


def test_inputs_far_out_are_clipped_and_left_alone_themselves() -> None:
    normaliser = input_normaliser(np.array([[-1.0], [1.0]], np.float32))
    far = np.array([[1e6], [-1e6]], np.float32)
    assert normaliser(far).tolist() == [[10.0], [-10.0]]
    assert far[0, 0] == 1e6


def test_every_member_gets_its_own_output_scale() -> None:
    outputs = np.array([[0.0, 2.0], [100.0, 500.0]], np.float32)
    assert output_normaliser(outputs)(outputs).tolist() == [[-1.0, 1.0], [-1.0, 1.0]]


def test_a_member_without_opinion_stays_without() -> None:
    outputs = np.zeros((1, 5), np.float32)
    assert not output_normaliser(outputs)(outputs).any()


def test_reward_is_the_clipped_mean_less_the_spread() -> None:
    # means 2 and 20, standard deviations 1 and 0
    normalised = np.array([[1.0, 20.0], [3.0, 20.0]], np.float32)
    reward, spread = combine_members(normalised, pessimism=0.5, clip=5.0)
    assert reward.tolist() == [1.5, 5.0]
    assert spread.tolist() == [1.0, 0.0]
