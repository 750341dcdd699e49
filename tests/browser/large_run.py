"""A run as large as people's are after a day: 1,000 answers and 40 saved policies, drawn and evaluated.

``PYTHONPATH=. python tests/browser/large_run.py FOLDER`` makes one to look at by hand.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

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
    """A large run that a process of its own makes meanwhile."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(data_dir)],
            env=child_environment() | {"PYTHONPATH": str(PROJECT_ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )

    def result(self) -> str:
        """Wait for it and return its id."""
        said, _ = self._process.communicate()
        assert self._process.returncode == 0
        return said.split()[-1]

    def close(self) -> None:
        """End the process, if nobody waited for it."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


if __name__ == "__main__":
    use_one_thread()
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    print(f"RLHF_DATA_DIR={folder} holds run {make_large_run(folder)}")
