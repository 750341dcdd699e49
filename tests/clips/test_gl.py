import subprocess
import sys

import pytest

from rlhf.clips.gl import _works, usable_gl

SCENE = """
import sys
import warnings
warnings.simplefilter("error")
import numpy as np, gymnasium, mujoco
from rlhf.clips.scenes import make_scene
from rlhf.errors import RenderError
MESH = '''<mujoco><asset><mesh name="tent" vertex="0 0 0  1 0 0  0 1 0  0 0 1"/></asset><worldbody>
<light pos="0 0 4"/><geom type="plane" size="5 5 1"/>
<body pos="0 0 1"><freejoint/><geom type="mesh" mesh="tent"/></body></worldbody></mujoco>'''
class Env(gymnasium.Env):
    def __init__(self, model):
        self.model, self.data = model, mujoco.MjData(model)
def make_env(*, render_mode=None):
    return Env(mujoco.MjModel.from_xml_string(MESH))
try:
    scene = make_scene(make_env, sys.argv[1])
    frame = scene.draw_env()
    print(scene.name, frame.shape, frame.std() > 10)
    scene.close()
except RenderError as error:
    print("refused:", error)
"""


def scene_in_a_process(drawing, *environment):
    command = ["env", *environment, sys.executable, "-c", SCENE, drawing]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "Exception ignored" not in done.stderr
    return done.stdout.strip().splitlines()[-1]


def test_without_opengl_a_mesh_is_painted():
    line = scene_in_a_process("auto", "-u", "MUJOCO_GL", "-u", "DISPLAY")
    assert line == "painter (336, 448, 3) True"


def test_opengl_that_is_asked_for_and_missing_is_refused():
    line = scene_in_a_process("opengl", "-u", "MUJOCO_GL", "-u", "DISPLAY")
    assert line.startswith("refused: MuJoCo cannot draw with OpenGL here")
    assert "MUJOCO_GL=egl" in line


def test_the_value_found_lets_opengl_draw():
    if usable_gl() is None:
        pytest.skip("this machine has no OpenGL library that draws without a screen")
    assert scene_in_a_process("auto", f"MUJOCO_GL={usable_gl()}") == "opengl (336, 448, 3) True"


def test_a_library_that_is_not_there_does_not_count():
    assert not _works("env", "no-such-library")


def test_the_search_does_not_load_mujoco():
    code = "import sys; from rlhf.clips.gl import usable_gl; usable_gl(); print('mujoco' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "False"


def test_the_answer_is_remembered():
    usable_gl()
    hits = usable_gl.cache_info().hits
    usable_gl()
    assert usable_gl.cache_info().hits == hits + 1
