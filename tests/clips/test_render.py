import dataclasses
import functools

import gymnasium
import numpy as np
import pytest

from rlhf.clips import classic
from rlhf.clips.render import SegmentRenderer, ended_at_frame
from rlhf.clips.resize import fit_frame
from rlhf.clips.scenes import make_scene
from rlhf.errors import RenderError
from rlhf.types.experience import Replay, Segment
from rlhf.types.task import Task

LENGTH = 12


def task_of(env_id: str, frame_skip: int = 1) -> Task:
    return Task(
        name=env_id,
        goal="Do it",
        env_id=env_id,
        horizon=100,
        segment_steps=LENGTH,
        playback_fps=25,
        frame_skip=frame_skip,
    )


def factory(env_id: str):
    return functools.partial(gymnasium.make, env_id, max_episode_steps=-1, disable_env_checker=True)


def actions_for(env, count: int):
    env.action_space.seed(5)
    return np.array([env.action_space.sample() for _ in range(count)])


def state_of(env) -> np.ndarray:
    raw = env.unwrapped
    if hasattr(raw, "data"):
        return np.concatenate([raw.data.qpos, raw.data.qvel])
    state = np.array(raw.state, np.float64)
    return np.append(state, raw.last_u or 0.0) if hasattr(raw, "last_u") else state


def segment_of(actions, start, *, states=None, real=LENGTH, seed=3):
    shown = start + np.minimum(np.arange(LENGTH + 1), real)
    own = np.zeros((LENGTH, *actions.shape[1:]), actions.dtype)
    own[:real] = actions[start : start + real]
    return Segment(
        observations=np.zeros((LENGTH + 1, 1), np.float32),
        actions=own,
        absorbing=np.arange(LENGTH) >= real,
        policy_version=0,
        replay=Replay(
            reset_seed=seed,
            start=start,
            sim_states=None if states is None else states[shown],
            actions_from_reset=actions[: start + real] if states is None else None,
        ),
    )


def rendered(env_id, segment, frame_skip=1):
    renderer = SegmentRenderer(task_of(env_id, frame_skip), factory(env_id))
    frames = renderer.frames(segment)
    renderer.close()
    return frames


CLASSIC = ["CartPole-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Acrobot-v1", "Pendulum-v1"]


@pytest.mark.parametrize("env_id", CLASSIC)
def test_classic_control_from_states_is_what_was_seen_live(env_id):
    live = factory(env_id)(render_mode="rgb_array")
    classic.set_picture_size(live.unwrapped)
    actions = actions_for(live, 4 + LENGTH)
    live.reset(seed=3)
    states, frames = [state_of(live)], [fit_frame(live.render())]
    for action in actions:
        live.step(action)
        states.append(state_of(live))
        frames.append(fit_frame(live.render()))
    live.close()
    segment = segment_of(actions, 4, states=np.array(states))
    np.testing.assert_array_equal(rendered(env_id, segment, 3), np.stack(frames[4::3]))


def test_the_start_of_a_pendulum_episode_is_what_was_seen_live():
    live = factory("Pendulum-v1")(render_mode="rgb_array")
    classic.set_picture_size(live.unwrapped)
    live.reset(seed=3)
    states = np.tile(state_of(live), (LENGTH + 1, 1))
    segment = segment_of(np.zeros((LENGTH, 1), np.float32), 0, states=states)
    np.testing.assert_array_equal(rendered("Pendulum-v1", segment)[0], fit_frame(live.render()))
    live.close()


@pytest.mark.parametrize("env_id", ["Hopper-v5", "Ant-v5"])
def test_mujoco_from_states_is_what_was_seen_live(env_id):
    scene = make_scene(factory(env_id))
    actions = actions_for(scene.env, 3 + LENGTH).astype(np.float32)
    scene.env.reset(seed=3)
    states, frames = [state_of(scene.env)], [scene.draw_env()]
    for action in actions:
        scene.env.step(action)
        states.append(state_of(scene.env))
        frames.append(scene.draw_env())
    scene.close()
    segment = segment_of(actions, 3, states=np.array(states))
    np.testing.assert_array_equal(rendered(env_id, segment, 2), np.stack(frames[3::2]))


def test_drawing_leaves_the_simulation_as_it_is():
    scene = make_scene(factory("Ant-v5"))
    actions = actions_for(scene.env, 30)
    ends = []
    for draw in (False, True):
        scene.env.reset(seed=3)
        for action in actions:
            observation, *_ = scene.env.step(action)
            if draw:
                scene.draw_env()
        ends.append(observation)
    scene.close()
    np.testing.assert_array_equal(ends[0], ends[1])


@pytest.mark.parametrize(("start", "frame_skip"), [(0, 1), (60, 1), (60, 3)])
def test_lunar_lander_replayed_from_actions_is_what_was_seen_live(start, frame_skip):
    live = factory("LunarLander-v3")(render_mode="rgb_array")
    actions = np.where(np.arange(start + LENGTH) % 3 == 0, 2, 1)  # main and side engine: many sparks
    live.reset(seed=3)
    frames = [fit_frame(live.render())]
    for step, action in enumerate(actions, start=1):
        live.step(action)
        if step % frame_skip == 0:
            frames.append(fit_frame(live.render()))
    live.close()
    segment = segment_of(actions, start)
    np.testing.assert_array_equal(
        rendered("LunarLander-v3", segment, frame_skip), np.stack(frames[start // frame_skip :])
    )


def test_a_replay_does_not_depend_on_the_one_before():
    renderer = SegmentRenderer(task_of("LunarLander-v3"), factory("LunarLander-v3"))
    first = segment_of(np.full(40 + LENGTH, 2), 40)
    frames = renderer.frames(first)
    renderer.frames(segment_of(np.full(LENGTH, 1), 0, seed=9))
    np.testing.assert_array_equal(renderer.frames(first), frames)
    renderer.close()


def ended_segment(real):
    states = np.zeros((20, 4))
    states[:, 0] = np.linspace(-1, 1, 20)
    return segment_of(np.zeros(20, np.int64), 2, states=states, real=real)


def test_after_the_end_the_last_state_stays_and_is_greyed():
    frames = rendered("CartPole-v1", ended_segment(real=5))
    bright, dim = frames[5].astype(float), frames[6].astype(float)
    assert bright.mean() > 240
    assert dim.mean() < 0.75 * bright.mean()
    np.testing.assert_array_equal(frames[6:], np.broadcast_to(frames[6], frames[6:].shape))
    contrast = [abs(picture.mean(axis=2) - picture.mean()).argmax() for picture in (bright, dim)]
    assert contrast[0] == contrast[1]  # the same picture underneath


def test_an_end_between_two_frames_shows_the_last_real_state():
    fine = rendered("CartPole-v1", ended_segment(real=5))
    coarse = rendered("CartPole-v1", ended_segment(real=5), frame_skip=2)
    np.testing.assert_array_equal(coarse[3:], fine[6::2])


@pytest.mark.parametrize(
    ("real", "frame_skip", "first"),
    [(LENGTH, 1, None), (5, 1, 6), (5, 2, 3), (6, 2, 4), (0, 1, 0), (11, 5, None)],
)
def test_first_frame_after_the_end(real, frame_skip, first):
    assert ended_at_frame(ended_segment(real), frame_skip) == first


@pytest.mark.parametrize("frame_skip", [1, 2, 5, 12, 20])
def test_number_of_frames(frame_skip):
    frames = rendered("CartPole-v1", ended_segment(LENGTH), frame_skip)
    assert frames.shape == (LENGTH // frame_skip + 1, 320, 480, 3)


def test_a_replay_that_ended_early_is_greyed():
    actions = np.zeros(200, np.int64)
    env = factory("LunarLander-v3")()
    env.reset(seed=3)
    length = next(step for step, action in enumerate(actions, start=1) if env.step(action)[2])
    env.close()
    frames = rendered("LunarLander-v3", segment_of(actions[:length], length - 4, real=4))
    assert frames[5:].mean() < frames[:5].mean()
    assert (frames[5:] == frames[5]).all()


def test_a_state_of_another_size_is_refused():
    for env_id in ("CartPole-v1", "Hopper-v5"):
        segment = segment_of(np.zeros(20, np.int64), 2, states=np.zeros((20, 7)))
        with pytest.raises(RenderError, match="state"):
            rendered(env_id, segment)


def test_a_state_for_an_environment_without_one_is_refused():
    segment = segment_of(np.zeros(20, np.int64), 2, states=np.zeros((20, 7)))
    with pytest.raises(RenderError, match="LunarLander"):
        rendered("LunarLander-v3", segment)


def test_missing_actions_are_refused():
    segment = segment_of(np.zeros(LENGTH + 2, np.int64), 2)
    replay = dataclasses.replace(segment.replay, actions_from_reset=segment.actions)
    segment = dataclasses.replace(segment, replay=replay)
    with pytest.raises(RenderError, match="14 actions"):
        rendered("LunarLander-v3", segment)


def test_an_environment_that_cannot_draw_is_refused():
    class Blind(gymnasium.Env):
        metadata = {"render_modes": ["ansi"]}  # noqa: RUF012

    def make_blind(*, render_mode=None):
        return Blind()

    with pytest.raises(RenderError, match="rgb_array"):
        SegmentRenderer(task_of("blind"), make_blind)


def test_the_way_of_drawing_is_named():
    for env_id, name in (("CartPole-v1", "environment"), ("Hopper-v5", "painter")):
        renderer = SegmentRenderer(task_of(env_id), factory(env_id))
        assert renderer.name == name
        assert env_id in renderer.describe()
        renderer.close()


def test_make_env_may_wrap_the_environment():
    def wrapped(*, render_mode=None):
        env = factory("MountainCarContinuous-v0")(render_mode=render_mode)
        return gymnasium.wrappers.TransformAction(env, lambda action: -action, env.action_space)

    actions = np.ones((LENGTH, 1), np.float32)
    renderer = SegmentRenderer(task_of("wrapped"), wrapped)
    frames = renderer.frames(segment_of(actions, 0))
    renderer.close()
    np.testing.assert_array_equal(frames, rendered("MountainCarContinuous-v0", segment_of(-actions, 0)))
