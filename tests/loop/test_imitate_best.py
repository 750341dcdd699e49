"""Self-imitation: episodes are ranked by the present reward, and the best of them are done again."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from rlhf.loop.evaluate_policy import predicted_return
from rlhf.loop.imitate_best import best_episodes
from rlhf.loop.iterate import iterate
from rlhf.loop.session import Session, open_session, save_checkpoint
from rlhf.ui.store import Store

Learn = Callable[..., Session]


def arrays(session: Session) -> dict[str, Any]:
    return session.policy.policy_arrays()


def test_the_best_are_those_that_the_present_reward_likes(learn: Learn) -> None:
    session = learn()
    reward = session.reward
    assert reward is not None
    known = [*session.memory.older, *session.memory.recent]
    worth = {e.reset_seed: predicted_return(reward, e, session.task, session.action_space) for e in known}
    best = best_episodes(session, reward)
    assert len(best) == max(1, round(0.1 * len(worth)))
    assert [e.reset_seed for e in best] == sorted(worth, key=worth.__getitem__, reverse=True)[: len(best)]


def test_a_new_reward_ranks_them_anew(learn: Learn) -> None:
    session = learn(**{"improve.self_imitation": 0.5})
    assert session.reward is not None
    before = dict(session.predicted_returns)
    assert before
    scale = session.reward.output_normaliser
    flipped = dataclasses.replace(scale, mean=-scale.mean, sd=-scale.sd)
    session.reward = dataclasses.replace(session.reward, output_normaliser=flipped)
    session.reward_version += 1
    session.reward_is_new = True
    iterate(session)
    seen_twice = before.keys() & session.predicted_returns.keys()
    assert seen_twice
    assert all(before[seed] != session.predicted_returns[seed] for seed in seen_twice)


def test_it_moves_the_policy_and_none_leaves_it(learn: Learn) -> None:
    plain, again, imitating = learn(), learn(), learn(**{"improve.self_imitation": 0.5})
    weights = [arrays(session)["weight_0"] for session in (plain, again, imitating)]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert np.abs(weights[0] - weights[2]).max() > 1e-5


def test_a_run_that_imitates_goes_on_from_its_checkpoint_bit_for_bit(store: Store, learn: Learn) -> None:
    session = learn(**{"improve.self_imitation": 0.5})
    save_checkpoint(session)
    again = open_session(store.engine, store.blobs, session.run_id, is_simulated=True)
    for one in (session, again):
        iterate(one)
    for name, array in arrays(session).items():
        np.testing.assert_array_equal(array, arrays(again)[name])
