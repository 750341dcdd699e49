"""A run as large as people's are after a day: 1,000 answers and 40 saved policies, drawn and evaluated.

``PYTHONPATH=. python tests/browser/large_run.py FOLDER`` makes one to look at by hand.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from live_app import wait_until

from rlhf.config import PROJECT_ROOT, Settings, child_environment, use_one_thread
from rlhf.experience.tasks import get_task
from rlhf.loop.evaluate_policy import evaluate_policy
from rlhf.loop.render_clips import ClipMaker
from rlhf.loop.simulate import simulate
from rlhf.loop.start_run import new_run
from rlhf.storage import answers, models
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import open_engine, reading
from rlhf.storage.migrations import migrate

TASK = "pendulum-swingup"
NUM_ANSWERS = 1000
NUM_POLICIES = 40
NUM_DRAWN = 30
"""Latest answers whose clips are drawn; those of all 1,000 would take minutes."""
_LONGEST_S = 300
_SETTINGS = {
    "schedule.total_steps": 82_000,
    "schedule.labels": NUM_ANSWERS,
    "schedule.initial_share": 0.1,
    "schedule.labels_end": 0.9,
    "schedule.session_labels": 100,
    "keep.policies": NUM_POLICIES - 1,  # and the one before anything was learned
    "reward.model_class": "quadratic",
    "queries.overlap_share": 0.0,
}


def make_large_run(data_dir: Path, *, teacher: str = "mistake:0.1") -> str:
    """Let a teacher teach a run in a folder's store to its end, evaluate and draw it; return its id."""
    settings = Settings.from_environment({"RLHF_DATA_DIR": str(data_dir)})
    engine = open_engine(settings.database_url)
    migrate(engine)
    blobs = Blobs(settings.blob_url)
    run_id = new_run(engine, TASK, teacher=teacher, overrides=_SETTINGS)
    simulate(engine, blobs, run_id, lambda steps, total, message: None)
    with reading(engine) as connection:
        versions = [row["version"] for row in models.list_policy_versions(connection, run_id)]
        answered = answers.standing_answers(connection, run_id, newest=NUM_DRAWN)
    clips = ClipMaker(engine, blobs)
    try:
        for version in versions:
            evaluate_policy(engine, blobs, run_id, version, num_episodes=2)
            with reading(engine) as connection:
                replay_id = models.get_policy_version(connection, run_id, version)["replay_id"]
            clips.render_segments(get_task(TASK), replay_id)
        for row in answered:
            clips.render_segments(get_task(TASK), row["left_id"], row["right_id"])
    finally:
        clips.close()
        engine.dispose()
    return run_id


class LargeRunInTheMaking:
    """A large run that a process of its own makes meanwhile, one for all who name the same folder."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder / "data"
        self._made = folder / "made"
        self._process: subprocess.Popen[bytes] | None = None
        try:
            folder.mkdir()
        except FileExistsError:
            return  # somebody else makes it
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(self.data_dir), str(self._made)],
            env=child_environment() | {"PYTHONPATH": str(PROJECT_ROOT)},
        )

    def result(self) -> str:
        """Wait for it and return its id."""
        wait_until(self._made.exists, _LONGEST_S, lambda: "the large run was not made")
        return self._made.read_text()

    def close(self) -> None:
        """Wait for the process that this one began: others may need what it makes."""
        if self._process is not None:
            self._process.wait(_LONGEST_S)


if __name__ == "__main__":
    use_one_thread()
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    run_id = make_large_run(folder)
    print(f"RLHF_DATA_DIR={folder} holds run {run_id}")
    if len(sys.argv) > 2:
        part = Path(f"{sys.argv[2]}.part")
        part.write_text(run_id)
        part.replace(sys.argv[2])
