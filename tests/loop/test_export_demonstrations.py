"""What was shown to a run goes with its answers, comes back as it was, and is learned from as before."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exported import bring, export, write

from rlhf.errors import FeedbackError
from rlhf.experience.recording import EpisodeRecorder, start_within
from rlhf.experience.tasks import get_task
from rlhf.loop.import_answers import import_answers
from rlhf.loop.learn_from_demonstrations import load_episodes
from rlhf.loop.record_demonstration import Origin, demonstrate_by_expert, keep_demonstration
from rlhf.storage import demonstrations, jobs, segments
from rlhf.storage.archives import MANIFEST
from rlhf.storage.engine import reading, writing
from rlhf.types.run import JobKind
from rlhf.ui.store import Store

Make = Callable[..., str]
TASK = get_task("pendulum-swingup")
OWN = "demonstrations.jsonl"


@pytest.fixture
def run_id(store: Store, make_run: Make, make_annotator: Make) -> str:
    """Two episodes of the expert, the first left out, and a person who took the second over."""
    made = make_run()
    demonstrate_by_expert(store.engine, store.blobs, made, 2)
    with reading(store.engine) as connection:
        left_out, origin = demonstrations.list_demonstrations(connection, made)
        whole = segments.load_segment(connection, store.blobs, origin["segment_id"])
    recorder = EpisodeRecorder(TASK, start_within(TASK, whole, 40))
    for _ in range(5):
        recorder.step(0)
    keep_demonstration(
        store.engine,
        store.blobs,
        made,
        recorder,
        annotator_id=make_annotator(),
        origin=Origin(segment_id=origin["segment_id"], step=40),
    )
    recorder.close()
    with writing(store.engine) as connection:
        demonstrations.set_voided(connection, left_out["id"], True)
    return made


def test_they_come_back_as_they_were(store: Store, other: Store, run_id: str, tmp_path: Path) -> None:
    files = export(store, run_id)
    done = bring(other, write(tmp_path / "export", files), run_id)
    assert (done.num_demonstrations, done.num_answers) == (3, 0)
    again = export(other, run_id)
    for name in files.keys() - {MANIFEST, "changes.jsonl"}:
        assert again[name] == files[name], name
    mine, theirs = (load_episodes(s.engine, s.blobs, run_id) for s in (store, other))
    assert [episode.num_steps for episode in theirs] == [200, 5]
    for one, copy in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(copy.observations, one.observations)
        np.testing.assert_array_equal(copy.actions, one.actions)
    with reading(other.engine) as connection:
        assert jobs.has_claimable(connection, (JobKind.DRAW,))  # the clips did not come along
    assert (
        import_answers(other.engine, other.blobs, tmp_path / "export", run_id, by="x").num_demonstrations == 0
    )


def test_a_copy_beside_the_original_is_of_its_own(store: Store, run_id: str, tmp_path: Path) -> None:
    bring(store, write(tmp_path / "export", export(store, run_id)), "copy-1")
    with reading(store.engine) as connection:
        rows, copies = (demonstrations.list_demonstrations(connection, one) for one in (run_id, "copy-1"))
    for row, copy in zip(rows, copies, strict=True):
        for name in ("source", "num_steps", "terminated", "annotator_id", "origin_step", "voided_at"):
            assert copy[name] == row[name]
        assert copy["segment_id"] != row["segment_id"]
    assert copies[2]["origin_id"] == copies[1]["segment_id"]


def test_true_rewards_stay_unless_they_are_asked_for(store: Store, run_id: str) -> None:
    assert not any(name.startswith("true_rewards") for name in export(store, run_id))
    rows = export(store, run_id, with_true_rewards=True)["true_rewards.jsonl"].splitlines()
    assert len(rows) == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"segment_id": "nobody"}, "line 3: .*segments.jsonl"),
        ({"origin_id": "nobody"}, "line 3: .*segments.jsonl"),
        ({"annotator_id": "nobody"}, "line 3: .*people.jsonl"),
        ({"origin_step": None}, "line 3: .*origin_step"),
        ({"origin_step": -1}, "line 3: .*origin_step"),
        ({"source": "dream"}, "line 3: .*source 'dream'"),
        ({"num_steps": 6}, "a demonstration of 6 steps, has 5"),
    ],
)
def test_a_bad_line_is_named_and_nothing_is_stored(
    store: Store, other: Store, run_id: str, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    files = export(store, run_id)
    *first, last = files[OWN].splitlines()
    files[OWN] = b"\n".join([*first, json.dumps(json.loads(last) | change).encode()])
    with pytest.raises(FeedbackError, match=said):
        bring(other, write(tmp_path / "export", files), run_id)
    with reading(other.engine) as connection:
        assert demonstrations.list_demonstrations(connection, run_id) == []


def test_those_of_another_task_are_refused(store: Store, run_id: str, make_run: Make, tmp_path: Path) -> None:
    cartpole = make_run(task="cartpole-balance")
    demonstrate_by_expert(store.engine, store.blobs, cartpole, 1)
    with pytest.raises(FeedbackError, match="another task"):
        bring(store, write(tmp_path / "export", export(store, run_id)), cartpole)
