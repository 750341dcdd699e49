"""A short fine-tuning: how well does a policy do after some practice, from a source or from scratch?

Where a reward was learned for the target the policy follows that one, else the environment's own, which is
then a reference like ``train``. Uses no store.
"""

from collections.abc import Callable

import numpy as np

from rlhf.experience.rollout import Collected, Collector
from rlhf.experience.vector import VectorStepper
from rlhf.loop.config import RunConfig
from rlhf.policy.ppo import PPO
from rlhf.policy.transfer import Arrays, start_from
from rlhf.reward.endings import Endings, score_endings
from rlhf.reward.ensemble import RewardModel
from rlhf.reward.features import RewardInputs
from rlhf.seeding import generator
from rlhf.types.experience import Float32, Rollout
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
        steps: of the environment; at least one rollout is made.
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
    try:
        if source is not None:
            seen = num_envs * settings.num_steps
            own, space = policy.policy_arrays(), stepper.action_space
            policy.load_state_dict(start_from(policy.state_dict(), own, source, space, num_observed=seen))
            if settings.reference_kl:
                policy.hold_to_start(0.0)
        for round_ in range(rounds):
            tick()
            collected = collector.collect(policy, settings.num_steps, act)
            ended = collected.rollout.terminated
            if reward is None:
                rewards = collected.rollout_true_rewards.astype(np.float32)
                endings = Endings(*np.zeros((2, ended.sum()), np.float32))
            else:
                rewards, endings = _predicted(collected.rollout, reward, stepper.action_space)
            absorbing = np.zeros_like(rewards)
            absorbing[ended] = endings.per_step(settings.discount, cost=config.improve.ending_cost)
            policy.update(collected.rollout, rewards, absorbing, progress=round_ / rounds)
            means.append(_mean_reward(collected, rewards, endings, task.horizon))
    finally:
        stepper.close()
        policy.close()
    return float(np.mean(means[-max(1, round(_LAST * rounds)) :]))


def _mean_reward(collected: Collected, rewards: Float32, endings: Endings, horizon: int) -> float:
    """Return the mean reward per step, those in the absorbing state after a termination included.

    Without them a pole that falls at once would be worth as much as one that never does.
    """
    missing = [horizon - episode.num_steps for episode in collected.episodes if episode.terminated]
    if not sum(missing):
        return float(rewards.mean())
    first, later = float(endings.first.mean()), float(endings.later.mean())
    after = sum(first + (steps - 1) * later for steps in missing if steps)
    return (float(rewards.sum()) + after) / (rewards.size + sum(missing))


def _predicted(rollout: Rollout, reward: RewardModel, space: ActionSpace) -> tuple[Float32, Endings]:
    """Return the learned reward of each step (T, N), and those after its terminations."""
    inputs = RewardInputs.of(reward.config, space)
    features = inputs.steps(rollout.observations, rollout.applied_actions(), rollout.next_observations)
    rewards = reward.rewards(features.reshape(-1, features.shape[-1]))[0].reshape(rollout.terminated.shape)
    last = rollout.next_observations[rollout.terminated]
    return rewards, score_endings(reward, space, last, pessimism=reward.config.pessimism)
