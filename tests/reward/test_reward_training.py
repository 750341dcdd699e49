import numpy as np
import torch
from synthetic_truths import make_problem

from rlhf.reward.config import RewardConfig
from rlhf.reward.networks import EnsembleNetwork
from rlhf.reward.training import TrainingSet, bootstrap_weights, holds_out, train
from rlhf.types.feedback import PreferenceData


def comparisons(count: int, *, num_segments: int = 400) -> PreferenceData:
    pairs = np.arange(2 * count, dtype=np.int64) % num_segments
    return PreferenceData(
        features=np.zeros((num_segments, 2, 1), np.float32),
        first=pairs[::2],
        second=pairs[1::2],
        prob_first=np.ones(count, np.float32),
        annotator=np.zeros(count, np.int64),
    )


def test_bootstrap_leaves_about_one_in_e_out() -> None:
    weights = bootstrap_weights(comparisons(200), 50, np.random.default_rng(0))
    assert abs((weights == 0).mean() - np.exp(-1)) < 0.02
    assert abs(weights.mean() - 1.0) < 0.03


def test_every_member_keeps_a_comparison() -> None:
    assert (bootstrap_weights(comparisons(10), 5000, np.random.default_rng(0)).sum(axis=1) >= 1).all()


def test_few_answers_are_all_used_by_every_member() -> None:
    weights = bootstrap_weights(comparisons(9), 20, np.random.default_rng(0))
    assert set(np.unique(weights)) == {1.0, 2.0}
    assert not holds_out(weights)


def test_repeated_answers_about_a_pair_stay_together() -> None:
    data = comparisons(40, num_segments=20)  # ten pairs, four answers each
    weights = bootstrap_weights(data, 5, np.random.default_rng(0))
    np.testing.assert_array_equal(weights[:, :10], weights[:, 30:])


def training_set(config: RewardConfig, labels: str = "true") -> tuple[EnsembleNetwork, TrainingSet]:
    data = make_problem("linear", 0, 60, labels=labels).data  # type: ignore[arg-type]
    weights = bootstrap_weights(data, config.num_members, np.random.default_rng(0))
    network = EnsembleNetwork(config, data.features.shape[-1], torch.Generator().manual_seed(0))
    return network, TrainingSet(
        inputs=torch.from_numpy(data.features),
        first=torch.from_numpy(data.first),
        second=torch.from_numpy(data.second),
        prob_first=torch.from_numpy(data.prob_first),
        weights=torch.from_numpy(weights),
        gain=torch.ones(config.num_members),
    )


def test_members_stop_on_their_own_and_get_their_best_weights_back() -> None:
    config = RewardConfig(max_epochs=60, patience=5)
    network, data = training_set(config)
    long_epochs = train(network, data, config, torch.Generator().manual_seed(1))
    assert len(set(long_epochs.tolist())) > 1
    # stopping the whole fit where a member stopped must leave that member as it was given back
    member = int(long_epochs.argmin())
    short = RewardConfig(max_epochs=int(long_epochs[member]), patience=5)
    other, data = training_set(short)
    train(other, data, short, torch.Generator().manual_seed(1))
    assert long_epochs[member] > 0
    torch.testing.assert_close(network.skip[member], other.skip[member])


def test_random_answers_stop_early() -> None:
    config = RewardConfig(patience=5)
    network, data = training_set(config, "random")
    assert train(network, data, config, torch.Generator().manual_seed(1)).max() < 40


def test_crops_change_what_is_seen_and_nothing_else() -> None:
    config = RewardConfig(crops=True, max_epochs=10)
    network, data = training_set(config)
    epochs = train(network, data, config, torch.Generator().manual_seed(1))
    assert (epochs > 0).any()
    assert all(torch.isfinite(parameter).all() for parameter in network.parameters())
