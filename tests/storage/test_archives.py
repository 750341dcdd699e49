"""Files that go together are written whole, and read with suspicion."""

import hashlib
import io
import json
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rlhf.errors import ConfigError, FeedbackError, NotFoundError
from rlhf.storage import archives
from rlhf.storage.archives import (
    MANIFEST,
    Archive,
    Entry,
    with_manifest,
    write_file,
    write_folder,
    zipped,
)

LINES = b'{"a": 1}\n{"b": [2]}\n'


def entries() -> Iterator[Entry]:
    yield from with_manifest([Entry(name="answers.jsonl", chunks=[LINES[:5], LINES[5:]])], {"about": "x"})


def _zip(path: Path, files: dict[str, bytes], *, mode: int = 0o644) -> Path:
    described = {n: {"sha256": hashlib.sha256(d).hexdigest(), "bytes": len(d)} for n, d in files.items()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (files | {MANIFEST: json.dumps({"files": described}).encode()}).items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, data)
    return path


@pytest.fixture(params=["folder", "zip"])
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / ("x.zip" if request.param == "zip" else "x")
    if request.param == "zip":
        write_file(path, zipped(entries()), force=False)
    else:
        write_folder(path, entries(), force=False)
    return path


def test_what_was_written_is_read(written: Path) -> None:
    with Archive(written) as archive:
        assert list(archive.objects("answers.jsonl")) == [(1, {"a": 1}), (2, {"b": [2]})]
        assert archive.read("answers.jsonl") == LINES
        assert archive.manifest["about"] == "x"
        assert list(archive.objects("people.jsonl")) == []


def test_nothing_is_overwritten_without_force(written: Path) -> None:
    before = written.stat().st_mtime_ns
    with pytest.raises(ConfigError, match="--force"):
        write_file(written, [b"new"], force=False)
    with pytest.raises(ConfigError, match="--force"):
        write_folder(written, entries(), force=False)
    assert written.stat().st_mtime_ns == before


def test_folder_that_is_no_export_is_never_replaced(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "precious").write_text("mine")
    with pytest.raises(ConfigError, match="not an earlier export"):
        write_folder(home, entries(), force=True)
    assert (home / "precious").read_text() == "mine"


def test_earlier_export_is_replaced_by_force(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_folder(path, with_manifest([Entry(name="old.jsonl", chunks=[b""])], {}), force=False)
    write_folder(path, entries(), force=True)
    assert sorted(found.name for found in path.iterdir()) == ["answers.jsonl", MANIFEST]
    assert [found.name for found in tmp_path.iterdir()] == ["x"]


def _breaks() -> Iterator[bytes]:
    yield b"half"
    raise NotFoundError("a blob is gone")


def test_failure_half_way_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        write_file(tmp_path / "x.csv", _breaks(), force=False)
    with pytest.raises(NotFoundError):
        write_folder(tmp_path / "x", [Entry(name="answers.jsonl", chunks=_breaks())], force=False)
    assert list(tmp_path.iterdir()) == []


def test_changed_byte_is_noticed(tmp_path: Path) -> None:
    write_folder(tmp_path / "x", entries(), force=False)
    (tmp_path / "x" / "answers.jsonl").write_bytes(LINES.replace(b"1", b"7"))
    with Archive(tmp_path / "x") as archive, pytest.raises(FeedbackError, match="SHA-256"):
        list(archive.objects("answers.jsonl"))


@pytest.mark.parametrize(
    "name",
    ["../evil.jsonl", "/etc/passwd", "a/../b.jsonl", "..\\evil.jsonl", "segments/short.npz", "c:x.npz"],
)
def test_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FeedbackError, match="not the name of a file"):
        Archive(_zip(tmp_path / "x.zip", {name: b""}))


def test_name_in_a_manifest_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.jsonl").write_bytes(b"{}\n")
    write_folder(tmp_path / "x", entries(), force=False)
    about = {"files": {"../secret.jsonl": {"sha256": hashlib.sha256(b"{}\n").hexdigest()}}}
    (tmp_path / "x" / MANIFEST).write_text(json.dumps(about))
    with pytest.raises(FeedbackError, match="not the name of a file"):
        Archive(tmp_path / "x")


def test_links_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FeedbackError, match="link"):
        Archive(_zip(tmp_path / "x.zip", {"answers.jsonl": b"/etc/passwd"}, mode=stat.S_IFLNK | 0o777))
    write_folder(tmp_path / "x", entries(), force=False)
    (tmp_path / "x" / "answers.jsonl").unlink()
    (tmp_path / "x" / "answers.jsonl").symlink_to("/etc/passwd")
    with pytest.raises(FeedbackError, match=r"lacks answers\.jsonl"):
        Archive(tmp_path / "x")


def test_file_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_MAX_BLOB", 2**20)
    name = f"segments/{'0' * 64}.npz"
    with (
        Archive(_zip(tmp_path / "x.zip", {name: bytes(2**21)})) as archive,
        pytest.raises(FeedbackError, match="larger than"),
    ):
        archive.read(name)


def test_line_without_end_is_refused(tmp_path: Path) -> None:
    with (
        Archive(_zip(tmp_path / "x.zip", {"answers.jsonl": b"[" * 3 * 2**20})) as archive,
        pytest.raises(FeedbackError, match="line 1 is longer"),
    ):
        list(archive.objects("answers.jsonl"))


@pytest.mark.parametrize("line", [b"{", b"NaN", b'{"a": Infinity}', b"\xff\xfe", b"[" * 100_000])
def test_line_that_is_no_json_is_named(tmp_path: Path, line: bytes) -> None:
    with (
        Archive(_zip(tmp_path / "x.zip", {"answers.jsonl": b"{}\n" + line + b"\n"})) as archive,
        pytest.raises(FeedbackError, match=r"answers.jsonl line 2 is no JSON"),
    ):
        list(archive.objects("answers.jsonl"))


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_export_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(data)
    with pytest.raises(FeedbackError):
        Archive(path)


@pytest.mark.parametrize("at", [63, 65, 70, 75])  # in the bytes of the first file
def test_damaged_zip_is_refused(tmp_path: Path, at: int) -> None:
    data = bytearray(b"".join(zipped(entries())))
    data[at] ^= 0xFF
    path = tmp_path / "x.zip"
    path.write_bytes(data)
    with Archive(path) as archive, pytest.raises(FeedbackError, match=r"cannot be read|SHA-256|no JSON"):
        list(archive.objects("answers.jsonl"))


def test_zip_can_be_read_by_others() -> None:
    with zipfile.ZipFile(io.BytesIO(b"".join(zipped(entries())))) as archive:
        assert archive.testzip() is None
        assert archive.read("answers.jsonl") == LINES


def test_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        Archive(tmp_path / "none")
