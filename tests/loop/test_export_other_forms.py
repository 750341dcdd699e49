"""Rankings, ratings, decisions, repeats and gold pairs come back with the answers, and teach the same."""

import contextlib
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exported import bring, export, stored, write

from rlhf.errors import FeedbackError
from rlhf.loop import supervise
from rlhf.loop.fit_reward import preference_data, teaching_answers
from rlhf.loop.read_orders import read_orders
from rlhf.loop.record_item import record_item
from rlhf.loop.session import open_session
from rlhf.storage import acts, answers, demonstrations, queries, rankings, ratings
from rlhf.storage.archives import MANIFEST
from rlhf.storage.engine import reading, writing
from rlhf.types.demonstration import DemonstrationSource
from rlhf.types.feedback import Choice, PreferenceData, QueryKind
from rlhf.types.people import ActKind
from rlhf.types.run import QueryStatus
from rlhf.ui.store import Store

Make = Callable[..., str]
_BY: dict[str, str] = {"by": "boss", "reason": "test"}


class Desk:
    """A run, two people who answer and one who is only decided about, with short words for what they do."""

    def __init__(self, store: Store, run_id: str, people: list[str], pairs: list[str]) -> None:
        self.store, self.run_id, self.people, self.pairs = store, run_id, people, pairs

    def send(self, key: str, *, who: int = 0, **item: Any) -> None:
        record_item(self.store.engine, self.run_id, self.people[who], {"key": key} | item)

    def tell(self, key: str, pair: int, choice: str, **more: Any) -> None:
        self.send(key, query_id=self.pairs[pair], choice=choice, **more)

    def rank(self, key: str, first: int, second: int, places: list[tuple[int, str]]) -> None:
        clips = [[self.pairs[pair], side] for pair, side in places]
        self.send(key, form="ranking", query_ids=[self.pairs[first], self.pairs[second]], places=clips)

    def rate(self, key: str, pair: int, side: str, rating: int | None, **more: Any) -> None:
        self.send(key, form="rating", query_id=self.pairs[pair], side=side, rating=rating, **more)

    def ask_again(self, pair: int, kind: QueryKind) -> str:
        """Add a control that shows a pair of this run once more, to the first person."""
        with writing(self.store.engine) as connection:
            shown = queries.get_query(connection, self.pairs[pair])
            query_id = queries.insert_query(
                connection,
                self.run_id,
                left_id=shown["right_id"],
                right_id=shown["left_id"],
                kind=kind,
                score=None,
                predicted=None,
                policy_version=1,
                reward_version=1,
                asked_of=self.people[0],
                again=shown["id"],
            )
            queries.set_status(connection, query_id, QueryStatus.READY)
        return query_id


@pytest.fixture
def desk(
    store: Store, new_small_run: Make, make_query: Make, make_annotator: Make, make_segment: Make
) -> Desk:
    """One of everything that can be said about the pairs of a run; keys in no order of time."""
    run_id = new_small_run(teacher=None)
    desk = Desk(store, run_id, [make_annotator() for _ in range(3)], [make_query(run_id) for _ in range(14)])
    desk.tell("tell-0001", 0, "left", strength=2)
    desk.tell("tell-0002", 1, "right", who=1)
    desk.rank("rank-zzzz", 2, 3, [(3, "left"), (2, "right"), (2, "left")])
    desk.rank("rank-aaaa", 4, 5, [(5, "right")])
    desk.rank("rank-mmmm", 6, 7, [(6, "left"), (7, "left")])
    desk.send("undo-0001", form="ranking", query_ids=desk.pairs[6:8], of="rank-mmmm")
    desk.rank("rank-bbbb", 6, 7, [])
    desk.rate("rate-0001", 8, "left", 4)
    desk.rate("rate-0002", 8, "right", 2)
    desk.rate("rate-0003", 9, "left", 5)
    desk.rate("rate-0004", 9, "left", 3)
    desk.rate("rate-0005", 10, "left", 1)
    desk.rate("undo-0005", 10, "left", None, of="rate-0005")
    desk.rate("rate-0006", 10, "right", None)
    desk.send("again-001", query_id=desk.ask_again(0, QueryKind.REPEAT), choice="right")
    supervise.mark_gold(store.engine, desk.pairs[11], Choice.LEFT, **_BY)  # a pair that nobody has answered
    desk.send("gold-0001", query_id=desk.ask_again(11, QueryKind.GOLD), choice="left")
    desk.tell("tell-0003", 12, "left", who=1)
    supervise.mark_gold(store.engine, desk.pairs[12], Choice.EQUAL, **_BY)
    supervise.weigh(store.engine, run_id, desk.people[0], 0.5, **_BY)
    act = supervise.weigh(store.engine, run_id, desk.people[1], 0.0, **_BY)
    supervise.undo(store.engine, act, by="boss")
    supervise.pause(store.engine, run_id, desk.people[2], **_BY)
    shown = make_segment(run_id)
    with writing(store.engine) as connection:
        demonstrations.insert_demonstration(
            connection,
            run_id,
            shown,
            source=DemonstrationSource.PERSON,
            num_steps=3,
            terminated=True,
            annotator_id=desk.people[0],
        )
    return desk


def learned(store: Store, run_id: str) -> PreferenceData:
    with contextlib.closing(open_session(store.engine, store.blobs, run_id)) as session:
        with reading(store.engine) as connection:
            rows, weights = teaching_answers(connection, run_id)
            orders = read_orders(connection, run_id, rows)
        return preference_data(session, rows, weights, orders)


def test_everything_comes_back_byte_by_byte(desk: Desk, other: Store, tmp_path: Path) -> None:
    files = export(desk.store, desk.run_id, clips=True)
    lines = {name: files[f"{name}.jsonl"].count(b"\n") for name in ("rankings", "ratings", "acts", "people")}
    assert lines == {"rankings": 4, "ratings": 7, "acts": 6, "people": 3}
    bring(other, write(tmp_path / "export", files), desk.run_id)
    again = export(other, desk.run_id, clips=True)
    # A pair that waited there for an answer does not wait here.
    files["queries.jsonl"] = files["queries.jsonl"].replace(b'"ready"', b'"expired"')
    assert set(again) == set(files)
    for name in set(files) - {MANIFEST, "changes.jsonl"}:  # the import itself is in the log
        assert again[name] == files[name], name


@pytest.mark.parametrize("run_id", [None, "copy-1"])
def test_the_same_is_learned(desk: Desk, other: Store, tmp_path: Path, run_id: str | None) -> None:
    """Under another name in the same store too, where ids are made anew."""
    where = other if run_id is None else desk.store
    bring(
        where, write(tmp_path / "export", export(desk.store, desk.run_id, clips=True)), run_id or desk.run_id
    )
    was, now = learned(desk.store, desk.run_id), learned(where, run_id or desk.run_id)
    assert (len(was.rankings), set(was.weight.tolist())) == (2, {0.5, 1.0})
    for field in dataclasses.fields(PreferenceData):
        mine, theirs = getattr(was, field.name), getattr(now, field.name)
        if field.name == "rankings":
            mine, theirs = (np.column_stack(list(vars(one).values())) for one in (mine, theirs))
        if field.name == "first" and run_id is not None:
            # Ratings have no sides: ids decide, and these differ.
            mine, theirs = (np.sort([one.first, one.second], axis=0) for one in (was, now))
        if run_id is not None and field.name in ("second", "prob_first", "features"):
            continue
        np.testing.assert_array_equal(mine, theirs, err_msg=field.name)


def test_importing_twice_adds_nothing(desk: Desk, other: Store, tmp_path: Path) -> None:
    files = export(desk.store, desk.run_id, clips=True)
    bring(other, write(tmp_path / "first", files), desk.run_id)
    before = stored(other)
    bring(other, write(tmp_path / "second", files), desk.run_id)
    assert stored(other) == before


def test_a_newer_decision_here_is_not_replaced_by_an_older_one(
    desk: Desk, other: Store, tmp_path: Path
) -> None:
    files = export(desk.store, desk.run_id, clips=True)
    bring(other, write(tmp_path / "first", files), desk.run_id)
    supervise.weigh(other.engine, desk.run_id, desk.people[0], 0.25, **_BY)
    bring(other, write(tmp_path / "second", files), desk.run_id)
    with reading(other.engine) as connection:
        assert acts.holding(connection, desk.run_id, ActKind.WEIGHT)[desk.people[0]] == 0.25


def test_export_of_before_there_were_other_forms_comes_in(desk: Desk, other: Store, tmp_path: Path) -> None:
    files = export(desk.store, desk.run_id, clips=True)
    for name in ("rankings", "ratings", "acts"):
        del files[f"{name}.jsonl"]
    rows = [json.loads(line) for line in files["queries.jsonl"].splitlines()]
    for row in rows:
        for name in ("asked_of", "again", "wanted_answers"):
            del row[name]
    files["queries.jsonl"] = "\n".join(map(json.dumps, rows)).encode()
    bring(other, write(tmp_path / "export", files), desk.run_id)
    with reading(other.engine) as connection, reading(desk.store.engine) as mine:
        assert answers.count_standing(connection, desk.run_id) == answers.count_standing(mine, desk.run_id)
        assert rankings.list_rankings(connection, desk.run_id) == []
        assert ratings.list_standing_ratings(connection, desk.run_id) == []
    assert len(learned(other, desk.run_id).rankings) == 0


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("rankings", {"order": "abcd"}, "list of ids"),
        ("rankings", {"order": [7]}, "list of ids"),
        ("rankings", {"order": ["nobody"]}, "segments.jsonl"),
        ("rankings", {"num_ranked": 4}, "less than the 4"),
        ("rankings", {"num_ranked": -1}, "at least 0"),
        ("rankings", {"key": "../x"}, "key"),
        ("ratings", {"rating": 6}, "1 to 5"),
        ("ratings", {"segment_id": "nobody"}, "segments.jsonl"),
        ("ratings", {"query_id": "nobody"}, "queries.jsonl"),
        ("ratings", {"annotator_id": "nobody"}, "people.jsonl"),
        ("ratings", {"is_undo": True}, "must supersede"),
        ("ratings", {"supersedes": "rate-0004"}, "ratings.jsonl"),
        ("ratings", {"details": []}, "details"),
        ("acts", {"kind": "sack"}, "kind 'sack'"),
        ("acts", {"subject": "nobody"}, "queries.jsonl"),
        ("acts", {"value": "up"}, "value 'up'"),
        ("acts", {"kind": "weight", "value": 2}, "value '2'"),
        ("acts", {"kind": "pause", "value": 1}, "value '1'"),
        ("acts", {"kind": "pause", "subject": "a b"}, "subject"),
        ("answers", {"details": {"ranking": ["x"]}}, "ranking"),
        ("answers", {"details": {"strength": 3}}, "strength"),
        ("queries", {"again": "nobody"}, "queries.jsonl"),
    ],
)
def test_bad_line_is_named_and_nothing_is_stored(
    desk: Desk, other: Store, tmp_path: Path, name: str, change: dict[str, Any], said: str
) -> None:
    files = export(desk.store, desk.run_id, clips=True)
    first, rest = files[f"{name}.jsonl"].split(b"\n", 1)
    files[f"{name}.jsonl"] = json.dumps(json.loads(first) | change).encode() + b"\n" + rest
    before = stored(other)
    with pytest.raises(FeedbackError, match=rf"{name}.jsonl line 1: .*{said}"):
        bring(other, write(tmp_path / "export", files), desk.run_id)
    assert stored(other) == before
