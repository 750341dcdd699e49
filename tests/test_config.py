"""Configurations: overriding, converting, rebuilding; and the settings of the environment."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any, Literal

import pytest

from rlhf.config import (
    PROJECT_ROOT,
    Settings,
    child_environment,
    choose_gl,
    digest,
    from_dict,
    override,
    to_dict,
)
from rlhf.errors import ConfigError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inner:
    rate: float = 0.5
    steps: int = 10
    is_on: bool = False
    kind: Literal["mlp", "linear"] = "mlp"
    sizes: tuple[int, ...] = (64, 64)
    limit: float | None = None
    name: str = "x"

    def __post_init__(self) -> None:
        if self.rate < 0:
            raise ValueError("rate must not be negative.")
        if self.steps < 5 and self.limit is not None:
            raise ValueError(f"steps are {self.steps} and limit is {self.limit}; so few have no limit.")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outer:
    inner: Inner = dataclasses.field(default_factory=Inner)
    seed: int = 0


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("rate", "1e-3", 1e-3),
        ("rate", 2, 2.0),
        ("steps", "7", 7),
        ("steps", 7.0, 7),
        ("is_on", "true", True),
        ("is_on", "No", False),
        ("is_on", True, True),
        ("kind", "linear", "linear"),
        ("sizes", "32,16", (32, 16)),
        ("sizes", [8], (8,)),
        ("sizes", "", ()),
        ("limit", "0.25", 0.25),
        ("limit", "none", None),
        ("limit", None, None),
        ("name", "a=b", "a=b"),
    ],
)
def test_value_is_converted_to_the_type_of_its_field(path: str, value: Any, expected: Any) -> None:
    found = getattr(override(Outer(), {f"inner.{path}": value}).inner, path)
    assert (found, type(found)) == (expected, type(expected))


def test_original_stays_as_it_was() -> None:
    config = Outer()
    override(config, {"inner.rate": 1.0, "seed": 3})
    assert config == Outer()


def test_several_changes_apply_together() -> None:
    changed = override(Outer(), {"inner.rate": 1.0, "inner.steps": 2, "seed": 3})
    assert changed == Outer(inner=Inner(rate=1.0, steps=2), seed=3)


@pytest.mark.parametrize("order", [1, -1])
def test_settings_that_belong_together_may_come_in_any_order(order: int) -> None:
    limited = Outer(inner=Inner(limit=2.0))
    changes = {"inner.steps": 3, "inner.limit": None}
    changed = override(limited, dict(list(changes.items())[::order]))
    assert changed.inner == Inner(steps=3)
    assert from_dict(Outer, to_dict(changed)) == changed


def test_settings_that_contradict_each_other_are_named() -> None:
    with pytest.raises(ConfigError) as caught:
        override(Outer(), {"inner.steps": 3, "inner.limit": "2"})
    assert str(caught.value).startswith("setting 'inner.steps' = 3, 'inner.limit' = '2': steps are 3")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("sed", 1, "there is no setting 'sed'; Outer has inner, seed"),
        ("inner.speed", 1, "there is no setting 'inner.speed'; Inner has"),
        ("", 1, "there is no setting ''"),
        ("inner", 1, "is a group; set one of its parts"),
        ("seed.part", 1, "is a single value and has no parts"),
        ("seed", "many", "'seed' = 'many' does not fit"),
        ("seed", "1.5", "does not fit"),
        ("seed", 1.5, "a whole number is needed"),
        ("seed", float("nan"), "a whole number is needed"),
        ("seed", None, "does not fit"),
        ("seed", [1], "does not fit"),
        ("inner.is_on", "maybe", "write true or false"),
        ("inner.kind", "forest", "allowed are 'mlp', 'linear'"),
        ("inner.sizes", "64,big", "does not fit"),
        ("inner.sizes", 64, "does not fit"),
        ("inner.rate", "fast", "does not fit"),
        ("inner.rate", "-1", "'inner.rate' = '-1': rate must not be negative"),
    ],
)
def test_setting_that_cannot_work_is_explained(path: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        override(Outer(), {path: value})
    assert message in str(caught.value)


def test_configuration_comes_back_through_json() -> None:
    config = Outer(inner=Inner(rate=0.125, sizes=(1, 2, 3), limit=2.0, kind="linear"), seed=9)
    assert from_dict(Outer, json.loads(json.dumps(to_dict(config)))) == config


def test_missing_keys_take_their_default() -> None:
    assert from_dict(Outer, {"inner": {"steps": 3}}) == Outer(inner=Inner(steps=3))


def test_unknown_keys_are_an_error() -> None:
    with pytest.raises(ConfigError, match=r"inner\.old"):
        from_dict(Outer, {"inner": {"old": 1}})


def test_equal_configurations_have_equal_digests() -> None:
    assert digest(Outer(seed=1)) == digest(override(Outer(), {"seed": "1"}))
    assert digest(Outer(seed=1)) != digest(Outer(seed=2))


def test_settings_default_to_the_data_folder() -> None:
    assert Settings.from_environment({}) == Settings(
        data_dir=PROJECT_ROOT / "data",
        database_url=f"sqlite:///{PROJECT_ROOT / 'data' / 'rlhf.db'}",
        blob_url=str(PROJECT_ROOT / "data" / "blobs"),
        worker="embedded",
    )


def test_data_dir_moves_database_and_blobs(tmp_path: Path) -> None:
    settings = Settings.from_environment({"RLHF_DATA_DIR": str(tmp_path)})
    assert settings.database_url == f"sqlite:///{tmp_path / 'rlhf.db'}"
    assert settings.blob_url == str(tmp_path / "blobs")


def test_each_place_can_be_set_apart() -> None:
    settings = Settings.from_environment(
        {"RLHF_DATABASE_URL": "postgresql://h/d", "RLHF_BLOB_URL": "s3://b", "RLHF_WORKER": "external"}
    )
    assert (settings.database_url, settings.blob_url, settings.worker) == (
        "postgresql://h/d",
        "s3://b",
        "external",
    )


def test_empty_variables_count_as_unset() -> None:
    names = ("RLHF_DATA_DIR", "RLHF_DATABASE_URL", "RLHF_BLOB_URL", "RLHF_WORKER")
    assert Settings.from_environment(dict.fromkeys(names, "")) == Settings.from_environment({})


def test_relative_and_home_folders_are_resolved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert Settings.from_environment({"RLHF_DATA_DIR": "~/x"}).data_dir == tmp_path / "x"
    assert Settings.from_environment({"RLHF_DATA_DIR": "x"}).data_dir == tmp_path / "x"


def test_settings_are_read_from_the_process_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLHF_WORKER", "external")
    assert Settings.from_environment().worker == "external"


def test_unknown_kind_of_worker_is_explained() -> None:
    with pytest.raises(ConfigError, match="'embedded' and 'external'"):
        Settings.from_environment({"RLHF_WORKER": "both"})


def test_children_get_our_environment_and_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RLHF_DATA_DIR", "somewhere")
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    child = child_environment()
    assert (child["RLHF_DATA_DIR"], child["OMP_NUM_THREADS"]) == ("somewhere", "1")


def test_gl_library_is_chosen_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUJOCO_GL", "before")
    choose_gl("egl")
    chosen = os.environ.get("MUJOCO_GL")
    choose_gl(None)
    assert (chosen, os.environ.get("MUJOCO_GL")) == ("egl", None)
