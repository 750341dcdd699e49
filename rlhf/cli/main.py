"""The command line: ``python -m rlhf <verb>``.

Exit status 0: done, 2: wrong usage, 1: failed, with one line that says why. Each verb is a module here
with ``add_arguments`` and ``run``; what is heavy is imported when its verb runs.
"""

import argparse
import sys
from collections.abc import Sequence

from rlhf.cli import (
    bench,
    clone,
    demonstrate,
    design,
    doctor,
    export,
    finetune,
    foresight,
    her,
    import_,
    people,
    run,
    simulate,
    sources,
    tasks,
    train,
    transfer,
    worker,
    world,
)
from rlhf.errors import ConfigError, FeedbackError, NotFoundError, RlhfError, TaskError

_VERBS = {
    "tasks": (tasks, "list what can be taught"),
    "doctor": (doctor, "check what works on this machine"),
    "train": (train, "PPO on the true reward, the reference"),
    "simulate": (simulate, "the whole preference loop with a synthetic teacher"),
    "run": (run, "runs: new, start, pause, resume, stop, list, show"),
    "demonstrate": (demonstrate, "episodes of a scripted expert for a run"),
    "design": (design, "write down what a run's reward should be, for answers to correct"),
    "people": (people, "who may come in: list, invite, revoke, role"),
    "clone": (clone, "let a run start by imitating what was shown to it"),
    "finetune": (finetune, "a run that starts from another one's policy, critic, reward or answers"),
    "transfer": (transfer, "learn one task, then another with part of what was learned"),
    "sources": (sources, "which saved policy to start a task from"),
    "her": (her, "learn to reach goals, with hindsight"),
    "foresight": (foresight, "how a run's policy would do if it looked ahead"),
    "world": (world, "let a run's world become another one, to see whether it notices"),
    "export": (export, "the answers of a run as files"),
    "import": (import_, "answers from files that export wrote"),
    "bench": (bench, "benchmarks that anyone can run again"),
    "worker": (worker, "do the jobs of the database in RLHF_DATABASE_URL"),
}
_USAGE_ERRORS = (ConfigError, FeedbackError, NotFoundError, TaskError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m rlhf", description=__doc__.splitlines()[0] if __doc__ else None
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, (module, summary) in _VERBS.items():
        module.add_arguments(verbs.add_parser(name, help=summary, description=summary))
    options = parser.parse_args(arguments)
    try:
        return int(_VERBS[options.verb][0].run(options))
    except RlhfError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, _USAGE_ERRORS) else 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 1
