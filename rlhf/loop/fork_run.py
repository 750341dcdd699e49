"""A run that starts from another: with its policy, critic, reward model or answers, in any combination.

Everything that is taken becomes the new run's own at once, so the source may go on, stop or be gone. Uses no
torch: pages call it too.
"""

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from rlhf.errors import ConfigError, NotFoundError
from rlhf.experience.tasks import get_task
from rlhf.loop.config import resolve
from rlhf.loop.copy_answers import copy_answers
from rlhf.loop.look_at_source import PARTS, Source, look_at_source
from rlhf.loop.start_run import check_teacher
from rlhf.policy.config import Update
from rlhf.policy.partial import check_update
from rlhf.policy.transfer import widths_of
from rlhf.storage import models, origins, runs
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading, writing

_CRITIC_ARRAYS = (("critic", "parameters"), ("observations", "mean"), ("observations", "variance"))


def fork_run(
    engine: sa.Engine,
    blobs: Blobs,
    source_id: str,
    *,
    task: str | None = None,
    take: Collection[str] | None = None,
    policy_version: int | None = None,
    update: Update = "all",
    seed: int = 0,
    teacher: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    by: str = "studio",
) -> str:
    """Add a run that starts from another and return its id; nothing happens before ``start_run``.

    Args:
        engine: of the store.
        blobs: where arrays are.
        source_id: the run to start from.
        task: of the new run; None: the source's.
        take: some of ``PARTS``; None: whatever fits.
        policy_version: which saved policy; None: see ``best_policy``.
        update: which parameters of the policy learn.
        seed: of the new run.
        teacher: a synthetic teacher that answers in it.
        overrides: settings that differ from the preset; for the same task the source's are kept as well.
        by: who does it, for the log of copied answers.

    Raises:
        NotFoundError: there is no such run or policy.
        ConfigError: something cannot be taken, or does not go together; nothing was added.
        TaskError, FeedbackError: the task or teacher cannot be used.
    """
    source = look_at_source(engine, blobs, source_id, task=task, policy_version=policy_version)
    taken = set(source.parts if take is None else take)
    _check_taken(source, taken)
    if teacher is not None:
        check_teacher(teacher, source.task.name)
    settings = _settings(source, taken, update, dict(overrides or {}))
    critic = _store_critic(engine, blobs, source) if "critic" in taken else None
    with reading(engine) as before, writing(engine) as connection:
        run_id = runs.insert_run(
            connection,
            task=source.task.name,
            goal=source.task.goal,
            seed=seed,
            teacher=teacher,
            overrides=settings,
            total_steps=resolve(source.task, settings).schedule.total_steps,
        )
        number = copy_answers(before, connection, source_id, run_id, by) if "answers" in taken else None
        reward_version = source.run["reward_version"] if "reward" in taken else None
        if reward_version is not None:
            _copy_reward(connection, source_id, run_id, reward_version)
        version, policy = source.policy_version if "policy" in taken else None, None
        if version is not None:
            policy = models.get_policy_version(connection, source_id, version)["arrays"]
        origins.insert_origin(
            connection,
            run_id,
            source_id,
            policy_version=version,
            policy=policy,
            critic=critic,
            reward_version=reward_version,
            num_answers=number,
        )
    return run_id


def _check_taken(source: Source, taken: set[str]) -> None:
    if unknown := taken - set(PARTS):
        raise ConfigError(f"{', '.join(sorted(unknown))} cannot be taken; what can be is {', '.join(PARTS)}.")
    if not taken:
        raise ConfigError(f"nothing is taken from run {source.run['id']}; start a new run, or name a part.")
    for part in PARTS:
        if part in taken and part in source.missing:
            raise ConfigError(
                f"the {part} of run {source.run['id']} cannot be taken for task {source.task.name!r}: "
                f"{source.missing[part]}."
            )


def _settings(source: Source, taken: set[str], update: Update, overrides: dict[str, Any]) -> dict[str, Any]:
    """Return the new run's settings: its networks and features must be those of what is taken."""
    own, target = get_task(source.run["task"]), source.task
    before = resolve(own, source.run["overrides"])
    settings = source.kept_settings | {"ppo.update": update, **overrides}
    if "policy" in taken:
        widths = widths_of(source.policy)
        check_update(update, len(widths) - 1, widths[0], source.observation_dim)
        settings.pop("demonstrations.clone", None)
        settings |= source.fitting_settings
    elif "critic" in taken:
        settings["ppo.hidden"] = list(before.ppo.hidden)
    if taken & {"reward", "answers"}:
        settings |= {f"reward.{name}": value for name, value in before.reward.inputs().items()}
    if "answers" in taken:  # so that a teacher gives as many new ones as it was to give in all
        settings["schedule.labels"] = resolve(target, settings).schedule.labels + source.num_answers
    return settings


def _copy_reward(connection: sa.Connection, source_id: str, run_id: str, version: int) -> None:
    row = models.get_reward_version(connection, source_id, version)
    models.insert_reward_version(
        connection,
        run_id,
        version,
        arrays=row["arrays"],
        num_answers=row["num_answers"],
        steps=0,
        report=row["report"],
    )
    runs.update_run(connection, run_id, reward_version=version)


def _store_critic(engine: sa.Engine, blobs: Blobs, source: Source) -> str:
    """Store the critic of the source's newest checkpoint as a blob of its own.

    The source may be running: where a checkpoint was just replaced, the one that replaced it is read.
    """
    run_id = source.run["id"]
    for _ in range(3):
        with reading(engine) as connection:
            newest = models.list_checkpoints(connection, run_id)[0]
        try:
            arrays, details = blobs.read_arrays(newest["arrays"])
        except NotFoundError:
            continue
        kept = {f"{part}.{name}": arrays[f"policy:{part}.{name}"] for part, name in _CRITIC_ARRAYS}
        values = {name: value for name, value in details["policy"].items() if name.startswith("returns.")}
        return blobs.write_arrays(kept, {"values": values, "reward_version": details["critic_reward"]})
    raise NotFoundError(f"the checkpoint of run {run_id} is replaced while it is read; try once more.")
