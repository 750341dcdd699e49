import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from rlhf.benchmarks import backflip
from rlhf.cli.main import main
from rlhf.clips.encode import decode_mp4, encode_mp4


def test_runs_are_made_once_counted_and_filmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RLHF_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(backflip, "_EPISODES", 2)
    monkeypatch.setattr(backflip, "_EPISODES_EACH", 1)
    monkeypatch.setattr(backflip, "_POLICIES", 3)
    out = tmp_path / "out"
    arguments = ["bench", "backflip", "--seeds", "1", "--steps", "2000", "--labels", "20", "--out", str(out)]
    for _ in range(2):  # the second time from what was kept
        assert main(arguments) == 0
        assert "not reached" in capsys.readouterr().out
    assert len(list((tmp_path / "data/benchmarks/backflip").iterdir())) == len(backflip.ARMS)
    found, paid = json.loads((out / "summary.json").read_text())["runs"]
    assert (found["seed"], found["answers"], found["flips_per_3s"]) == (20, 20, 0.0)
    assert (paid["seed"], paid["answers"]) == (20, 0)
    frames = decode_mp4((out / "seed-20.mp4").read_bytes())
    assert 1 < len(frames) <= 250 + 1
    assert frames.std() > 0


def test_the_stills_of_a_flip_lie_side_by_side_up_to_its_landing() -> None:
    frames = np.zeros((60, 32, 40, 3), np.uint8)
    frames[50:] = 255  # nothing after the landing at step 50 is shown, and that is the last still
    stills = iio.imread(backflip._stills(encode_mp4(frames, 30.0), 50))
    assert stills.shape == (16, 8 * 20, 3)
    assert stills[:, : 7 * 20 - 4].max() < 60
    assert stills[:, 7 * 20 + 4 :].min() > 195


def test_a_run_passes_only_if_each_seed_does() -> None:
    runs = [
        {"seed": seed, "flips_per_3s": rate, "episodes_with_flips": 0.5, "answers": 150, "wall_s": 90.0}
        for seed, rate in ((5, 1.0), (6, 0.99))
    ]
    reference = {**runs[0], "answers": 0, "flips_per_3s": 3.0}
    table = backflip.text_rows({"runs": [*runs, reference], "bar": backflip.BAR})
    assert [row[-1] for row in table[1:]] == ["reached", "not reached", ""]


def test_a_run_without_answers_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "backflip", "--labels", "0"]) == 2
    assert "--labels 0" in capsys.readouterr().err
