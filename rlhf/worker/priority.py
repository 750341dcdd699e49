"""How much of the processor a worker leaves to others."""

import contextlib
import os
from pathlib import Path

_SESSION = Path("/proc/self/autogroup")


def give_way(nice: int) -> None:
    """Take less of the processor than others do where there is not enough for all.

    Linux may share time between sessions before it looks at processes. A worker leads a session of its own,
    in which its niceness would count against nobody, so the session is made as nice as the process.

    Args:
        nice: from 0, like everybody, to 19, only what is left.

    Source: https://man7.org/linux/man-pages/man7/sched.7.html, "The autogroup feature".
    """
    os.nice(nice)
    if os.getsid(0) == os.getpid():  # otherwise it is the session of whoever started us
        with contextlib.suppress(OSError):  # another system, or one that does not share time by session
            _SESSION.write_text(str(nice))
