"""Finds out whether an OpenGL library for drawing without a screen works, without loading one here.

With ``MUJOCO_GL=egl`` and no EGL library even ``import mujoco`` fails, so the value must be known before the
process that renders is started. It is tried out in a process of its own.
"""

import functools
import shutil
import subprocess
import sys

_TIMEOUT_S = 30.0

_PROBE = """
import mujoco
model = mujoco.MjModel.from_xml_string(
    '<mujoco><worldbody><light pos="0 0 3"/><geom type="sphere" size="1"/></worldbody></mujoco>'
)
data = mujoco.MjData(model)
mujoco.mj_forward(model, data)
renderer = mujoco.Renderer(model, 32, 32)
renderer.update_scene(data)
print("seen" if renderer.render().any() else "black")
renderer.close()
"""


@functools.cache
def usable_gl() -> str | None:
    """Return the value of ``MUJOCO_GL`` with which MuJoCo can draw here, or None if there is none.

    ``egl`` is tried first, then ``osmesa``. Takes about a second for each the first time, nothing after.
    """
    env = shutil.which("env")
    if env is None:  # not a POSIX system: no library that draws without a screen
        return None
    return next((name for name in ("egl", "osmesa") if _works(env, name)), None)


def _works(env: str, name: str) -> bool:
    command = [env, f"MUJOCO_GL={name}", sys.executable, "-c", _PROBE]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, stdin=subprocess.DEVNULL, check=False
        )
    except (subprocess.TimeoutExpired, OSError):
        return False
    return done.returncode == 0 and done.stdout.strip().endswith("seen")
