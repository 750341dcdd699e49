import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from rlhf.loop.ask_about import Moment
from rlhf.ui.checkpoint_strip import chosen
from rlhf.ui.pair_player import pair_player
from rlhf.ui.playback import base_path
from rlhf.ui.replay_player import ReplayClip, picked, replay_player

CLIP: ReplayClip = {"url": "clips/a.mp4", "label": "A", "fps": 30.0, "frames": 60}


def _sent(app: AppTest) -> dict[str, Any]:
    (component,) = app.get("bidi_component")
    data: dict[str, Any] = json.loads(component.proto.json)
    return data


def test_pair_player_is_told_its_run() -> None:
    def page() -> None:
        from rlhf.ui.pair_player import pair_player

        pair_player(run_id="abc", key="pairs")

    app = AppTest.from_function(page).run()
    assert not app.exception
    assert _sent(app) == {"run": "abc", "base": "", "max_clip_height": 420, "prefetch": 4}


def test_replay_player_gets_its_clips() -> None:
    def page() -> None:
        from rlhf.ui.replay_player import replay_player

        replay_player(clips=[{"url": "clips/a.mp4", "label": "A", "fps": 30.0, "frames": 60}], key="r")

    app = AppTest.from_function(page).run()
    assert not app.exception
    sent = _sent(app)
    assert sent["clips"] == [CLIP]
    assert sent["share"] is None


def test_base_path_has_a_slash_at_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "streamlit.get_option", lambda name: "/studio" if name == "server.baseUrlPath" else ""
    )
    assert base_path() == "/studio/"


def test_pair_player_needs_room_for_a_pair() -> None:
    with pytest.raises(ValueError, match="at least 1; got 420 and 0"):
        pair_player(run_id="abc", key="pairs", prefetch=0)


def test_ranking_and_rating_players_are_told_their_run() -> None:
    def page() -> None:
        from rlhf.ui.ranking_player import ranking_player
        from rlhf.ui.rating_player import rating_player

        ranking_player(run_id="abc", key="rank")
        rating_player(run_id="abc", key="rate")

    app = AppTest.from_function(page).run()
    assert not app.exception
    sent = [json.loads(component.proto.json) for component in app.get("bidi_component")]
    assert [(data["run"], data["prefetch"]) for data in sent] == [("abc", 2), ("abc", 4)]


@pytest.mark.parametrize("count", [0, 3])
def test_replay_player_shows_one_or_two_clips(count: int) -> None:
    with pytest.raises(ValueError, match=f"one or two clips; got {count}"):
        replay_player(clips=[CLIP] * count, key="r")


def test_replay_player_needs_frames() -> None:
    with pytest.raises(ValueError, match="needs fps > 0 and at least one frame"):
        replay_player(clips=[{**CLIP, "frames": 0}], key="r")


def test_two_moments_of_recordings_are_understood() -> None:
    ids = ("a" * 32, "b" * 32)
    sent = [{"segment": segment_id, "frame": 3} for segment_id in ids]
    assert picked(sent) == tuple(Moment(segment_id=segment_id, frame=3) for segment_id in ids)


@pytest.mark.parametrize(
    "other",
    [
        None,
        "x",
        {},
        {"segment": "a" * 32},
        {"segment": "../etc", "frame": 3},
        {"segment": "a" * 32, "frame": -1},
        {"segment": "a" * 32, "frame": 1.5},
        {"segment": "a" * 32, "frame": True},
        {"segment": ["a"], "frame": 1},
    ],
)
def test_anything_else_than_two_moments_is_nothing(other: Any) -> None:
    moment = {"segment": "a" * 32, "frame": 3}
    assert picked([moment, other]) is None
    assert picked([moment]) is None
    assert picked(other) is None


def test_a_policy_of_the_row_can_be_chosen_for_either_side() -> None:
    assert chosen({"version": 3, "side": "left"}, {1, 3}) == (3, "left")


@pytest.mark.parametrize(
    "sent",
    [
        None,
        [],
        {"version": 2, "side": "left"},
        {"version": True, "side": "left"},
        {"version": "3", "side": "left"},
        {"version": 3, "side": "middle"},
        {"version": 3},
    ],
)
def test_anything_else_than_a_policy_of_the_row_is_nothing(sent: Any) -> None:
    assert chosen(sent, {1, 3}) is None
