import gymnasium
import mujoco
import numpy as np
import pytest

from rlhf.clips.camera import SIDE, TILTED, TOP, choose_camera
from rlhf.clips.floor import Floor, _averaged_wave
from rlhf.clips.painter import Painter, can_paint, floor_height
from rlhf.clips.shapes import Canvas, draw_bar, draw_face, outline_of, shades

WIDTH, HEIGHT = 448, 336
ORANGE = (236, 140, 66)

MESH_MODEL = """
<mujoco><asset><mesh name="tent" vertex="0 0 0  1 0 0  0 1 0  0 0 1"/></asset><worldbody>
<geom type="plane" size="5 5 1"/>
<body pos="0 0 1"><freejoint/><geom type="mesh" mesh="tent"/></body></worldbody></mujoco>
"""
SOLIDS_MODEL = """
<mujoco><worldbody><geom type="plane" size="5 5 1"/>
<body pos="-2 0 1"><freejoint/><geom type="box" size=".4 .3 .5" rgba="1 0 0 1"/></body>
<body pos="0 0 1"><freejoint/><geom type="cylinder" size=".4 .5" rgba="0 1 0 1"/></body>
<body pos="2 0 1"><freejoint/><geom type="ellipsoid" size=".4 .3 .6" rgba="0 0 1 1"/></body>
</worldbody></mujoco>
"""


@pytest.fixture(autouse=True)
def no_log_file():
    mujoco.set_mju_user_warning(lambda message: None)  # else MuJoCo writes a log into the current folder
    yield
    mujoco.set_mju_user_warning(None)


def model_of(env_id):
    env = gymnasium.make(env_id, disable_env_checker=True)
    model = env.unwrapped.model
    env.close()
    return model, placed(model)


def placed(model, **qpos):
    data = mujoco.MjData(model)
    for index, value in qpos.items():
        data.qpos[int(index[1:])] += value
    mujoco.mj_forward(model, data)
    return data


def painter_of(env_id):
    model, data = model_of(env_id)
    return model, Painter(model, data, WIDTH, HEIGHT)


def body_pixels(picture):
    """Where the picture is strongly coloured; floor and sky are nearly grey or light."""
    spread = picture.astype(int).max(axis=2) - picture.astype(int).min(axis=2)
    return np.argwhere((spread > 80) & (picture[..., 0] > picture[..., 2]))


def empty_canvas(height=80, width=100):
    return Canvas(np.zeros((3, height, width), np.float32), np.full((height, width), np.inf, np.float32))


WHITE = np.full((3, 256), 255.0, np.float32)


@pytest.mark.parametrize(
    ("env_id", "elevation", "follows"),
    [
        ("Hopper-v5", SIDE, (True, False)),
        ("Walker2d-v5", SIDE, (True, False)),
        ("HalfCheetah-v5", SIDE, (True, False)),
        ("Swimmer-v5", TOP, (True, True)),
        ("Ant-v5", TILTED, (True, True)),
        ("InvertedPendulum-v5", SIDE, (False, False)),
        ("Reacher-v5", TOP, (False, False)),
    ],
)
def test_the_view_suits_the_motion(env_id, elevation, follows):
    model, data = model_of(env_id)
    camera = choose_camera(model, data, floor_height(model, data), WIDTH, HEIGHT)
    assert (camera.elevation, camera.follows) == (elevation, follows)


@pytest.mark.parametrize("env_id", ["Hopper-v5", "Ant-v5", "Swimmer-v5"])
def test_the_point_looked_at_is_the_middle_of_the_picture(env_id):
    model, data = model_of(env_id)
    camera = choose_camera(model, data, 0.0, WIDTH, HEIGHT)
    projected = camera.project(camera.target(data), camera.position(data))
    np.testing.assert_allclose(projected, [WIDTH / 2, HEIGHT / 2, camera.distance])


@pytest.mark.parametrize("env_id", ["Hopper-v5", "Walker2d-v5", "HalfCheetah-v5", "Ant-v5", "Swimmer-v5"])
def test_the_whole_body_is_in_the_picture(env_id):
    model, painter = painter_of(env_id)
    rows, cols = body_pixels(painter.draw(placed(model))).T
    assert len(rows) > 1000
    assert rows.min() > 5
    assert rows.max() < HEIGHT - 5
    assert cols.min() > 5
    assert cols.max() < WIDTH - 5


def test_the_floor_repeats_after_two_squares():
    model, painter = painter_of("HalfCheetah-v5")
    start, later = painter.draw(placed(model)), painter.draw(placed(model, q0=6.0))
    assert np.abs(start.astype(int) - later).max() <= 2


def test_the_floor_moves_while_the_followed_body_stays():
    model, painter = painter_of("HalfCheetah-v5")
    start, later = painter.draw(placed(model)), painter.draw(placed(model, q0=0.2))
    assert (np.abs(start[-60:].astype(int) - later[-60:]).max(axis=2) > 10).mean() > 0.1
    np.testing.assert_allclose(body_pixels(start).mean(axis=0), body_pixels(later).mean(axis=0), atol=0.5)


def test_a_jump_is_seen_as_height():
    model, painter = painter_of("Hopper-v5")
    ground, high = (body_pixels(painter.draw(placed(model, q1=up))) for up in (0.0, 0.3))
    assert 20 < ground[:, 0].mean() - high[:, 0].mean() < 80


def test_a_very_high_jump_stays_in_the_picture():
    model, painter = painter_of("Hopper-v5")
    assert body_pixels(painter.draw(placed(model, q1=4.0)))[:, 0].min() > 5


def test_the_shadow_lies_under_the_body():
    model, data = model_of("Ant-v5")
    camera = choose_camera(model, data, 0.0, WIDTH, HEIGHT)
    floor, position = Floor(camera, 0.0, 1.0), camera.position(data)
    body = np.array([[0.3, 0.4, 0.2, 0.3, 0.4, 0.2, 0.2]])
    change = floor.paint(position, np.zeros((0, 7)))[0] - floor.paint(position, body)[0]
    row, col = np.unravel_index(change.argmax(), change.shape)
    x, y, _ = camera.project([0.3, 0.4, 0.0], position)
    assert (abs(col - x), abs(row - y)) < (12, 12)


def test_averaged_wave_is_the_mean_of_the_wave():
    for at, width in [(0.3, 0.1), (0.95, 0.4), (-1.2, 1.5), (7.0, 0.5), (0.2, 3.3)]:
        points = at + width * ((np.arange(200_000) + 0.5) / 200_000 - 0.5)
        wave = np.where(np.floor(points) % 2 == 0, 1.0, -1.0)
        assert _averaged_wave(np.array(at), np.array(width)) == pytest.approx(wave.mean(), abs=1e-4)


def test_a_sphere_covers_its_disc():
    canvas = empty_canvas()
    draw_bar(canvas, np.array([[50.3, 40.6, 5.0]] * 2), np.array([20.0, 20.0]), 0.5, WHITE)
    assert canvas.colour[0].sum() / 255 == pytest.approx(np.pi * 20**2, rel=0.01)


def test_a_bar_covers_its_outline():
    canvas = empty_canvas()
    draw_bar(canvas, np.array([[30.0, 20.0, 5.0], [60.0, 60.0, 5.0]]), np.array([8.0, 8.0]), 0.5, WHITE)
    assert canvas.colour[0].sum() / 255 == pytest.approx(np.pi * 8**2 + 16 * 50, rel=0.01)


def test_a_face_covers_its_outline():
    canvas = empty_canvas()
    draw_face(canvas, np.array([[10.0, 10, 5], [50, 10, 5], [50, 40, 5], [10, 40, 5]]), 1.0, WHITE)
    assert canvas.colour[0].sum() / 255 == pytest.approx(40 * 30, rel=0.01)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_nearer_solid_hides_the_other_whatever_the_order(order):
    canvas = empty_canvas()
    black = np.zeros((3, 256), np.float32)
    solids = [(3.0, WHITE), (6.0, black)]
    for index in order:
        depth, palette = solids[index]
        draw_bar(canvas, np.array([[50.0, 40.0, depth]] * 2), np.array([20.0, 20.0]), 0.5, palette)
    assert canvas.colour[0, 40, 50] == 255


def test_a_solid_outside_the_picture_changes_nothing():
    canvas = empty_canvas()
    draw_bar(canvas, np.array([[-90.0, 40.0, 5.0]] * 2), np.array([20.0, 20.0]), 0.5, WHITE)
    draw_face(canvas, np.array([[200.0, 10, 5], [250, 10, 5], [250, 40, 5]]), 1.0, WHITE)
    assert not canvas.colour.any()


def test_outline_drops_inner_points():
    points = np.array([[0.0, 0, 1], [4, 0, 1], [2, 1, 1], [4, 4, 1], [0, 4, 1], [2, 2, 1]])
    assert {tuple(p[:2]) for p in outline_of(points)} == {(0, 0), (4, 0), (4, 4), (0, 4)}


def test_shades_grow_brighter_towards_the_light():
    brightness = shades(np.array(ORANGE, np.float32)).sum(axis=0)
    assert (np.diff(brightness) >= 0).all()


def test_the_three_other_solids_are_drawn():
    model = mujoco.MjModel.from_xml_string(SOLIDS_MODEL)
    data = placed(model)
    picture = Painter(model, data, WIDTH, HEIGHT).draw(data).astype(int)
    spread = picture.max(axis=2) - picture.min(axis=2)
    assert can_paint(model)
    assert {0, 1, 2} <= set(picture.argmax(axis=2)[spread > 90].tolist())


def test_a_mesh_is_left_to_opengl_but_can_be_drawn():
    model = mujoco.MjModel.from_xml_string(MESH_MODEL)
    data = placed(model)
    assert not can_paint(model)
    assert len(body_pixels(Painter(model, data, WIDTH, HEIGHT).draw(data))) > 500
