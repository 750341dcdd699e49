"""A run that begins takes what it was to take from another one."""

from rlhf.loop.collect_experience import collect_experience
from rlhf.loop.config import RunConfig
from rlhf.loop.session import Session
from rlhf.policy.ppo import PPO
from rlhf.policy.transfer import Arrays, start_from
from rlhf.reward.ensemble import RewardModel
from rlhf.storage import answers, models, origins, runs
from rlhf.storage.engine import reading
from rlhf.types.task import ActionSpace


def take_over(session: Session) -> bool:
    """Let a run that begins act, value and judge as its origin says; return whether it has a policy now.

    A reward that was taken is adopted with the first rollout, as a new version is, unless the critic that
    belongs to it came too.
    """
    with reading(session.engine) as connection:
        origin = origins.find_origin(connection, session.run_id)
    if origin is None:
        return False
    known_reward = _take_critic(session, origin["critic"]) if origin["critic"] else 0
    if origin["policy"]:
        arrays, _ = session.blobs.read_arrays(origin["policy"])
        start_policy(session.policy, arrays, session.config, session.action_space)
    if origin["reward_version"] is not None:
        _take_reward(session, origin["reward_version"], known_reward, origin["num_answers"] is not None)
    parts = ", ".join(origins.taken(origin))
    with session.writing() as connection:
        message = f"Started from run {origin['source_id']} with its {parts}."
        runs.add_event(connection, session.run_id, session.steps, "origin", message)
    return origin["policy"] is not None


def warm_up(session: Session) -> None:
    """Collect what a critic is fitted to, all at once, before the policy moves.

    With one that knows nothing the first updates would undo what the policy has from elsewhere.
    """
    for _ in range(num_warm_up(session.config)):
        collect_experience(session)


def num_warm_up(config: RunConfig) -> int:
    """Return the rollouts that a critic is fitted to beside the first one that the policy learns from."""
    return config.collect.recent_rollouts - 1


def start_policy(policy: PPO, source: Arrays, config: RunConfig, action_space: ActionSpace) -> None:
    """Let a policy that begins act as a saved one did, as far as that fits.

    Args:
        policy: that begins.
        source: the saved one, from ``policy_arrays``.
        config: of the run.
        action_space: of the run's task.

    Raises:
        ConfigError: the hidden layers are not of the same widths.
    """
    own, num_observed = policy.policy_arrays(), _num_observed(config)
    policy.load_state_dict(
        start_from(policy.state_dict(), own, source, action_space, num_observed=num_observed)
    )


def _take_critic(session: Session, blob: str) -> int:
    """Take a critic and the scales it lives in; return the reward version that it belongs to."""
    arrays, details = session.blobs.read_arrays(blob)
    scales = details["values"] | {"observations.count": _num_observed(session.config)}
    session.policy.load_state_dict(session.policy.state_dict() | arrays | scales)
    return int(details["reward_version"])


def _take_reward(session: Session, version: int, known_reward: int, with_answers: bool) -> None:
    with reading(session.engine) as connection:
        row = models.get_reward_version(connection, session.run_id, version)
        newest = answers.last_id(connection, session.run_id)
    session.begin_with(RewardModel.from_arrays(session.blobs.read_arrays(row["arrays"])[0]))
    session.reward_version = version
    session.reward_is_new = known_reward != version
    session.critic_reward = 0 if session.reward_is_new else version
    if with_answers:  # they are what it was fitted to
        session.fitted, session.fitted_id = row["num_answers"], newest
    with session.writing() as connection:
        runs.update_run(connection, session.run_id, reward_version=version)


def _num_observed(config: RunConfig) -> int:
    """Return what the source's scale of observations weighs: as much as the rollouts that are remembered.

    By all that the source had seen, it would never follow observations that are spread otherwise here.
    """
    return config.collect.recent_rollouts * config.ppo.num_steps * config.collect.num_envs
