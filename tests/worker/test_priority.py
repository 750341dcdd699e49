import os
import subprocess
import sys
from pathlib import Path

from rlhf.config import PROJECT_ROOT

_SHOW = """
import os
from pathlib import Path
from rlhf.worker.priority import give_way
give_way(7)
session = Path("/proc/self/autogroup")  # empty where a process is in no group, absent on other systems
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


def test_a_session_of_its_own_is_as_nice() -> None:
    _, *group = shown(leads_a_session=True).split()
    assert group == [] or group[1:] == ["nice", "7"]


def test_a_session_of_others_stays_as_it_is() -> None:
    session = Path("/proc/self/autogroup")
    _, *group = shown(leads_a_session=False).split()
    assert group == (session.read_text().split() if session.exists() else [])
