import os
import subprocess
import sys
from pathlib import Path

import pytest

from rlhf.config import PROJECT_ROOT

_SHOW = """
import os
from pathlib import Path
from rlhf.worker.priority import give_way
give_way(7)
session = Path("/proc/self/autogroup")
print(os.getpriority(os.PRIO_PROCESS, 0), session.read_text() if session.exists() else "")
"""


def shown(*, leads_a_session: bool) -> str:
    return subprocess.run(
        [sys.executable, "-c", _SHOW],
        cwd=PROJECT_ROOT,
        start_new_session=leads_a_session,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_a_worker_is_as_nice_as_it_was_told() -> None:
    assert shown(leads_a_session=True).split()[0] == str(min(19, os.getpriority(os.PRIO_PROCESS, 0) + 7))


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="time is not shared by session here")
def test_its_session_is_as_nice_but_nobody_elses() -> None:
    assert shown(leads_a_session=True).endswith("nice 7")
    assert shown(leads_a_session=False).endswith(Path("/proc/self/autogroup").read_text().split()[-1])
