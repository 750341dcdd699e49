"""Which implementation steps a task: the fastest that is faithful."""

from rlhf.experience.classic import CLASSIC_DYNAMICS, ClassicBatchedEnv
from rlhf.experience.envpool_batch import EnvPoolBatchedEnv
from rlhf.experience.gymnasium_batch import GymnasiumBatchedEnv
from rlhf.experience.mujoco_batch import MujocoBatchedEnv
from rlhf.experience.tasks import ENVPOOL_PREFIX
from rlhf.experience.true_rewards import MUJOCO_TRUE_REWARDS
from rlhf.types.protocols import BatchedEnv
from rlhf.types.task import Task, base_name


def make_batched_env(task: Task, num_envs: int) -> BatchedEnv:
    """Return the fastest ``BatchedEnv`` for a task that works within this process."""
    if base_name(task.name) in MUJOCO_TRUE_REWARDS:
        return MujocoBatchedEnv(task, num_envs)
    if has_vector_dynamics(task):
        return ClassicBatchedEnv(num_envs, task.env_id, task.changes)
    if task.env_id.startswith(ENVPOOL_PREFIX):
        return EnvPoolBatchedEnv(task, num_envs)
    return GymnasiumBatchedEnv(task, num_envs)


def has_vector_dynamics(task: Task) -> bool:
    """Return whether all environments of a task are stepped by the same few array operations."""
    return task.env_id in CLASSIC_DYNAMICS and not task.env_kwargs
