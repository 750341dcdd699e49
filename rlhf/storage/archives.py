"""Files that go together: written as a folder, a zip file or a stream, and read back with suspicion.

Nothing is ever half there: bytes go to a temporary name that is renamed when they are complete. What is read
may come from anybody: names that lead elsewhere, files that are too large, and bytes that do not fit the
manifest are refused, and nothing is ever unpacked to the disk.
"""

import contextlib
import dataclasses
import hashlib
import io
import json
import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from rlhf.errors import ConfigError, FeedbackError, NotFoundError, StorageError

MANIFEST = "manifest.json"
_NAME = re.compile(r"[a-z0-9_]{1,40}(/[0-9a-f]{64})?\.[a-z0-9]{1,8}")
_MAX_BYTES = 64 * 2**30
_MAX_BLOB = 256 * 2**20
_MAX_LINE = 2**20
_CHUNK = 2**20
_LINK = 0o120000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """One file to write; its chunks are read once, before the next entry is asked for."""

    name: str
    chunks: Iterable[bytes]
    is_packed: bool = False
    """Whether its bytes are compressed already."""


def with_manifest(entries: Iterable[Entry], manifest: dict[str, Any]) -> Iterator[Entry]:
    """Yield the entries and, at the end, a manifest with the SHA-256 and length of each."""
    files: dict[str, dict[str, Any]] = {}
    for entry in entries:
        yield dataclasses.replace(entry, chunks=_described(entry, files))
    text = json.dumps(manifest | {"files": files}, indent=1, sort_keys=True)
    yield Entry(name=MANIFEST, chunks=[text.encode() + b"\n"])


def zipped(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Yield a zip file piece by piece; the same entries give the same bytes."""
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:
        for entry in entries:
            info = zipfile.ZipInfo(entry.name)
            info.compress_type = zipfile.ZIP_STORED if entry.is_packed else zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            with archive.open(info, "w", force_zip64=True) as file:
                for chunk in entry.chunks:
                    file.write(chunk)
                    yield pipe.take()
    yield pipe.take()


def write_file(path: Path, chunks: Iterable[bytes], *, force: bool) -> None:
    """Write a file, whole or not at all.

    Raises:
        ConfigError: there is something of that name and ``force`` is not given.
        StorageError: the disk is full or not writable.
    """
    _check_target(path, force=force)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise StorageError(f"{path} could not be written: {error}.") from error
    finally:
        part.unlink(missing_ok=True)


def write_folder(path: Path, entries: Iterable[Entry], *, force: bool) -> None:
    """Write a folder, whole or not at all; with ``force`` in place of an earlier one.

    Raises:
        ConfigError: there is something of that name, or it is no folder that this wrote.
        StorageError: the disk is full or not writable.
    """
    _check_target(path, force=force)
    if path.exists() and not (path / MANIFEST).is_file():
        raise ConfigError(f"{path} is not an earlier export, so it is not replaced; choose another name.")
    part, old = (path.with_name(f"{path.name}.{os.getpid()}.{word}") for word in ("part", "old"))
    try:
        for entry in entries:
            target = part / entry.name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                file.writelines(entry.chunks)
        if path.exists():
            path.rename(old)
        part.rename(path)
    except OSError as error:
        raise StorageError(f"{path} could not be written: {error}.") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


class Archive:
    """A folder or zip file with a manifest, opened for reading; use it as a context.

    Raises:
        NotFoundError: there is none of that name.
        FeedbackError: it is no such archive, or holds what it must not.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise NotFoundError(f"there is no {path}.")
        self._path = path
        self._zip = None if path.is_dir() else _open_zip(path)
        data = b"".join(self._read(MANIFEST, _MAX_BLOB)) if self._has(MANIFEST) else b""
        try:
            self.manifest: dict[str, Any] = json.loads(data)
            self._files: dict[str, Any] = self.manifest["files"]
            names = list(self._files)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise FeedbackError(f"{path} is no export: its {MANIFEST} is missing or damaged.") from error
        for name in names:
            _check_name(name)
            if not self._has(name):
                raise FeedbackError(f"{path} is not complete: it lacks {name}.")

    def __enter__(self) -> "Archive":
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the zip file."""
        if self._zip is not None:
            self._zip.close()

    def __contains__(self, name: str) -> bool:
        """Return whether the manifest names this file."""
        return name in self._files

    def read(self, name: str) -> bytes:
        """Return one file's bytes, checked against the manifest."""
        return b"".join(self._checked(name, _MAX_BLOB))

    def objects(self, name: str) -> Iterator[tuple[int, Any]]:
        """Yield the number and the content of every line of a file of JSON objects; none if it is not there.

        Raises:
            FeedbackError: a line is no JSON; or, after the last one, the file does not fit the manifest.
        """
        if name not in self:
            return
        rest, number = b"", 0
        for chunk in self._checked(name, _MAX_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                number += 1
                yield number, _parsed(name, number, line)
            if len(rest) > _MAX_LINE:
                raise FeedbackError(f"{name} line {number + 1} is longer than {_MAX_LINE} bytes.")
        if rest:
            yield number + 1, _parsed(name, number + 1, rest)

    def _checked(self, name: str, limit: int) -> Iterator[bytes]:
        sha = hashlib.sha256()
        if name not in self:
            raise FeedbackError(f"{self._path} lacks {name}.")
        for chunk in self._read(name, limit):
            sha.update(chunk)
            yield chunk
        said = self._files[name]
        if not isinstance(said, dict) or sha.hexdigest() != said.get("sha256"):
            raise FeedbackError(f"{name} in {self._path} is not what was exported: its SHA-256 differs.")

    def _has(self, name: str) -> bool:
        if self._zip is not None:
            return name in self._zip.NameToInfo
        return (self._path / name).is_file() and not (self._path / name).is_symlink()

    def _read(self, name: str, limit: int) -> Iterator[bytes]:
        seen = 0
        try:
            with self._open(name) as file:
                while chunk := file.read(_CHUNK):
                    seen += len(chunk)
                    if seen > limit:
                        raise FeedbackError(f"{name} in {self._path} is larger than {limit} bytes.")
                    yield chunk
        except (
            OSError,
            EOFError,
            zlib.error,
            zipfile.BadZipFile,
            NotImplementedError,
            RuntimeError,
        ) as error:
            raise FeedbackError(f"{name} in {self._path} cannot be read: {error}") from error

    def _open(self, name: str) -> contextlib.AbstractContextManager[IO[bytes]]:
        return (self._path / name).open("rb") if self._zip is None else self._zip.open(name)


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise FeedbackError(f"{path} is neither a folder nor a zip file: {error}.") from error
    for info in archive.infolist():
        _check_name(info.filename)
        if (info.external_attr >> 16) & 0o170000 == _LINK:
            raise FeedbackError(f"{path}: {info.filename} is a link; an export has none.")
    return archive


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise FeedbackError(f"{name[:80]!r} is not the name of a file of an export.")


def _check_target(path: Path, *, force: bool) -> None:
    if not path.parent.is_dir():
        raise ConfigError(f"there is no folder {path.parent}; make it first.")
    if path.exists() and not force:
        raise ConfigError(f"{path} exists already; --force replaces it.")


def _parsed(name: str, number: int, line: bytes) -> Any:
    def refuse(word: str) -> Any:
        raise ValueError(f"{word} is no number of JSON")

    try:
        return json.loads(line, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise FeedbackError(f"{name} line {number} is no JSON: {error}.") from error


def _described(entry: Entry, files: dict[str, dict[str, Any]]) -> Iterator[bytes]:
    sha, length = hashlib.sha256(), 0
    for chunk in entry.chunks:
        sha.update(chunk)
        length += len(chunk)
        yield chunk
    files[entry.name] = {"sha256": sha.hexdigest(), "bytes": length}


class _Pipe(io.RawIOBase):
    """What a zip file is written into and taken out of again, piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data
