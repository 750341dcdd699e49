"""A run that begins takes what it was to take from another one."""

from rlhf.loop.collect_experience import collect_experience
from rlhf.loop.session import Session
from rlhf.policy.transfer import start_from
from rlhf.reward.ensemble import RewardModel
from rlhf.storage import answers, models, origins, runs
from rlhf.storage.engine import reading


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
        _take_policy(session, origin["policy"])
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
    for _ in range(session.config.collect.recent_rollouts - 1):
        collect_experience(session)


def _take_policy(session: Session, blob: str) -> None:
    arrays, _ = session.blobs.read_arrays(blob)
    policy = session.policy
    policy.load_state_dict(
        start_from(
            policy.state_dict(),
            policy.policy_arrays(),
            arrays,
            session.action_space,
            num_observed=_num_observed(session),
        )
    )


def _take_critic(session: Session, blob: str) -> int:
    """Take a critic and the scales it lives in; return the reward version that it belongs to."""
    arrays, details = session.blobs.read_arrays(blob)
    scales = details["values"] | {"observations.count": _num_observed(session)}
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


def _num_observed(session: Session) -> int:
    """Return what the source's scale of observations weighs: as much as the rollouts that are remembered.

    By all that the source had seen, it would never follow observations that are spread otherwise here.
    """
    collect = session.config.collect
    return collect.recent_rollouts * session.config.ppo.num_steps * collect.num_envs
