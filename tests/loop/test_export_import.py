"""What is exported comes back as it was; what is damaged, foreign or hostile comes back not at all."""

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from exported import Files, bring, export, stored, write

from rlhf.errors import FeedbackError, NotFoundError
from rlhf.loop.export_answers import everything, safe_cell, table
from rlhf.loop.export_arrays import arrays, true_reward_arrays
from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.loop.void_answers import answer_again, restore_answer, void_answers
from rlhf.storage import answers, runs, schema
from rlhf.storage.answer_search import AnswerFilter, get_answer
from rlhf.storage.archives import MANIFEST, zipped
from rlhf.storage.engine import reading, writing
from rlhf.types.feedback import Choice
from rlhf.types.run import RunState
from rlhf.ui.store import Store

Make = Callable[..., str]


@pytest.fixture
def run_id(store: Store, make_run: Make, make_query: Make, make_annotator: Make) -> str:
    """Two people, six pairs; an undo, a replacement, a void, a restored answer and one answered anew."""
    run_id, people = make_run(), [make_annotator(), make_annotator()]
    pairs = [make_query(run_id) for _ in range(6)]

    def give(key: str, pair: int, choice: Choice, **more: Any) -> None:
        answer = Answer(key=key, query_id=pairs[pair], choice=choice, **more)
        record_answer(store.engine, run_id, people[pair % 2], answer)

    give("answer-00", 0, Choice.LEFT, details={"comment": "=1+1 — fällt", "tags": ["Fast"], "strength": 2})
    give("answer-01", 1, Choice.RIGHT, shown_at=1.25, answered_at=4.5)
    give("answer-02", 2, Choice.EQUAL, is_swapped=True)
    give("answer-03", 2, Choice.SKIP)
    give("answer-04", 3, Choice.LEFT)
    give("undo-0004", 3, Choice.UNDO, takes_back="answer-04")
    for key, pair in (("answer-05", 4), ("answer-06", 5)):
        give(key, pair, Choice.LEFT)
        with reading(store.engine) as connection:
            found = get_answer(connection, run_id, key)["id"]
        void_answers(store.engine, AnswerFilter(run_id=run_id, answer_id=found), by="boss", reason="test")
    restore_answer(store.engine, run_id, "answer-06", by="boss")
    answer_again(store.engine, run_id, "answer-01", Choice.LEFT, by="boss", replaces=True)
    return run_id


def counts(store: Store, run_id: str) -> dict[Choice, int]:
    with reading(store.engine) as connection:
        return answers.count_standing(connection, run_id)


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_round_trip_gives_the_same_bytes(
    store: Store, other: Store, run_id: str, tmp_path: Path, kind: str
) -> None:
    files = export(store, run_id, clips=True)
    if kind == "zip":
        path = tmp_path / "export.zip"
        path.write_bytes(b"".join(zipped(everything(store.engine, store.blobs, run_id, clips=True))))
    else:
        path = write(tmp_path / "export", files)
    done = bring(other, path, run_id)
    again = export(other, run_id, clips=True)
    # A pair that waited there for an answer does not wait here.
    files["queries.jsonl"] = files["queries.jsonl"].replace(b'"ready"', b'"expired"')
    for name in files:
        if name not in (MANIFEST, "changes.jsonl"):  # the import itself is in the log
            assert again[name] == files[name], name
    assert counts(other, run_id) == counts(store, run_id)
    assert (done.is_new_run, done.num_answers, done.num_known) == (True, 13, 0)
    with reading(other.engine) as connection:
        assert runs.get_run(connection, run_id)["state"] is RunState.CREATED


def test_importing_twice_adds_nothing(store: Store, other: Store, run_id: str, tmp_path: Path) -> None:
    path = write(tmp_path / "export", export(store, run_id))
    bring(other, path, run_id)
    before = stored(other)
    again = bring(other, path, run_id)
    assert (again.num_answers, again.num_known, again.is_new_run) == (0, 13, False)
    assert stored(other) == before


def test_copy_beside_the_original_gets_ids_of_its_own(store: Store, run_id: str, tmp_path: Path) -> None:
    path = write(tmp_path / "export", export(store, run_id))
    for _ in range(2):
        bring(store, path, "copy-1")
        assert counts(store, "copy-1") == counts(store, run_id)
    with reading(store.engine) as connection:
        mine = [answers.standing_answers(connection, found) for found in (run_id, "copy-1")]
    assert not {row["query_id"] for row in mine[0]} & {row["query_id"] for row in mine[1]}
    assert [row["choice"] for row in mine[0]] == [row["choice"] for row in mine[1]]


def test_newer_answers_are_added_to_a_run_that_has_the_older_ones(
    store: Store, other: Store, run_id: str, make_query: Make, make_annotator: Make, tmp_path: Path
) -> None:
    bring(other, write(tmp_path / "first", export(store, run_id)), run_id)
    answer = Answer(key="answer-99", query_id=make_query(run_id), choice=Choice.RIGHT)
    record_answer(store.engine, run_id, make_annotator(), answer)
    done = bring(other, write(tmp_path / "second", export(store, run_id)), run_id)
    assert done.num_answers == 1
    assert counts(other, run_id) == counts(store, run_id)


def test_unknown_fields_are_kept_in_the_details(
    store: Store, other: Store, run_id: str, tmp_path: Path
) -> None:
    files = export(store, run_id)
    lines = files["answers.jsonl"].decode().splitlines()
    lines[0] = json.dumps(json.loads(lines[0]) | {"mood": "good"})
    files["answers.jsonl"] = "\n".join(lines).encode()
    bring(other, write(tmp_path / "export", files), run_id)
    with reading(other.engine) as connection:
        row = answers.find_by_key(connection, "answer-00")
    assert row is not None
    assert row["details"]["mood"] == "good"
    assert row["details"]["strength"] == 2


@pytest.mark.parametrize(
    ("name", "line", "change", "said"),
    [
        ("answers.jsonl", 2, {"choice": "lefft"}, "choice 'lefft'"),
        ("answers.jsonl", 3, {"query_id": "0" * 32}, "queries.jsonl"),
        ("answers.jsonl", 2, {"key": "answer-00"}, "twice"),
        ("answers.jsonl", 1, {"key": "../../x"}, "key"),
        ("answers.jsonl", 1, {"received_at": "now"}, "received_at"),
        ("answers.jsonl", 1, {"received_at": None}, "received_at"),
        ("answers.jsonl", 1, {"is_late": 1}, "is_late"),
        ("answers.jsonl", 1, {"supersedes": "answer-01"}, "answers.jsonl"),
        ("answers.jsonl", 1, {"details": []}, "details"),
        ("answers.jsonl", 1, {"details": {"tags": [1]}}, "tags"),
        ("answers.jsonl", 1, {"details": {"comment": "x" * 30_000}}, "details"),
        ("queries.jsonl", 4, {"left_id": "nobody"}, "segments.jsonl"),
        ("segments.jsonl", 1, {"arrays": "0" * 64 + ".npz"}, "not in the export"),
        ("segments.jsonl", 1, {"arrays": "../../../etc/passwd"}, "not in the export"),
        ("people.jsonl", 1, {"name": "\ud800"}, "name"),
        ("people.jsonl", 1, {"is_teacher": None}, "is_teacher"),
    ],
)
def test_bad_line_is_named_and_nothing_is_stored(
    store: Store,
    other: Store,
    run_id: str,
    tmp_path: Path,
    name: str,
    line: int,
    change: dict[str, Any],
    said: str,
) -> None:
    files = export(store, run_id)
    lines = files[name].decode().splitlines()
    lines[line - 1] = json.dumps(json.loads(lines[line - 1]) | change)
    files[name] = "\n".join(lines).encode()
    before = stored(other)
    with pytest.raises(FeedbackError, match=rf"{name} line {line}: .*{said}"):
        bring(other, write(tmp_path / "export", files), run_id)
    assert stored(other) == before


def test_answers_that_were_changed_here_and_there_are_refused_whole(
    store: Store, other: Store, run_id: str, tmp_path: Path
) -> None:
    bring(other, write(tmp_path / "first", export(store, run_id)), run_id)
    for where, key in ((store, "changed-there"), (other, "changed-here")):
        with reading(where.engine) as connection:
            row = answers.find_by_key(connection, "answer-00")
        assert row is not None
        answer = Answer(key=key, query_id=row["query_id"], choice=Choice.RIGHT)
        record_answer(where.engine, run_id, row["annotator_id"], answer)
    before = stored(other)
    with pytest.raises(FeedbackError, match="both in the file and here"):
        bring(other, write(tmp_path / "second", export(store, run_id)), run_id)
    assert stored(other) == before


def test_segments_of_another_shape_do_not_join_a_run(
    store: Store, other: Store, run_id: str, tmp_path: Path
) -> None:
    files = export(store, run_id)
    bring(other, write(tmp_path / "first", files), run_id)
    longer: Files = {}
    text = files["segments.jsonl"].decode()
    for name, data in files.items():
        if not name.startswith("segments/"):
            longer[name] = data
            continue
        with np.load(io.BytesIO(data)) as found:
            parts = {key: found[key] for key in found.files}
        parts["observations"] = np.repeat(parts["observations"], 2, axis=1)
        buffer = io.BytesIO()
        np.savez(buffer, **parts)
        blob = hashlib.sha256(buffer.getvalue()).hexdigest() + ".npz"
        longer[f"segments/{blob}"] = buffer.getvalue()
        text = text.replace(name.removeprefix("segments/"), blob)
    longer["segments.jsonl"] = text.encode()
    with pytest.raises(FeedbackError, match="not like those of run"):
        bring(other, write(tmp_path / "second", longer), run_id)


def _with_arrays(files: Files, data: bytes) -> Files:
    """The first segment's arrays replaced, under a name that fits."""
    old = next(name for name in files if name.startswith("segments/"))
    new = hashlib.sha256(data).hexdigest() + ".npz"
    text = files["segments.jsonl"].replace(old.removeprefix("segments/").encode(), new.encode())
    return {k: v for k, v in files.items() if k != old} | {"segments.jsonl": text, f"segments/{new}": data}


def _pickled() -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, observations=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return buffer.getvalue()


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 no zip", _pickled()])
def test_arrays_that_are_none_or_need_pickle_are_refused(
    store: Store, other: Store, run_id: str, tmp_path: Path, data: bytes
) -> None:
    files = _with_arrays(export(store, run_id), data)
    with pytest.raises(FeedbackError, match="is not a segment"):
        bring(other, write(tmp_path / "export", files), run_id)
    assert stored(other)["runs"] == 0


@pytest.mark.parametrize(
    "manifest", [{"format": "something"}, {"format_version": 99}, {"run": None}, {"run": {"id": "x"}}]
)
def test_foreign_manifest_is_refused(
    store: Store, other: Store, run_id: str, tmp_path: Path, manifest: dict[str, Any]
) -> None:
    with pytest.raises(FeedbackError, match=r"format|manifest"):
        bring(other, write(tmp_path / "export", export(store, run_id), manifest), run_id)


def test_missing_run_is_not_found(store: Store) -> None:
    with pytest.raises(NotFoundError, match="no run 'nothing'"):
        export(store, "nothing")
    with pytest.raises(NotFoundError, match="no run 'nothing'"):
        list(table(store.engine, "nothing"))


def test_true_rewards_are_left_out_unless_they_are_asked_for(store: Store, run_id: str) -> None:
    assert not any("true" in name for name in export(store, run_id, clips=True))
    files = export(store, run_id, with_true_rewards=True)
    rows = [json.loads(line) for line in files["true_rewards.jsonl"].splitlines()]
    assert len(rows) == 12
    with np.load(io.BytesIO(files[f"true_rewards/{rows[0]['true_rewards']}"])) as found:
        assert found["true_rewards"].tolist() == [0.0, 1.0, 2.0]


def test_names_of_people_are_all_that_is_told_of_them(store: Store, run_id: str) -> None:
    rows = [json.loads(line) for line in export(store, run_id)["people.jsonl"].splitlines()]
    assert all(set(row) == {"id", "name", "is_teacher", "created_at"} for row in rows)


def test_table_holds_every_answer_and_no_formula(store: Store, run_id: str) -> None:
    rows = list(csv.DictReader(io.StringIO(b"".join(table(store.engine, run_id)).decode())))
    assert len(rows) == 9
    first = rows[0]
    assert (first["choice"], first["comment"], first["tags"]) == ("left", "'=1+1 — fällt", "Fast")
    assert {row["status"] for row in rows} == {"standing", "undone", "replaced", "voided"}
    assert rows[1]["seconds"] == "3.25"
    assert rows[1]["shown_at"] == "1970-01-01T00:00:01.250000+00:00"


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\tx", "\rx", " =1"])
def test_text_that_begins_like_a_formula_is_neutralised(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["a=1", "", None, -1.5, 3])
def test_other_cells_stay_as_they_are(value: object) -> None:
    assert safe_cell(value) == value


def test_arrays_are_pairs_of_segments_with_labels(store: Store, run_id: str, tmp_path: Path) -> None:
    path = tmp_path / "pairs.npz"
    path.write_bytes(b"".join(zipped(arrays(store.engine, store.blobs, run_id))))
    with np.load(path, allow_pickle=False) as found:
        data = {name: found[name] for name in found.files}
    with reading(store.engine) as connection:
        rows = [r for r in answers.standing_answers(connection, run_id) if r["choice"] is not Choice.SKIP]
    assert data["observations"].shape == data["next_observations"].shape == (12, 3, 2)
    assert (data["actions"].shape, data["absorbing"].shape) == ((12, 3, 1), (12, 3))
    ids = data["segment_ids"].tolist()
    assert [[ids[a], ids[b]] for a, b in data["pairs"]] == [[r["left_id"], r["right_id"]] for r in rows]
    assert data["labels"].tolist() == [1.0 if r["choice"] is Choice.LEFT else 0.0 for r in rows]
    people = data["annotator_ids"].tolist()
    assert [people[who] for who in data["annotator"]] == [r["annotator_id"] for r in rows]
    assert not any("true" in name for name in data)


def test_true_rewards_are_arrays_of_their_own(store: Store, run_id: str) -> None:
    data = io.BytesIO(b"".join(zipped(true_reward_arrays(store.engine, store.blobs, run_id))))
    with np.load(data, allow_pickle=False) as found:
        assert found["true_rewards"].shape == (12, 3)
        assert len(found["segment_ids"]) == 12


def test_run_without_answers_has_no_arrays(store: Store, make_run: Make) -> None:
    with pytest.raises(FeedbackError, match="no answers"):
        list(arrays(store.engine, store.blobs, make_run()))


def test_export_is_of_one_moment(store: Store, run_id: str, make_query: Make, make_annotator: Make) -> None:
    """An answer that comes while it is written is wholly in it or wholly not."""
    entries = everything(store.engine, store.blobs, run_id)
    first = next(entries)
    data = {first.name: b"".join(first.chunks)}
    answer = Answer(key="answer-99", query_id=make_query(run_id), choice=Choice.RIGHT)
    record_answer(store.engine, run_id, make_annotator(), answer)
    data |= {entry.name: b"".join(entry.chunks) for entry in entries}
    asked = {json.loads(line)["query_id"] for line in data["answers.jsonl"].splitlines()}
    assert {json.loads(line)["id"] for line in data["queries.jsonl"].splitlines()} == asked


def test_zip_is_the_same_each_time(store: Store, run_id: str) -> None:
    first, second = (b"".join(zipped(everything(store.engine, store.blobs, run_id))) for _ in range(2))
    assert first == second
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.testzip() is None


def test_import_is_in_the_log(store: Store, other: Store, run_id: str, tmp_path: Path) -> None:
    bring(other, write(tmp_path / "export", export(store, run_id)), run_id)
    with writing(other.engine) as connection:
        query = sa.select(schema.answer_changes).where(schema.answer_changes.c.kind == "import")
        (row,) = connection.execute(query).mappings()
    assert (row["by"], row["num_answers"], row["reason"]) == ("tester", 13, "from export")
