"""From a source task to a target task with the soft Q-learner, and what that is worth.

What a comparison needs runs here too: the target from scratch, behind a frozen trunk of random weights, which
tells apart what the trunk knows from what any trunk would do, with all parameters, with the head alone, and
without the source's past episodes.
"""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np

from rlhf.config import override
from rlhf.errors import TaskError
from rlhf.evaluation.statistics import error_of_difference
from rlhf.experience.tasks import spaces_of
from rlhf.loop.learn_from_past import OtherReward, PastConfig, PastLearner, mean_return
from rlhf.loop.report import Progress, Stopwatch
from rlhf.parallel import peak_rss_mb
from rlhf.policy.partial import check_update
from rlhf.policy.soft_q import SoftQ
from rlhf.types.task import Task

Arm = Literal["scratch", "random trunk", "whole", "head", "no past", "partial", "guarded"]
ARMS: tuple[Arm, ...] = get_args(Arm)
SAME_SHAPE_ARMS: tuple[Arm, ...] = ("head", "no past")
"""A head alone cannot learn behind an adapter of chance, and of an unlike source no past is replayed."""
GUARD_SHARE = 0.4
"""Share of the steps for which the guard lets two learners compete: before that many have learned nothing."""
_DOUBT = 2.0
"""Standard errors by which the transfer is to be better: who is no better yet may well do worse later."""
_FINAL_EPISODES = 50
_WITHOUT_SOURCE: tuple[Arm, ...] = ("scratch", "random trunk")
_CHANGES: Mapping[Arm, Mapping[str, Any]] = MappingProxyType(
    {
        "scratch": {"q.update": "all"},
        "random trunk": {},
        "whole": {"q.update": "all"},
        "head": {"q.update": "head"},
        "no past": {"source_episodes": 0},
        "partial": {},
    }
)
"""What makes an arm differ from the configured transfer."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransferConfig:
    """A transfer."""

    source_steps: int = 20_000
    """Environment steps in the source task."""
    target: PastConfig = dataclasses.field(
        default_factory=lambda: dataclasses.replace(
            PastConfig(), q=dataclasses.replace(PastConfig().q, update="adapters+head")
        )
    )
    """How the target is learned, and the source too, but for its steps and what learns: everything."""


def transfer(
    source: Task,
    target: Task,
    config: TransferConfig,
    seed: int,
    arms: tuple[Arm, ...],
    progress: Progress,
    reward: OtherReward | None = None,
) -> dict[str, Any]:
    """Learn the source, then the target in each of the arms; report all.

    Args:
        source: is learned from scratch.
        target: may have other observations and actions.
        config: how.
        seed: of everything; all arms meet the same episodes.
        arms: ``guarded`` is what to use: it tries ``partial`` and ``scratch`` shortly and keeps the better.
            Those of ``SAME_SHAPE_ARMS`` are left out where the tasks have unlike shapes.
        progress: hears about each training run.
        reward: to learn the target from, by all arms, the source's past episodes relabelled by it; the guard
            goes by it too, and true returns of the target are only reported. None: the true reward.

    Raises:
        TaskError: a task has no true reward.
        ConfigError: the target observes other numbers, and what is to learn leaves its new adapter as it is.
    """
    for task in (source, target):
        if not task.has_true_reward:
            raise TaskError(f"task {task.name!r} has no true reward to learn from; choose another one.")
    shape, source_shape = spaces_of(target), spaces_of(source)
    # Before the source is learned, so that nobody waits for it in vain; its layers are adapter to head.
    check_update(config.target.q.update, len(config.target.q.hidden) + 1, source_shape[0], shape[0])
    watch = Stopwatch()
    everything = dataclasses.replace(config.target.q, update="all")
    first = dataclasses.replace(config.target, total_steps=config.source_steps, q=everything)
    teacher = _trained(PastLearner(source, first, seed), progress)
    if source_shape != shape:
        arms = tuple(arm for arm in arms if arm not in SAME_SHAPE_ARMS)
    found: dict[Arm, tuple[PastLearner, dict[str, Any]]] = {}
    for arm in arms:
        given = target, config.target, seed, teacher, reward
        if arm == "guarded":
            found[arm] = _guarded(*given, progress)
        else:
            found[arm] = _trained(_learner(arm, *given), progress), {}
    before = mean_return(source, teacher.q, _FINAL_EPISODES, seed)
    return {
        "source": source.name,
        "task": target.name,
        "seed": seed,
        "steps": config.target.total_steps,
        "source_steps": config.source_steps,
        "wall_s": round(watch.elapsed(), 3),
        "source_return": before,
        "arms": {
            arm: {
                **_report(learner),
                **extra,
                "source_return_after": mean_return(
                    source, _with_trunk(teacher.q, learner.q), _FINAL_EPISODES, seed
                ),
            }
            for arm, (learner, extra) in found.items()
        },
        "peak_rss_mb": round(peak_rss_mb(), 1),
    }


def _learner(
    arm: Arm, task: Task, config: PastConfig, seed: int, source: PastLearner, reward: OtherReward | None
) -> PastLearner:
    changed = override(config, _CHANGES[arm])
    learner = PastLearner(task, changed, seed, None if arm in _WITHOUT_SOURCE else source)
    if reward is not None:
        learner.relabel(reward)
    return learner


def _guarded(
    task: Task,
    config: PastConfig,
    seed: int,
    source: PastLearner,
    reward: OtherReward | None,
    progress: Progress,
) -> tuple[PastLearner, dict[str, Any]]:
    """Let a start from scratch compete with the transfer for a while; go on with one of them.

    Scratch acts, and both learn from what it sees, so that a source of no use takes no steps away. Once the
    transfer is clearly better than scratch has ever been, it acts for as long as that holds. Who acts at the
    end is kept. The episodes that the guard looks at are not counted as steps and are those of the reported
    curve, which is that of who is kept.
    """
    scratch, moved = (_learner(arm, task, config, seed, source, reward) for arm in ("scratch", "partial"))
    leader, best = scratch, -np.inf
    while scratch.steps < GUARD_SHARE * config.total_steps:
        if all(one.measure_if_due(progress) for one in (scratch, moved)):
            best = max(best, float(scratch.returns.mean()))
            doubt = _DOUBT * float(error_of_difference(moved.returns, scratch.returns))
            leader = moved if moved.returns.mean() - doubt > best else scratch
        seen = leader.collect()
        for learner in (scratch, moved):
            learner.learn(seen)
    (moved if leader is scratch else scratch).close()
    tried = {"transfer": float(moved.returns.mean()), "scratch": best}
    return _trained(leader, progress), {"kept": "transfer" if leader is moved else "scratch", "tried": tried}


def _trained(learner: PastLearner, progress: Progress) -> PastLearner:
    try:
        learner.train(learner.config.total_steps, progress)
    finally:
        learner.close()
    return learner


def _with_trunk(q: SoftQ, other: SoftQ) -> SoftQ:
    """Return a copy of ``q`` that acts by another's trunk, between its own adapter and head."""
    copy = SoftQ(q.config, *q.shape, np.random.default_rng(0))
    copy.start_from(q, np.random.default_rng(0))
    for mine, theirs in zip(copy.slow.matrices[1:-1], other.slow.matrices[1:-1], strict=True):
        mine[:] = theirs
    return copy


def _report(learner: PastLearner) -> dict[str, Any]:
    return {
        "update": learner.q.config.update,
        "trainable_share": learner.q.trainable_share(),
        **learner.measure(_FINAL_EPISODES),
        "curve": learner.curve,
    }
