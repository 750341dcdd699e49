"""How the present state of an environment becomes a picture: its own drawing, the painter or OpenGL."""

import math
import warnings
from typing import Any, Literal, Protocol

import numpy as np
from av.video.reformatter import VideoReformatter

from rlhf.clips import classic
from rlhf.clips.camera import choose_camera
from rlhf.clips.painter import Painter, can_paint, floor_height
from rlhf.clips.resize import Frame, fit_frame
from rlhf.errors import RenderError
from rlhf.types.experience import Float64
from rlhf.types.protocols import EnvFactory

Drawing = Literal["auto", "painter", "opengl"]

WIDTH, HEIGHT = 448, 336
"""Size of MuJoCo pictures in pixels: whole macroblocks of 16, which H.264 codes best."""


class Scene(Protocol):
    """One environment, ready to be drawn."""

    env: Any
    """The Gymnasium environment; ``step`` it to draw a replay."""

    @property
    def name(self) -> str:
        """``environment``, ``painter`` or ``opengl``."""

    def draw_state(self, sim_state: Float64) -> Frame:
        """Return the picture of a simulator state (S,)."""

    def draw_env(self) -> Frame:
        """Return the picture of the state ``env`` is in."""

    def close(self) -> None:
        """Release the environment and its graphics."""


def make_scene(make_env: EnvFactory, drawing: Drawing = "auto") -> Scene:
    """Return the scene that suits an environment.

    A MuJoCo model whose solids the painter knows is painted: on processors that is faster than OpenGL and
    the same everywhere. Other models (meshes, height fields) use OpenGL where it works.

    Args:
        make_env: makes the environment.
        drawing: ``painter`` or ``opengl`` forces one for MuJoCo environments.

    Raises:
        RenderError: the environment cannot draw itself, or OpenGL was asked for and does not work.
    """
    env = make_env(render_mode=None)
    if not _is_mujoco(env.unwrapped):
        env.close()
        return _EnvScene(make_env)
    if drawing == "painter" or (drawing == "auto" and can_paint(env.unwrapped.model)):
        return _MujocoScene(env, "painter")
    try:
        return _MujocoScene(env, "opengl")
    except RenderError:
        if drawing == "opengl":
            env.close()
            raise
        return _MujocoScene(env, "painter")


class _EnvScene:
    """An environment that draws itself."""

    name = "environment"

    def __init__(self, make_env: EnvFactory) -> None:
        self.env = make_env(render_mode="rgb_array")
        modes = self.env.metadata.get("render_modes", [])
        if "rgb_array" not in modes:
            self.env.close()
            raise RenderError(
                f"{type(self.env.unwrapped).__name__} can render {modes or 'nothing'}; 'rgb_array' is needed "
                "to make clips. Choose another environment or add that mode to it."
            )
        classic.set_picture_size(self.env.unwrapped)
        self.env.reset(seed=0)
        self._scaler = VideoReformatter()

    def draw_state(self, sim_state: Float64) -> Frame:
        classic.place(self.env.unwrapped, sim_state)
        return self.draw_env()

    def draw_env(self) -> Frame:
        return fit_frame(classic.draw(self.env), self._scaler)

    def close(self) -> None:
        self.env.close()


class _MujocoScene:
    """A MuJoCo environment, drawn from a copy of its state so that the simulation is left as it is."""

    def __init__(self, env: Any, name: Literal["painter", "opengl"]) -> None:
        import mujoco

        self.env = env
        self.name = name
        self._forward = mujoco.mj_forward
        self._model = env.unwrapped.model
        self._data = mujoco.MjData(self._model)
        self._forward(self._model, self._data)
        kind = Painter if name == "painter" else _OpenGL
        self._drawer: Painter | _OpenGL = kind(self._model, self._data, WIDTH, HEIGHT)

    def draw_state(self, sim_state: Float64) -> Frame:
        nq, nv = int(self._model.nq), int(self._model.nv)
        if sim_state.shape != (nq + nv,):
            raise RenderError(
                f"a simulator state of {type(self.env.unwrapped).__name__} has {nq} positions and {nv} "
                f"velocities; this one has shape {sim_state.shape}."
            )
        self._data.qpos[:], self._data.qvel[:] = sim_state[:nq], sim_state[nq:]
        return self._draw()

    def draw_env(self) -> Frame:
        live = self.env.unwrapped.data
        self._data.qpos[:], self._data.qvel[:] = live.qpos, live.qvel
        self._data.mocap_pos[:], self._data.mocap_quat[:] = live.mocap_pos, live.mocap_quat
        return self._draw()

    def close(self) -> None:
        if isinstance(self._drawer, _OpenGL):
            self._drawer.close()
        self.env.close()

    def _draw(self) -> Frame:
        self._forward(self._model, self._data)
        return self._drawer.draw(self._data)


class _OpenGL:
    """MuJoCo's own renderer with the effects off that a software OpenGL spends its time on."""

    def __init__(self, model: Any, data: Any, width: int, height: int) -> None:
        import mujoco

        self._camera = choose_camera(model, data, floor_height(model, data), width, height)
        # Read when the context is made: no shadow map, no multisampling.
        model.vis.quality.shadowsize = 0
        model.vis.quality.offsamples = 0
        model.vis.global_.offwidth = max(width, int(model.vis.global_.offwidth))
        model.vis.global_.offheight = max(height, int(model.vis.global_.offheight))
        model.vis.global_.fovy = math.degrees(self._camera.field_of_view)
        try:
            with warnings.catch_warnings(action="ignore"):  # a window system that is missing is no news here
                self._renderer = mujoco.Renderer(model, height, width)
        except (ImportError, AttributeError, RuntimeError, ValueError, mujoco.FatalError) as error:
            raise RenderError(
                f"MuJoCo cannot draw with OpenGL here: {error}. Install libegl1 and libgl1-mesa-dri and "
                "start with MUJOCO_GL=egl, or use the painter, which needs no graphics library."
            ) from error
        self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = 0
        self._renderer.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        self._view = mujoco.MjvCamera()
        self._view.type = mujoco.mjtCamera.mjCAMERA_FREE
        self._view.azimuth = 90.0
        self._view.elevation = -math.degrees(self._camera.elevation)
        self._view.distance = self._camera.distance

    def draw(self, data: Any) -> Frame:
        self._view.lookat[:] = self._camera.target(data)
        self._renderer.update_scene(data, camera=self._view)
        return np.asarray(self._renderer.render())

    def close(self) -> None:
        self._renderer.close()


def _is_mujoco(env: Any) -> bool:
    return hasattr(getattr(env, "model", None), "geom_rgba") and hasattr(getattr(env, "data", None), "qpos")
