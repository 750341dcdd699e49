"""``worker``: do the jobs of the database, until Ctrl-C."""

import argparse
import signal
import threading

from rlhf.cli.store import open_database
from rlhf.worker.process import ROLES, Supervisor
from rlhf.worker.runner import work


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--once", action="store_true", help="end when no job can be done without new answers")
    parser.add_argument(
        "--role",
        choices=(*ROLES, "ranker"),
        help="be only this worker; without it be trainer and renderer, which starts the ranker when needed",
    )
    parser.add_argument("--parent", type=int, help="end when this process has ended")


def run(options: argparse.Namespace) -> int:
    """Work as one role in this process, or start both roles and watch over them."""
    if options.role is not None:
        work(options.role, once=options.once, parent=options.parent)
        return 0
    # Here rather than in each worker: a bad setting is said once, and nothing is started in vain.
    open_database()
    supervisor = Supervisor(once=options.once)
    interrupted = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: interrupted.set())
    supervisor.start()
    while supervisor.is_watching and not interrupted.wait(0.2):
        pass
    return supervisor.stop()
