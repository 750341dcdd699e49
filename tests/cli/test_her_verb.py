import json
from pathlib import Path

import pytest

from rlhf.cli.main import main
from rlhf.clips.encode import decode_mp4

TINY = ["--steps", "400", "--set", "q.hidden=8", "q.batch_size=16"]


def test_it_learns_films_and_reports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip, report = tmp_path / "goals.mp4", tmp_path / "report.json"
    arguments = ["her", "--task", "four-rooms", *TINY, "--clip", str(clip), "--json", str(report)]
    assert main(arguments) == 0
    assert "of goals reached after 800 steps" in capsys.readouterr().out
    found = json.loads(report.read_text())
    assert {"task", "seed", "episodes", "steps", "success", "random_success", "curve"} <= found.keys()
    assert (found["task"], found["seed"], found["episodes"]) == ("four-rooms", 0, 16)
    assert len(decode_mp4(clip.read_bytes())) > 8


def test_it_looks_ahead_and_changes_the_world_where_it_is_asked_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = tmp_path / "foreseen.mp4"
    seeing = ["foresight.on=true", "foresight.episodes=1", "foresight.plan.horizon=1"]
    arguments = ["her", "--task", "four-rooms", *TINY, *seeing, "--foreseen", str(clip)]
    assert main([*arguments, "--shift", "wind=0.3"]) == 0
    said = capsys.readouterr().out
    assert "Foresight after 800 steps" in said
    assert "With wind 0.3" in said
    assert len(decode_mp4(clip.read_bytes())) > 8


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--task", "five-rooms"], "four-rooms"),
        (["--task", "gym:CartPole-v1"], "compute_reward"),
        (["--task", "four-rooms", "--set", "hindsight.ratio=-1"], "hindsight.ratio"),
        (["--task", "four-rooms", "--steps", "0"], "total_steps"),
        (["--task", "four-rooms", "--shift", "wind=0.3"], "foresight.on=true"),
    ],
)
def test_wrong_usage_is_told(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["her", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_clip_that_could_not_be_written_is_told_before_the_work(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["her", "--task", "four-rooms", "--clip", "/no/such/folder/goals.mp4"])
    assert refused.value.code == 2
    assert "/no/such/folder" in capsys.readouterr().err


@pytest.mark.parametrize("setting", ["wind", "wind=strong", "=3"])
def test_a_change_that_is_no_number_is_refused(setting: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["her", "--task", "four-rooms", "--shift", setting])
    assert refused.value.code == 2
    assert "must look like" in capsys.readouterr().err
