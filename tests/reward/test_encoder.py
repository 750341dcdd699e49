import dataclasses

import numpy as np
import torch
from synthetic_truths import make_problem

from rlhf.reward.config import RewardConfig
from rlhf.reward.encoder import MIN_SEQUENCES, Encoder, sequences_of, train_encoder
from rlhf.reward.ensemble import RewardModel
from rlhf.reward.fit import FitReport, fit

CONFIG = RewardConfig(model_class="encoded", max_epochs=5, hidden=(16,), weight_decays=(0.1,))


def pendulum_sequences(count: int = 60) -> np.ndarray:
    """Steps of a swinging pendulum: the next angle follows from angle and speed, bent by the sine."""
    rng = np.random.default_rng(0)
    angle, speed = rng.uniform(-3, 3, count), rng.normal(size=count)
    steps = []
    for _ in range(60):
        speed = 0.99 * speed - 0.3 * np.sin(angle)
        angle = angle + 0.3 * speed
        steps.append(np.stack([np.sin(angle), np.cos(angle), speed], axis=-1))
    episodes = np.stack(steps, axis=1).astype(np.float32)
    return np.concatenate([sequences_of(episode) for episode in episodes])


def unexplained(encoder: Encoder, sequences: np.ndarray) -> float:
    """Return the share of later changes that no linear reading of the codes explains."""
    with torch.no_grad():
        codes = encoder(torch.from_numpy(sequences[:, 0])).double().numpy()
    changes = (sequences[:, 1:] - sequences[:, :1]).reshape(len(sequences), -1).astype(np.float64)
    changes -= changes.mean(axis=0)
    left = changes - codes @ np.linalg.lstsq(codes, changes, rcond=None)[0]
    return float((left.var(axis=0) / changes.var(axis=0)).mean())


def test_sequences_are_steps_with_those_that_follow() -> None:
    sequences = sequences_of(np.arange(8, dtype=np.float32)[:, None])
    assert sequences[..., 0].tolist() == [[0, 1, 5], [1, 2, 6], [2, 3, 7]]


def test_an_episode_that_is_too_short_has_no_sequences() -> None:
    assert sequences_of(np.zeros((4, 2), np.float32)).shape == (0, 3, 2)


def test_trained_codes_foretell_what_follows() -> None:
    sequences = pendulum_sequences()
    trained = train_encoder(sequences, torch.Generator().manual_seed(0))
    raw = Encoder(3, torch.Generator().manual_seed(0))
    assert unexplained(trained, sequences) < 0.5 * unexplained(raw, sequences)


def learned(num_sequences: int, config: RewardConfig = CONFIG) -> tuple[RewardModel, FitReport]:
    data = make_problem("linear", 0, 60).data
    size = data.features.shape[-1]
    sequences = np.random.default_rng(1).normal(size=(num_sequences, 3, size)).astype(np.float32)
    reference = data.features.reshape(-1, size)
    return fit(data, reference, config, np.random.default_rng(0), sequences=sequences)


def test_a_stored_model_has_its_encoder() -> None:
    model, report = learned(MIN_SEQUENCES)
    assert report.model_class == "encoded"
    again = RewardModel.from_arrays(model.to_arrays())
    features = make_problem("linear", 1, 10).data.features
    np.testing.assert_array_equal(again.member_returns(features), model.member_returns(features))


def test_too_few_steps_make_no_encoder() -> None:
    assert learned(MIN_SEQUENCES - 1)[1].model_class == "mlp"


def test_the_encoder_is_not_tried_unasked() -> None:
    _, report = learned(MIN_SEQUENCES, dataclasses.replace(CONFIG, model_class="auto"))
    assert [score.model_class for score in report.candidates] == ["linear", "quadratic", "mlp"]
