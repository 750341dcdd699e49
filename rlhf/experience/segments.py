"""Cutting fixed-length segments from episodes, with the absorbing state after an early termination. Pure."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rlhf.errors import ShapeError
from rlhf.types.experience import Episode, Replay, Segment


def num_starts(episode: Episode, length: int, horizon: int) -> int:
    """Return how many segments of ``length`` steps can be cut; they start at 0, 1, and so on.

    A segment never passes the end of a truncated episode or the horizon, and holds at least one real step.
    """
    if episode.terminated:
        return max(0, min(episode.num_steps, horizon - length + 1))
    return max(0, episode.num_steps - length + 1)


def cut(episode: Episode, start: int, length: int, horizon: int) -> Segment:
    """Return the steps ``start`` to ``start + length`` of an episode as a copy.

    After an early termination the rest is the absorbing state: the last observation and simulator state
    repeated, actions zero.

    Args:
        episode: where to cut.
        start: first step, below ``num_starts``.
        length: L, steps of the segment, absorbing ones included.
        horizon: steps of an episode with its absorbing ones.

    Raises:
        ShapeError: ``start`` is outside what this episode and length allow.
    """
    allowed = num_starts(episode, length, horizon)
    if not 0 <= start < allowed:
        raise ShapeError(
            f"a segment of {length} steps cannot start at step {start} of an episode of {episode.num_steps} "
            f"steps (terminated: {episode.terminated}, horizon {horizon}); {allowed} starts are allowed."
        )
    num_real = min(length, episode.num_steps - start)
    end = start + num_real
    actions = np.zeros((length, *episode.actions.shape[1:]), episode.actions.dtype)
    actions[:num_real] = episode.actions[start:end]
    states = episode.sim_states
    return Segment(
        observations=_repeat_last(episode.observations[start : end + 1], length + 1),
        actions=actions,
        absorbing=np.arange(length) >= num_real,
        policy_version=episode.policy_version,
        replay=Replay(
            reset_seed=episode.reset_seed,
            start=start,
            sim_states=None if states is None else _repeat_last(states[start : end + 1], length + 1),
            actions_from_reset=episode.actions[:end].copy() if states is None else None,
        ),
    )


def sample_segments(
    episodes: Sequence[Episode], count: int, length: int, horizon: int, rng: np.random.Generator
) -> list[Segment]:
    """Return ``count`` different segments, every (episode, start) being equally likely.

    Fewer only where the episodes hold no more; then all of them in random order.

    Raises:
        ShapeError: no episode is long enough for a segment.
    """
    starts = np.array([num_starts(episode, length, horizon) for episode in episodes], np.int64)
    total = int(starts.sum())
    if total == 0:
        raise ShapeError(
            f"none of the {len(episodes)} episodes holds a segment of {length} steps; collect longer ones."
        )
    picks = rng.choice(total, size=min(count, total), replace=False)
    ends = np.cumsum(starts)
    owners = np.searchsorted(ends, picks, side="right")
    return [
        cut(episodes[owner], int(pick - (ends[owner] - starts[owner])), length, horizon)
        for owner, pick in zip(owners, picks, strict=True)
    ]


def sample_endings(
    episodes: Sequence[Episode], count: int, length: int, horizon: int, rng: np.random.Generator
) -> list[Segment]:
    """Return segments that show how episodes ended, one of each that terminated, ``count`` at most.

    Any start from which the first absorbing step is still seen is equally likely.
    """
    ended = [e for e in episodes if e.terminated and num_starts(e, length, horizon)]
    picks = rng.choice(len(ended), size=min(count, len(ended)), replace=False) if ended else ()
    segments = []
    for episode in (ended[pick] for pick in picks):
        starts = num_starts(episode, length, horizon)
        first = min(max(0, episode.num_steps - length + 1), starts - 1)
        segments.append(cut(episode, int(rng.integers(first, starts)), length, horizon))
    return segments


def part_of(segment: Segment, start: int, length: int) -> Segment:
    """Return steps ``start`` to ``start + length`` of a longer segment as a copy.

    What goes beyond its end is the absorbing state, so only a segment that ends with its episode may be too
    short.

    Args:
        segment: L steps, such as a whole recorded episode.
        start: first step, from 0 to L - 1.
        length: steps of the part, absorbing ones included.

    Raises:
        ShapeError: ``start`` is outside the segment.
    """
    if not 0 <= start < segment.num_steps:
        raise ShapeError(f"a part cannot start at step {start} of a segment of {segment.num_steps} steps.")
    replay, end = segment.replay, min(start + length, segment.num_steps)
    absorbing = np.ones(length, np.bool_)
    absorbing[: end - start] = segment.absorbing[start:end]
    actions = np.zeros((length, *segment.actions.shape[1:]), segment.actions.dtype)
    actions[: end - start] = segment.actions[start:end]
    states, since_reset = replay.sim_states, replay.actions_from_reset
    if since_reset is not None:
        before = len(since_reset) - segment.num_real_steps
        since_reset = since_reset[: before + min(end, segment.num_real_steps)].copy()
    return Segment(
        observations=_repeat_last(segment.observations[start : end + 1], length + 1),
        actions=actions,
        absorbing=absorbing,
        policy_version=segment.policy_version,
        replay=Replay(
            reset_seed=replay.reset_seed,
            start=replay.start + start,
            sim_states=None if states is None else _repeat_last(states[start : end + 1], length + 1),
            actions_from_reset=since_reset,
        ),
    )


def part_around(recorded: Segment, step: int, length: int, horizon: int, *, terminated: bool) -> Segment:
    """Return the ``length`` steps of a recorded episode around one of them, or as near to it as it goes.

    Args:
        recorded: an episode from its start or, where somebody took over, from a later step on.
        step: of the recording, from 0; it comes to lie in the middle.
        length: L, steps of the part, absorbing ones included.
        horizon: steps of an episode with its absorbing ones.
        terminated: whether the episode ended by itself where the recording ends.

    Raises:
        ShapeError: the recording is too short.
    """
    num_real = recorded.num_real_steps
    num_steps = horizon - recorded.replay.start if terminated else num_real
    last = min(num_steps - length, num_real - 1)
    if last < 0:
        raise ShapeError(f"the recording has {num_real} steps; a part of {length} steps is not in it.")
    return part_of(recorded, max(0, min(step - length // 2, last)), length)


def window_starts(num_steps: int, length: int) -> list[int]:
    """Return where windows of ``length`` steps begin that cover an episode, each half over the one before.

    The last one ends with the episode; an episode shorter than a window has one at its start.
    """
    last = max(0, num_steps - length)
    return [*range(0, last, max(1, length // 2)), last]


def _repeat_last(array: npt.NDArray[Any], length: int) -> npt.NDArray[Any]:
    return array[np.minimum(np.arange(length), len(array) - 1)]
