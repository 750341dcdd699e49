"""Dataclass configurations: override, validate, serialise, hash; and the environment variables.

Knows no stage: each stage keeps its own frozen dataclass beside its code. This is the only module that
reads the process environment.
"""

import dataclasses
import hashlib
import json
import os
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

from rlhf.errors import ConfigError

ConfigT = TypeVar("ConfigT")

PROJECT_ROOT = Path(__file__).resolve().parent.parent


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Where things are kept and who runs the workers; read once per process."""

    data_dir: Path
    """Folder of the default database and blobs."""
    database_url: str
    """SQLAlchemy URL."""
    blob_url: str
    """Any fsspec URL or a plain path."""
    worker: Literal["embedded", "external"]
    """Whether the app starts the workers itself."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read ``RLHF_DATA_DIR``, ``RLHF_DATABASE_URL``, ``RLHF_BLOB_URL`` and ``RLHF_WORKER``."""
        env = os.environ if environ is None else environ
        data_dir = Path(env.get("RLHF_DATA_DIR") or PROJECT_ROOT / "data").expanduser().resolve()
        worker = env.get("RLHF_WORKER") or "embedded"
        if worker not in ("embedded", "external"):
            raise ConfigError(f"RLHF_WORKER is {worker!r}; allowed are 'embedded' and 'external'.")
        return cls(
            data_dir=data_dir,
            database_url=env.get("RLHF_DATABASE_URL") or f"sqlite:///{data_dir / 'rlhf.db'}",
            blob_url=env.get("RLHF_BLOB_URL") or str(data_dir / "blobs"),
            worker="external" if worker == "external" else "embedded",
        )


_NAMED = 3
"""Settings that an error names at most."""


def override(config: ConfigT, changes: Mapping[str, Any]) -> ConfigT:
    """Return a copy of a (nested, frozen) dataclass with dotted fields replaced, all of them at once.

    Values may be strings, as typed on a command line; they are converted to the field's type. What settings
    mean for each other is checked when all are set, so their order does not matter.

    Raises:
        ConfigError: a field does not exist, or a value does not fit its type or the others.
    """
    changed: ConfigT = _override(config, changes, "")
    return changed


def to_dict(config: Any) -> dict[str, Any]:
    """Return the configuration as plain JSON data."""
    return dataclasses.asdict(config)


def from_dict(config_type: type[ConfigT], data: Mapping[str, Any]) -> ConfigT:
    """Rebuild a configuration from ``to_dict``; unknown keys are an error, missing ones take the default."""
    return override(config_type(), flatten(data))


def digest(config: Any) -> str:
    """Return a short hash that is equal for equal configurations."""
    text = json.dumps(to_dict(config), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def flatten(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings as dotted ones, as ``override`` takes them."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, Mapping):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def _override(config: Any, changes: Mapping[str, Any], prefix: str) -> Any:
    hints = typing.get_type_hints(type(config))
    new: dict[str, Any] = {}
    of_groups: dict[str, dict[str, Any]] = {}
    for key, value in changes.items():
        name, _, rest = key.partition(".")
        path = prefix + key
        if name not in hints:
            raise ConfigError(
                f"there is no setting {path!r}; {type(config).__name__} has {', '.join(sorted(hints))}."
            )
        current = getattr(config, name)
        if rest:
            if not dataclasses.is_dataclass(current):
                raise ConfigError(f"setting {path!r}: {name!r} is a single value and has no parts.")
            of_groups.setdefault(name, {})[rest] = value
        elif dataclasses.is_dataclass(current):
            fields = ", ".join(f.name for f in dataclasses.fields(current))
            raise ConfigError(f"setting {path!r} is a group; set one of its parts: {fields}.")
        else:
            new[name] = _convert(path, hints[name], value)
    for name, parts in of_groups.items():
        new[name] = _override(getattr(config, name), parts, f"{prefix}{name}.")
    try:
        return dataclasses.replace(config, **new)
    except ValueError as error:
        named = [f"{prefix + key!r} = {value!r}" for key, value in changes.items()]
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        raise ConfigError(f"setting {', '.join(named[:_NAMED])}{more}: {error}") from error


def _convert(path: str, hint: Any, value: Any) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    try:
        if origin in (typing.Union, types.UnionType):
            if value is None or (isinstance(value, str) and value.lower() in ("none", "null")):
                return None
            return _convert(path, next(a for a in arguments if a is not type(None)), value)
        if origin is Literal:
            if value in arguments:
                return value
            raise ValueError(f"allowed are {', '.join(map(repr, arguments))}")
        if origin is tuple:
            items = [v for v in value.split(",") if v] if isinstance(value, str) else list(value)
            return tuple(_convert(path, arguments[0], item) for item in items)
        if hint is bool:
            return _to_bool(value)
        if hint is int and isinstance(value, float) and not value.is_integer():
            raise ValueError("a whole number is needed")
        if hint in (int, float, str):
            return hint(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"setting {path!r} = {value!r} does not fit: {error}.") from error
    return value


def _to_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if str(value).lower() not in words:
        raise ValueError("write true or false")
    return words[str(value).lower()]


_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def use_one_thread() -> None:
    """Give the numerical libraries of this process one thread, unless the environment says otherwise.

    Must come before numpy is first imported. With networks this small, threads that wait for each other cost
    several times more than they give.
    """
    for name, value in _ONE_THREAD.items():
        os.environ.setdefault(name, value)


def child_environment() -> dict[str, str]:
    """Return the environment for a worker process: ours, with one thread for numerical libraries.

    Pictures are drawn in memory, so the drawing library is told not to look for a screen.
    """
    return dict(os.environ) | _ONE_THREAD | {"SDL_VIDEODRIVER": "dummy"}


def choose_gl(backend: str | None) -> None:
    """Tell MuJoCo which GL library to use; must come before its first import in this process."""
    if backend is None:
        os.environ.pop("MUJOCO_GL", None)
    else:
        os.environ["MUJOCO_GL"] = backend
