import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rlhf.benchmarks import results
from rlhf.experience.tasks import get_task


def test_a_measurement_is_made_once_per_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLHF_DATA_DIR", str(tmp_path))
    made: list[int] = []

    def measure() -> dict[str, Any]:
        made.append(len(made))
        return {"value": len(made)}

    keys = [{"seed": 0}, {"seed": 1}, {"seed": 0}]
    assert [results.measured_once("x", key, measure)["value"] for key in keys] == [1, 2, 1]


def test_results_hold_a_table_a_plot_and_what_is_needed_to_repeat_them(tmp_path: Path) -> None:
    rows = [{"env": "A", "rate": 1.5}, {"env": "B", "rate": None}]
    results.write_results(tmp_path / "out", rows, "<svg/>", {"command": "python -m rlhf bench x"})
    assert (tmp_path / "out/measurements.csv").read_text() == "env,rate\nA,1.5\nB,\n"
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert summary.keys() == {"command", "made_on"}
    (machine,) = summary["made_on"]
    assert machine["hardware"]["cores"] >= 1
    assert "torch" in machine["versions"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "measurements.csv",
        "plot.svg",
        "summary.json",
    ]


@pytest.fixture
def digest_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Returns the digest of ``rlhf.main`` in a package of these files."""
    monkeypatch.setattr(results, "PROJECT_ROOT", tmp_path)

    def digest(*, but: tuple[str, ...] = (), **texts: str) -> str:
        (tmp_path / "rlhf" / "storage").mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (tmp_path / "rlhf" / f"{name.replace('__', '/')}.py").write_text(text)
        results.code_digest.cache_clear()
        return results.code_digest("rlhf.main", but=but)

    return digest


def test_comments_do_not_change_the_digest_of_the_code_but_code_does(digest_of: Callable[..., str]) -> None:
    digests = [
        digest_of(main=text)
        for text in (
            'def f():\n    """One."""\n    return 1\n',
            "def f():\n    return 1  # one\n",
            "def f():\n    return 2\n",
        )
    ]
    assert digests[0] == digests[1] != digests[2]


def test_the_digest_is_that_of_everything_that_is_imported(digest_of: Callable[..., str]) -> None:
    main = "from rlhf.storage import runs\ndef f():\n    from rlhf.near import g\n    return g()\n"
    near = "import rlhf.far\ndef g(): return 1\n"
    first = digest_of(main=main, near=near, far="a = 1\n", other="b = 1\n", storage__runs="c = 1\n")
    assert digest_of(other="b = 2\n", storage__runs="c = 2\n") == first
    assert digest_of(far="a = 2\n") != first
    without = digest_of(but=("rlhf.far",))
    assert digest_of(but=("rlhf.far",), far="a = 3\n") == without


def test_measurements_among_the_results_are_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    keys = [{"seed": seed} for seed in range(3)]
    monkeypatch.setenv("RLHF_DATA_DIR", str(tmp_path / "here"))
    results.measured_once("x", keys[0], lambda: {"value": 7})
    results.measured_once("x", keys[2], lambda: {"value": 9})
    for some in (keys[:1], keys[1:]):
        results.keep_with_results(tmp_path / "results" / "x", "x", some)
    monkeypatch.setenv("RLHF_DATA_DIR", str(tmp_path / "elsewhere"))
    results._committed.cache_clear()
    assert [results.measured_before("x", key) for key in keys] == [{"value": 7}, None, {"value": 9}]
    results._committed.cache_clear()


def test_results_name_the_machines_that_measured_not_the_one_that_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    folder = tmp_path / "results" / "x"
    keys = [{"seed": seed} for seed in range(4)]
    with monkeypatch.context() as there:
        there.setenv("RLHF_DATA_DIR", str(tmp_path / "there"))
        there.setattr(results, "hardware", lambda: {"processor": "another"})
        for key in keys[:3]:
            results.measured_once("x", key, lambda: {"value": 7})
        results.keep_with_results(folder, "x", keys)
    monkeypatch.setenv("RLHF_DATA_DIR", str(tmp_path / "here"))
    kept = [json.loads(line) for line in (folder / results.KEPT).read_text().splitlines()]
    del kept[2]["made_on"]  # an older one
    (folder / results.KEPT).write_text("".join(json.dumps(one) + "\n" for one in kept))
    results._committed.cache_clear()
    results.keep_with_results(folder, "x", keys)  # goes on from what is there
    results._committed.cache_clear()
    found = results.made_on("x", keys)
    assert [one if isinstance(one, str) else one["hardware"]["processor"] for one in found] == [
        "another",
        "not recorded",
    ]
    results.write_results(folder, [{"rate": 1.5}], "<svg/>", {}, found)
    assert json.loads((folder / "summary.json").read_text())["made_on"] == found
    results._committed.cache_clear()


def test_what_a_preset_says_is_data() -> None:
    settings = results.task_settings(get_task("hopper-run"))
    assert json.loads(json.dumps(settings))["env_kwargs"] == {"terminate_when_unhealthy": False}
    assert settings["expert"] is None
    assert settings["overrides"] == {}
