import dataclasses

import numpy as np
import pytest
import torch
from synthetic_truths import make_problem as make_truth

from rlhf.reward.answer_model import ordinary
from rlhf.reward.chosen import Selection, unchosen
from rlhf.reward.config import RewardConfig
from rlhf.reward.ensemble import RewardModel
from rlhf.reward.fit import FitReport, fit
from rlhf.reward.linear import FALLBACK_SOURCE_RIDGE
from rlhf.reward.networks import mean_inputs
from rlhf.reward.normalise import input_normaliser
from rlhf.reward.prior import make_prior
from rlhf.reward.selection import make_problem, start_networks
from rlhf.reward.source import Source
from rlhf.types.experience import Float32
from rlhf.types.feedback import PreferenceData

CONFIG = RewardConfig(model_class="linear")


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> None:
    torch.set_num_threads(1)


def steps(data: PreferenceData) -> Float32:
    return data.features.reshape(-1, data.features.shape[-1])


def learned(data: PreferenceData, source: Source | None = None) -> tuple[RewardModel, FitReport]:
    return fit(data, steps(data), CONFIG, np.random.default_rng(0), source=source)


def some(data: PreferenceData, answers: slice) -> PreferenceData:
    return dataclasses.replace(
        data,
        first=data.first[answers],
        second=data.second[answers],
        prob_first=data.prob_first[answers],
        annotator=data.annotator[answers],
        strength=data.strength[answers],
    )


def agreement(model: RewardModel, data: PreferenceData) -> float:
    """Correlation with what all answers teach."""
    rewards = (one.member_rewards(steps(data)).mean(axis=0) for one in (model, learned(data)[0]))
    return float(np.corrcoef(*rewards)[0, 1])


@pytest.fixture(scope="module")
def data() -> PreferenceData:
    return make_truth("linear", 0, 200).data


@pytest.fixture(scope="module")
def source(data: PreferenceData) -> Source:
    model, _ = learned(some(data, slice(0, 150)))
    return Source(model=model, columns=np.arange(model.num_features))


def test_a_linear_source_is_read_off_exactly(data: PreferenceData, source: Source) -> None:
    normalise = input_normaliser(data.features)
    prior = make_prior(source, steps(data), normalise, np.random.default_rng(0))
    inputs = torch.from_numpy(normalise(data.features))
    found = mean_inputs(inputs, np.empty(0, np.int64)) @ prior.weights(np.empty(0, np.int64))
    said = source(steps(data)).reshape(data.features.shape[:2]).mean(axis=1)
    assert np.corrcoef(found, said)[0, 1] > 0.9999


@pytest.mark.parametrize("base", ["linear", "quadratic"])
def test_networks_start_at_returns_solved_with_the_source(
    data: PreferenceData, source: Source, base: str
) -> None:
    few = some(data, slice(150, 180))
    normalise = input_normaliser(few.features)
    prior = make_prior(source, steps(few), normalise, np.random.default_rng(0))
    problem = make_problem(few, normalise(few.features), ("quadratic",), prior=prior)
    network, training_set = start_networks(
        problem,
        ordinary(few, 0.1),
        np.ones((2, len(few)), np.float32),
        Selection(model_class=base, base=base, ridge=10.0, uses_source=True),  # type: ignore[arg-type]
        CONFIG,
        torch.Generator().manual_seed(0),
    )
    outputs = network.frozen()(normalise(steps(few)))
    returns = training_set.gain[:, None].numpy() * outputs.reshape(2, *few.features.shape[:2]).mean(axis=-1)
    expected = training_set.linear_returns.numpy()
    np.testing.assert_allclose(
        returns - returns.mean(axis=1, keepdims=True),
        expected - expected.mean(axis=1, keepdims=True),
        atol=2e-3,
    )


def test_with_a_strong_pull_the_reward_is_the_sources(data: PreferenceData, source: Source) -> None:
    few = some(data, slice(150, 158))
    model, report = learned(few, source)
    assert report.uses_source
    assert model.selection == unchosen("linear", start="source")
    assert model.selection.ridge == FALLBACK_SOURCE_RIDGE
    own = model.member_rewards(steps(data)).mean(axis=0)
    alone = learned(few)[0].member_rewards(steps(data)).mean(axis=0)
    theirs = source(steps(data))
    assert np.corrcoef(own, theirs)[0, 1] > 0.2 + np.corrcoef(alone, theirs)[0, 1]


def test_a_good_source_is_used_and_few_answers_go_further(data: PreferenceData, source: Source) -> None:
    few = some(data, slice(184, 200))
    helped, report = learned(few, source)
    assert report.uses_source
    assert agreement(helped, data) > agreement(learned(few)[0], data) + 0.02


def test_a_source_of_noise_does_no_harm(data: PreferenceData, source: Source) -> None:
    rng = np.random.default_rng(3)
    skip = rng.normal(size=source.model.network.skip.shape).astype(np.float32)
    network = dataclasses.replace(source.model.network, skip=skip)
    noise = Source(model=dataclasses.replace(source.model, network=network), columns=source.columns)
    few = some(data, slice(0, 60))
    misled, alone = (agreement(learned(few, start)[0], data) for start in (noise, None))
    assert misled > alone - 0.02


def test_the_opposite_of_a_source_is_learned_from_too(data: PreferenceData, source: Source) -> None:
    turned = dataclasses.replace(
        source.model, network=dataclasses.replace(source.model.network, skip=-source.model.network.skip)
    )
    opposite = Source(model=turned, columns=source.columns)
    model, report = learned(some(data, slice(184, 200)), opposite)
    assert report.uses_source
    assert np.corrcoef(model.member_rewards(steps(data)).mean(axis=0), source(steps(data)))[0, 1] > 0.8


def test_a_model_that_used_a_source_comes_back_from_the_store(data: PreferenceData, source: Source) -> None:
    model, _ = learned(some(data, slice(150, 175)), source)
    again = RewardModel.from_arrays(dict(model.to_arrays()))
    assert again.selection == model.selection
    np.testing.assert_array_equal(again.member_rewards(steps(data)), model.member_rewards(steps(data)))
