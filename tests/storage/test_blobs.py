"""Content-addressed files: whole or absent, never half, and never outside their folder."""

import hashlib
import io
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from rlhf.config import PROJECT_ROOT, child_environment
from rlhf.errors import NotFoundError, StorageError
from rlhf.storage.blobs import Blobs

NAME = "0" * 64


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(str(tmp_path / "blobs"))


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_name_is_the_hash_of_the_content(blobs: Blobs) -> None:
    assert blobs.write(b"clip", "mp4") == f"{hashlib.sha256(b'clip').hexdigest()}.mp4"


def test_read_returns_what_was_written(blobs: Blobs) -> None:
    assert blobs.read(blobs.write(bytes(range(256)), "bin")) == bytes(range(256))


def test_empty_blob_is_a_blob(blobs: Blobs) -> None:
    assert blobs.read(blobs.write(b"", "bin")) == b""


def test_writing_twice_stores_once(blobs: Blobs, tmp_path: Path) -> None:
    name = blobs.write(b"same", "bin")
    blobs.write(b"same", "bin")
    assert _files(tmp_path) == [name]


def test_writers_of_the_same_content_do_not_disturb_each_other(blobs: Blobs, tmp_path: Path) -> None:
    data = bytes(200_000)
    threads = [threading.Thread(target=blobs.write, args=(data, "bin")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (name,) = _files(tmp_path)
    assert blobs.read(name) == data


def test_damaged_blob_is_noticed(blobs: Blobs) -> None:
    name = blobs.write(b"checkpoint", "npz")
    path = blobs.local_path(name)
    assert path is not None
    path.write_bytes(b"checkpoinT")
    with pytest.raises(StorageError, match="damaged"):
        blobs.read(name)


def test_truncated_blob_is_noticed(blobs: Blobs) -> None:
    name = blobs.write_arrays({"x": np.arange(100)})
    path = blobs.local_path(name)
    assert path is not None
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StorageError, match="damaged"):
        blobs.read_arrays(name)


def test_missing_blob_is_not_found(blobs: Blobs) -> None:
    with pytest.raises(NotFoundError, match=NAME):
        blobs.read(f"{NAME}.npz")


def test_deleted_blob_is_gone_and_may_be_deleted_again(blobs: Blobs) -> None:
    name = blobs.write(b"old", "bin")
    blobs.delete(name)
    blobs.delete(name)
    with pytest.raises(NotFoundError):
        blobs.read(name)


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        f"../{NAME}.npz",
        f"{NAME}.npz/../../secret",
        f"{NAME}.n/z",
        f"{NAME}.npz\n",
        f"{NAME}",
        f"{NAME[1:]}.npz",
        f"{'A' * 64}.npz",
        "",
    ],
)
@pytest.mark.parametrize("verb", ["read", "delete", "local_path", "read_arrays"])
def test_name_that_is_no_blob_name_is_refused(blobs: Blobs, verb: str, name: str) -> None:
    with pytest.raises(NotFoundError):
        getattr(blobs, verb)(name)


@pytest.mark.parametrize("suffix", ["../x", "n/z", "", "NPZ"])
def test_suffix_that_makes_no_blob_name_is_refused(blobs: Blobs, tmp_path: Path, suffix: str) -> None:
    with pytest.raises(NotFoundError):
        blobs.write(b"data", suffix)
    assert _files(tmp_path) == []


def test_arrays_and_json_come_back_equal(blobs: Blobs) -> None:
    arrays = {
        "weights": np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32),
        "mask": np.array([True, False]),
        "policy:steps": np.array(7, np.int64),
        "empty": np.zeros((0, 5)),
        "odd": np.array([np.nan, np.inf, -0.0]),
    }
    details = {"format_version": 1, "nested": {"list": [1, 2.5, None, "ä"]}, "big": 2**70}
    found, found_details = blobs.read_arrays(blobs.write_arrays(arrays, details))
    assert found_details == details
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_arrays_stored_without_compression_come_back_equal_and_take_their_full_size(blobs: Blobs) -> None:
    arrays = {"zeros": np.zeros(10_000)}
    name = blobs.write_arrays(arrays, {"a": 1}, compress=False)
    read, details = blobs.read_arrays(name)
    np.testing.assert_array_equal(read["zeros"], arrays["zeros"])
    assert details == {"a": 1}
    assert len(blobs.read(name)) > arrays["zeros"].nbytes > len(blobs.read(blobs.write_arrays(arrays)))


def test_arrays_without_details_have_empty_ones(blobs: Blobs) -> None:
    assert blobs.read_arrays(blobs.write_arrays({"x": np.ones(2)}))[1] == {}


def test_equal_arrays_share_a_blob(blobs: Blobs) -> None:
    assert blobs.write_arrays({"x": np.ones(3)}) == blobs.write_arrays({"x": np.ones(3)})


def test_objects_are_not_stored(blobs: Blobs, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="pickle"):
        blobs.write_arrays({"x": np.array([object()])})
    assert _files(tmp_path) == []


def _npy(array: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)  # type: ignore[arg-type]
    return buffer.getvalue()


def _pickled_npz() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, x=np.array([{"a": 1}], dtype=object))
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [b"", b"not arrays", b"PK\x03\x04 broken", _npy(np.ones(3)), _pickled_npz()],
    ids=["empty", "text", "broken-zip", "one-npy", "pickled"],
)
def test_blob_that_holds_no_arrays_is_reported(blobs: Blobs, data: bytes) -> None:
    name = blobs.write(data, "npz")
    with pytest.raises(StorageError, match="does not hold arrays"):
        blobs.read_arrays(name)


def test_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="RLHF_BLOB_URL"):
        Blobs(str(tmp_path / "file" / "blobs")).write(b"data", "bin")


FILL = """
import resource, sys
from rlhf.errors import StorageError
from rlhf.storage.blobs import Blobs
blobs = Blobs(sys.argv[1])
print(blobs.write(b"small", "bin"))
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    blobs.write(bytes(100_000), "bin")
except StorageError as error:
    print("StorageError:", error)
"""


def test_full_disk_leaves_no_part_of_a_blob(tmp_path: Path) -> None:
    """The limit on the file size makes the write itself fail half way, as a full disk would."""
    done = subprocess.run(
        [sys.executable, "-c", FILL, str(tmp_path)],
        cwd=PROJECT_ROOT,
        env=child_environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    small, message = done.stdout.splitlines()
    assert message.startswith("StorageError: 100000 bytes could not be written")
    assert _files(tmp_path) == [small]


def test_other_file_systems_work_alike() -> None:
    blobs = Blobs("memory://blobs-test")
    name = blobs.write(b"clip", "mp4")
    assert blobs.write(b"clip", "mp4") == name
    assert blobs.read(name) == b"clip"
    assert blobs.local_path(name) is None
    blobs.delete(name)
    with pytest.raises(NotFoundError):
        blobs.read(name)
