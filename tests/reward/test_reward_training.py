import dataclasses

import numpy as np
import torch
from synthetic_truths import make_problem

from rlhf.reward.answer_model import ordinary
from rlhf.reward.bootstrap import bootstrap_weights
from rlhf.reward.bradley_terry import evidence
from rlhf.reward.config import RewardConfig
from rlhf.reward.networks import EnsembleNetwork
from rlhf.reward.training import HeldOut, TrainingSet, train

CONFIG = RewardConfig(hidden=(16,))


def training_set(labels: str = "true") -> tuple[EnsembleNetwork, TrainingSet]:
    data = make_problem("linear", 0, 60, labels=labels).data  # type: ignore[arg-type]
    network = EnsembleNetwork(
        3,
        data.features.shape[-1],
        columns=np.empty(0, np.int64),
        hidden=(16,),
        generator=torch.Generator().manual_seed(0),
    )
    return network, TrainingSet(
        inputs=torch.from_numpy(data.features),
        said=evidence(data, ordinary(data, 0.1)),
        weights=torch.from_numpy(bootstrap_weights(data, 3, np.random.default_rng(0))),
        gain=torch.ones(3),
        linear_returns=torch.zeros(3, len(data.features)),
    )


def run(
    network: EnsembleNetwork, data: TrainingSet, config: RewardConfig = CONFIG, **options: object
) -> None:
    options = {"weight_decay": torch.full((3,), 0.1), "epochs": 10} | options
    train(network, data, config, torch.Generator().manual_seed(1), **options)  # type: ignore[arg-type]


def held_out(data: TrainingSet) -> HeldOut:
    return HeldOut(data, data.weights == 0, torch.Generator().manual_seed(2))


def test_training_foresees_answers_it_was_not_trained_on() -> None:
    network, data = training_set()
    tested = held_out(data)
    before = tested.log_prob(network).sum(dim=1)
    run(network, data, epochs=20)
    assert (tested.log_prob(network).sum(dim=1) > before).all()


def test_only_tested_answers_have_a_likelihood() -> None:
    network, data = training_set()
    log_prob = held_out(data).log_prob(network)
    assert torch.equal(log_prob < 0, data.weights == 0)


def test_training_stops_when_told_to() -> None:
    network, data = training_set()
    told: list[int] = []
    run(network, data, goes_on=lambda epoch: told.append(epoch) or epoch < 3)  # type: ignore[func-returns-value]
    once, _ = training_set()
    run(once, data, epochs=3)
    assert told == [0, 1, 2, 3]
    torch.testing.assert_close(network.weights[0], once.weights[0])


def test_the_end_is_told_too() -> None:
    network, data = training_set()
    told: list[int] = []
    run(network, data, epochs=2, goes_on=lambda epoch: told.append(epoch) or True)  # type: ignore[func-returns-value]
    assert told == [0, 1, 2]


def test_each_member_has_its_own_decay() -> None:
    network, data = training_set("random")
    run(network, data, weight_decay=torch.tensor([0.0, 0.0, 100.0]))
    sizes = network.weights[0].detach().abs().mean(dim=(1, 2))
    assert sizes[2] < 0.3 * sizes[:2].min()


def test_crops_change_what_is_seen_and_nothing_else() -> None:
    network, data = training_set()
    tested = held_out(data)
    before = tested.log_prob(network).sum()
    run(network, data, RewardConfig(hidden=(16,), crops=True))
    assert tested.log_prob(network).sum() > before


def test_the_linear_term_is_left_as_it_was_solved() -> None:
    network, data = training_set()
    before = network.skip.detach().clone()
    run(network, data)
    assert torch.equal(network.skip, before)


def test_what_the_linear_term_explains_is_not_learned_again() -> None:
    explained, data = training_set()
    answered = torch.from_numpy(make_problem("linear", 0, 60).data.prob_first)
    returns = torch.zeros(120)
    returns[data.said.segments[:, 0]] = 20.0 * (2.0 * answered - 1.0)  # agrees with every answer
    ahead = dataclasses.replace(data, linear_returns=returns.expand(3, -1))
    start = explained.weights[-1].detach().clone()
    run(explained, ahead, weight_decay=torch.zeros(3))
    fresh, _ = training_set()
    run(fresh, data, weight_decay=torch.zeros(3))
    moved = [float((net.weights[-1].detach() - start).abs().mean()) for net in (explained, fresh)]
    assert moved[0] < 0.2 * moved[1]
