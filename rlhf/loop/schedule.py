"""When a synthetic teacher answers, the reward model is fitted anew and pessimism begins. Pure functions."""

import math

from rlhf.loop.config import RunConfig, ScheduleConfig


def labels_due(schedule: ScheduleConfig, steps: int) -> int:
    """Return how many answers a teacher should have given after ``steps`` environment steps.

    The initial share comes at once; the rest at a rate that falls as 1 / (1 + front_load x) with the share x
    of the labelling time gone, so that all are given by ``labels_end`` of the run.
    """
    initial = min(
        schedule.labels, max(schedule.initial_labels, round(schedule.initial_share * schedule.labels))
    )
    end = schedule.labels_end * schedule.total_steps
    gone = min(1.0, steps / end) if end > 0 else 1.0
    fall = schedule.front_load
    given = math.log1p(fall * gone) / math.log1p(fall) if fall else gone
    return initial + round((schedule.labels - initial) * given)


def session_size(schedule: ScheduleConfig, *, due: int, given: int) -> int:
    """Return how many questions to put to a teacher now: none until a whole session is due."""
    waiting = due - given
    is_last = due >= schedule.labels
    enough = max(schedule.session_labels, schedule.refit_share * given)
    return waiting if waiting >= enough or (is_last and waiting > 0) or given == 0 else 0


def is_fit_due(schedule: ScheduleConfig, *, comparisons: int, changes: int, fitted: int) -> bool:
    """Whether enough has been answered, taken back or replaced for the next reward version.

    Args:
        schedule: how much is enough.
        comparisons: answers that say something about an order now.
        changes: rows of answers since the last fit that may change what is learned.
        fitted: comparisons the last fit learned from; 0 before the first.
    """
    if fitted == 0:
        return comparisons >= schedule.first_answers
    return changes >= max(schedule.refit_answers, schedule.refit_share * fitted)


def pessimism(config: RunConfig, num_answers: int, progress: float) -> float:
    """Return kappa for a reward version that has learned from so many answers; below 0 of a curious policy.

    Early the ensemble disagrees about everything, and a policy that avoided that would never leave what it
    has been asked about.
    """
    is_late = num_answers >= config.improve.late_share * config.schedule.labels
    late = config.improve.late_pessimism if is_late else 0.0
    curiosity = config.improve.curiosity if progress < config.schedule.labels_end else 0.0
    return config.reward.pessimism + late - curiosity
