"""EnvPool's environments as tasks ``envpool:<Id>``, DeepMind's control suite among them.

EnvPool seeds an environment once, when it is made, and its resets go on from there. Here every episode gets
a new pool of one environment, so that it depends on its seed and its actions only and can be shown again.
Its episodes are not Gymnasium's, even under the same name: other random numbers, and states cannot be set.
"""

import difflib
import functools
import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt

from rlhf.errors import RenderError, TaskError
from rlhf.experience.spaces import flatten_observation, observation_size
from rlhf.types.experience import Float32

_PICTURE = {"render_width": 448, "render_height": 336}
"""Pixels: whole macroblocks of 16, which H.264 codes best."""


class EnvPoolEnv(gymnasium.Env):  # type: ignore[misc]  # Gymnasium is untyped here
    """One environment of EnvPool behind Gymnasium's interface, with flat observations.

    A step can be taken in two halves: between ``send`` and ``receive`` EnvPool's own thread computes it.
    """

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012  # as Gymnasium declares it

    def __init__(self, env_id: str, render_mode: str | None = None) -> None:
        """Look the environment up.

        Args:
            env_id: EnvPool's id, without a prefix.
            render_mode: ``rgb_array`` to be drawn, or None.

        Raises:
            TaskError: EnvPool or this environment of its is missing or of a kind that cannot be used.
        """
        try:
            import envpool
        except ImportError as error:
            raise TaskError(
                f"envpool:{env_id} needs EnvPool, which cannot be imported ({error}); "
                "install it with: pip install envpool"
            ) from error
        self.render_mode = render_mode
        self._id, self._make = env_id, envpool.make
        known = envpool.list_all_envs()
        if env_id not in known:
            near = difflib.get_close_matches(env_id, known, n=3, cutoff=0.4)
            hint = f"the closest are {', '.join(near)}" if near else f"it has {len(known)} others"
            raise TaskError(f"EnvPool has no environment {env_id!r}; {hint}.")
        spec = envpool.make_spec(env_id)
        self.horizon = int(getattr(spec.config, "max_episode_steps", 0))
        """Steps after which EnvPool cuts an episode; 0 where it does not say."""
        with warnings.catch_warnings(action="ignore"):  # bounds are rounded to float32
            self.action_space = spec.gymnasium_action_space
            parts = list(_leaves(spec.gymnasium_observation_space))
        size = sum(observation_size(space) for space in parts)
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (size,), np.float32)
        self._parts = parts
        self._pool: Any = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32, dict[str, Any]]:
        """Begin the episode of ``seed`` (31 bits; drawn at random when None)."""
        if seed is None:
            seed = int(self.np_random.integers(2**31))
        self.close()
        drawing = {} if self.render_mode is None else {"render_mode": self.render_mode, **_PICTURE}
        with warnings.catch_warnings(action="ignore"):  # the bounds again
            self._pool = self._make(
                self._id, env_type="gymnasium", num_envs=1, num_threads=1, seed=seed, **drawing
            )
            observation, _ = self._pool.reset()
        return self._flat(observation), {}

    def step(self, action: Any) -> tuple[Float32, float, bool, bool, dict[str, Any]]:
        """Take one step; return (observation, reward, terminated, truncated, {})."""
        self.send(action)
        return self.receive()

    def send(self, action: Any) -> None:
        """Begin a step."""
        self._pool.send(np.asarray(action, self.action_space.dtype)[None])

    def receive(self) -> tuple[Float32, float, bool, bool, dict[str, Any]]:
        """Wait for the step begun; return (observation, reward, terminated, truncated, {})."""
        observation, rewards, terminated, truncated, _ = self._pool.recv()
        return self._flat(observation), float(rewards[0]), bool(terminated[0]), bool(truncated[0]), {}

    def render(self) -> npt.NDArray[np.uint8]:
        """Return the picture (H, W, 3) of the present state, drawn by EnvPool.

        Raises:
            RenderError: there is no OpenGL, which EnvPool's MuJoCo environments are drawn with.
        """
        if type(self._pool).__bases__[0].__module__.startswith("envpool.mujoco"):
            _require_opengl()
        picture: npt.NDArray[np.uint8] = self._pool.render()[0]
        return picture

    def close(self) -> None:
        """Release the simulator."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _flat(self, observation: Any) -> Float32:
        values = zip(self._parts, _leaves(observation), strict=True)
        return np.concatenate([flatten_observation(space, value[0]) for space, value in values])


def _leaves(value: Any) -> Iterator[Any]:
    """Yield the arrays or spaces of nested dictionaries, in their order."""
    if isinstance(value, dict | gymnasium.spaces.Dict):
        for part in value.values():
            yield from _leaves(part)
    else:
        yield value


@functools.cache
def _require_opengl() -> None:
    """Load OpenGL by way of MuJoCo's Python package: where there is none, EnvPool would end the process.

    Raises:
        RenderError: there is none that draws without a screen.
    """
    hint = "Install libegl1 and libgl1-mesa-dri and start with MUJOCO_GL=egl, or choose another task."
    try:
        import mujoco

        mujoco.GLContext(8, 8).free()
    except Exception as error:  # each platform's binding has errors of its own
        raise RenderError(
            f"EnvPool draws MuJoCo with OpenGL, which does not work here: {error}. {hint}"
        ) from error
    if mujoco.GLContext.__module__.endswith("glfw"):
        raise RenderError(f"EnvPool draws MuJoCo with an OpenGL that needs no screen; none is chosen. {hint}")
