"""A short fine-tuning: how well does a policy do after some practice, from a source or from scratch?

It begins as a run does: the critic is first fitted to what the policy does, and one from a source collects
rollouts for that beforehand. No critic comes with it, as that belongs to another reward. Where a reward was
learned for the target the policy follows that one, else the environment's own, which is then a reference like
``train``. Uses no store.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from rlhf.experience.rollout import Collected, Collector
from rlhf.experience.vector import VectorStepper
from rlhf.loop.config import RunConfig
from rlhf.loop.improve_policy import fit_critic
from rlhf.loop.score_rollout import score_steps
from rlhf.loop.take_over import num_warm_up, start_policy
from rlhf.policy.ppo import PPO
from rlhf.policy.transfer import Arrays
from rlhf.reward.endings import Endings, score_endings
from rlhf.reward.ensemble import RewardModel
from rlhf.seeding import generator
from rlhf.types.experience import Float32
from rlhf.types.task import ActionSpace, Task

_LAST = 0.25
"""Share of the practice, at its end, that is judged."""


def short_arm(
    task: Task,
    config: RunConfig,
    seed: int,
    steps: int,
    source: Arrays | None,
    reward: RewardModel | None,
    tick: Callable[[], object] = lambda: None,
) -> float:
    """Return the mean reward per step towards the end of so many steps of practice.

    Args:
        task: the target.
        config: settings of its runs.
        seed: decides environments and chance.
        steps: of the environment, in whole rollouts; at least one is made. What a source's critic is fitted
            to beforehand is not counted, no more than the exploration that a run from scratch begins with.
        source: a saved policy to start from, of the same hidden widths; None starts from scratch.
        reward: learned for the target; None takes the true one.
        tick: called before every rollout; may end the practice by raising.

    Raises:
        ConfigError: the source's hidden layers have other widths.
    """
    num_envs = config.collect.num_envs
    stepper = VectorStepper(task, num_envs, seed, stagger=True)
    settings = config.ppo if reward is None else config.following
    policy = PPO(settings, stepper.observation_dim, stepper.action_space, generator(seed, "policy"))
    collector, act = Collector(stepper), generator(seed, "act")
    rounds = max(1, steps // (num_envs * settings.num_steps))
    means = []

    def collect() -> tuple[Collected, _Paid]:
        tick()
        collected = collector.collect(policy, settings.num_steps, act)
        return collected, _pay(collected, reward, config, stepper.action_space)

    try:
        seen = []
        if source is not None:
            start_policy(policy, source, config, stepper.action_space)
            if settings.reference_kl:
                policy.hold_to_start(0.0)
            seen = [collect() for _ in range(num_warm_up(config))]
        for round_ in range(rounds):
            collected, paid = collect()
            if round_ == 0 and config.improve.refit_critic:
                _adopt(policy, config, [*seen, (collected, paid)])
            policy.update(
                collected.rollout,
                paid.followed,
                paid.absorbing,
                progress=round_ / rounds,
                min_advantage_sd=0.0 if reward is None else config.improve.min_advantage_sd,
            )
            means.append(_mean_reward(collected, paid, task.horizon))
    finally:
        stepper.close()
        policy.close()
    return float(np.mean(means[-max(1, round(_LAST * rounds)) :]))


class _Paid(NamedTuple):
    """What a rollout brings."""

    rewards: Float32
    """By which practice is judged, (T, N)."""
    endings: Endings
    """And after its terminations."""
    followed: Float32
    """What the policy follows, (T, N)."""
    absorbing: Float32
    """And in the absorbing state after each step, (T, N)."""


def _pay(collected: Collected, reward: RewardModel | None, config: RunConfig, space: ActionSpace) -> _Paid:
    rollout = collected.rollout
    if reward is None:
        paid = collected.rollout_true_rewards.astype(np.float32)
        nothing = Endings(*np.zeros((2, rollout.terminated.sum()), np.float32))
        return _Paid(paid, nothing, paid, np.zeros_like(paid))
    scored = score_steps(
        reward,
        space,
        rollout.observations,
        rollout.applied_actions(),
        rollout.next_observations,
        rollout.terminated,
        pessimism=reward.config.pessimism,
        discount=config.following.discount,
        ending_cost=config.improve.ending_cost,
    )
    last = rollout.next_observations[rollout.terminated]
    endings = score_endings(reward, space, last, pessimism=reward.config.pessimism)
    return _Paid(scored.rewards, endings, scored.followed, scored.absorbing_rewards)


def _adopt(policy: PPO, config: RunConfig, seen: Sequence[tuple[Collected, _Paid]]) -> None:
    """Fit the critic to a reward that it does not know yet."""
    known = seen if config.improve.relabel else seen[-1:]
    fit_critic(
        policy,
        config.improve,
        [collected.rollout for collected, _ in known],
        [paid.followed for _, paid in known],
        [paid.absorbing for _, paid in known],
    )


def _mean_reward(collected: Collected, paid: _Paid, horizon: int) -> float:
    """Return the mean reward per step, those in the absorbing state after a termination included.

    Without them a pole that falls at once would be worth as much as one that never does.
    """
    missing = [horizon - episode.num_steps for episode in collected.episodes if episode.terminated]
    if not sum(missing):
        return float(paid.rewards.mean())
    first, later = float(paid.endings.first.mean()), float(paid.endings.later.mean())
    after = sum(first + (steps - 1) * later for steps in missing if steps)
    return (float(paid.rewards.sum()) + after) / (paid.rewards.size + sum(missing))
