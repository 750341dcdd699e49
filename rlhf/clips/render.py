"""Turns segments into frames by showing the recorded states again; nothing is simulated anew if avoidable.

Frame k shows the observation at step ``k * frame_skip``. Once the episode has ended, the last real state
stays in the picture, greyed, so that an annotator sees that nothing more happens.
"""

import itertools
from collections.abc import Iterator

import numpy as np

from rlhf.clips.resize import Frame
from rlhf.clips.scenes import Drawing, Scene, make_scene
from rlhf.errors import RenderError
from rlhf.types.experience import Actions, Bool, Segment
from rlhf.types.protocols import EnvFactory
from rlhf.types.task import Task

_DESCRIPTIONS = {
    "environment": "drawn by the environment itself",
    "painter": "drawn by the painter (no graphics library needed)",
    "opengl": "drawn by MuJoCo with OpenGL",
}

_WARM_UP_FRAMES = 8
"""Frames drawn and thrown away before a replay's first one: LunarLander's sparks burn out by being drawn."""


def ended_at_frame(segment: Segment, frame_skip: int) -> int | None:
    """Return the first frame that shows the absorbing state, or None where the episode goes on to the end."""
    ended = np.flatnonzero(_in_absorbing_state(segment)[::frame_skip])
    return int(ended[0]) if len(ended) else None


class SegmentRenderer:
    """Draws the segments of one task. Keep it in one thread: graphics contexts belong to a thread."""

    def __init__(self, task: Task, make_env: EnvFactory, drawing: Drawing = "auto") -> None:
        """Make the environment to draw with.

        Args:
            task: gives ``frame_skip``.
            make_env: makes the task's environment.
            drawing: ``painter`` or ``opengl`` forces one for MuJoCo environments.

        Raises:
            RenderError: the environment cannot be drawn.
        """
        self._task = task
        self._scene: Scene = make_scene(make_env, drawing)

    @property
    def name(self) -> str:
        """Which drawing is used: ``environment``, ``painter`` or ``opengl``."""
        return self._scene.name

    def describe(self) -> str:
        """Return a line for people: the task and how it is drawn."""
        return f"{self._task.name}: {_DESCRIPTIONS[self.name]}"

    def frames(self, segment: Segment) -> Frame:
        """Return the segment as frames, uint8 (F, H, W, 3) with F = L // frame_skip + 1 and even sides.

        Raises:
            RenderError: the segment does not fit the environment.
        """
        ended = _in_absorbing_state(segment)[:: self._task.frame_skip]
        steps = np.minimum(np.arange(len(ended)) * self._task.frame_skip, segment.num_real_steps)
        wanted, shows = np.unique(steps, return_inverse=True)
        pictures = self._draw(segment, wanted.tolist())
        first = next(pictures)
        frames = np.empty((len(steps), *first.shape), np.uint8)  # at once: long episodes take half a gigabyte
        for index, picture in enumerate(itertools.chain([first], pictures)):
            frames[shows == index] = picture
        if ended[-1]:
            frames[ended] = dim(frames[-1])
        return frames

    def close(self) -> None:
        """Release the environment and its graphics."""
        self._scene.close()

    def _draw(self, segment: Segment, wanted: list[int]) -> Iterator[Frame]:
        """Draw the observations at ``wanted`` steps of the segment, in ascending order."""
        replay = segment.replay
        if replay.sim_states is not None:
            return map(self._scene.draw_state, replay.sim_states[wanted])
        if replay.actions_from_reset is None:
            raise RenderError("the segment has neither simulator states nor actions to be shown from.")
        first = len(replay.actions_from_reset) - segment.num_real_steps
        if segment.num_real_steps and first != replay.start:
            raise RenderError(
                f"a segment of {segment.num_real_steps} real steps that starts at step {replay.start} needs "
                f"{replay.start + segment.num_real_steps} actions from the reset; "
                f"it has {len(replay.actions_from_reset)}."
            )
        due = [first + step for step in wanted]
        return self._replay(replay.reset_seed, replay.actions_from_reset, due)

    def _replay(self, seed: int, actions: Actions, due: list[int]) -> Iterator[Frame]:
        """Step the environment from its reset and draw the episode's steps that are ``due``."""
        env, skip = self._scene.env, self._task.frame_skip
        has_sparks = hasattr(env.unwrapped, "particles")
        warm_up = {due[0] - k * skip for k in range(1, _WARM_UP_FRAMES + 1)} if has_sparks else set()
        drawn = set(due)
        env.reset(seed=seed)
        for step in range(due[-1] + 1):
            if has_sparks:  # made only while something renders; hundreds of old ones would slow the replay
                env.unwrapped.render_mode = "rgb_array" if step >= min(warm_up) else None
            if step in drawn:
                yield self._scene.draw_env()
            elif step in warm_up:
                self._scene.draw_env()
            if step < due[-1]:
                env.step(actions[step])


def _in_absorbing_state(segment: Segment) -> Bool:
    """Return, for each of the L+1 observations, whether it lies after the end of the episode."""
    return np.concatenate([segment.absorbing[:1], segment.absorbing])


def dim(frame: Frame) -> Frame:
    """Return the picture nearly without colour, darker and with less contrast."""
    grey = frame.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    mixed = 0.2 * frame + 0.8 * grey[..., None]
    return (28.0 + 0.5 * mixed).astype(np.uint8)
