"""Pictures of an episode while it is being acted, drawn as its clip will be."""

from rlhf.clips.resize import Frame
from rlhf.clips.scenes import Scene, make_scene
from rlhf.types.experience import Actions, Float32, Float64
from rlhf.types.protocols import EnvFactory


class LivePictures:
    """Follows one episode. Where simulator states cannot be set, an environment of its own is led along.

    Args:
        make_env: makes the task's environment.

    Raises:
        RenderError: the environment cannot be drawn.
    """

    def __init__(self, make_env: EnvFactory) -> None:
        self._scene: Scene = make_scene(make_env)

    def begin(self, reset_seed: int, actions: Actions | None) -> None:
        """Go to the start of an episode: a reset, and the actions since."""
        env = self._scene.env
        env.reset(seed=reset_seed)
        simulator = env.unwrapped
        has_sparks = hasattr(simulator, "particles")
        if has_sparks:  # they are made only while something renders, and burn out by being drawn
            simulator.render_mode = None
        for action in () if actions is None else actions:
            env.step(action)
        if has_sparks:
            simulator.render_mode = "rgb_array"

    def step(self, action: int | Float32) -> None:
        """Follow one step of an episode whose simulator states are not known."""
        self._scene.env.step(action)

    def draw(self, sim_state: Float64 | None) -> Frame:
        """Return the picture of a simulator state, or without one of where the steps have led, (H, W, 3)."""
        return self._scene.draw_env() if sim_state is None else self._scene.draw_state(sim_state)

    def close(self) -> None:
        """Release the environment and its graphics."""
        self._scene.close()
