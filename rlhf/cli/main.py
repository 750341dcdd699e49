"""The command line: ``python -m rlhf <verb>``.

Exit status 0: done, 2: wrong usage, 1: failed, with one line that says why. Each verb is a module here
with ``add_arguments`` and ``run``, imported when it is asked for; what is heavy is imported when it runs.
"""

import argparse
import sys
from collections.abc import Sequence

from rlhf.cli.modules import add_modules, module_of
from rlhf.errors import ConfigError, FeedbackError, NotFoundError, RlhfError, TaskError

_VERBS = {
    "tasks": "list what can be taught",
    "doctor": "check what works on this machine",
    "train": "PPO on the true reward, the reference",
    "simulate": "the whole preference loop with a synthetic teacher",
    "run": "runs: new, start, pause, resume, stop, list, show",
    "demonstrate": "episodes of a scripted expert for a run",
    "design": "write down what a run's reward should be, for answers to correct",
    "people": "who may come in: list, invite, revoke, role",
    "clone": "let a run start by imitating what was shown to it",
    "finetune": "a run that starts from another one's policy, critic, reward or answers",
    "transfer": "learn one task, then another with part of what was learned",
    "sources": "which saved policy to start a task from",
    "her": "learn to reach goals, with hindsight",
    "foresight": "how a run's policy would do if it looked ahead",
    "world": "let a run's world become another one, to see whether it notices",
    "export": "the answers of a run as files",
    "import": "answers from files that export wrote",
    "bench": "benchmarks that anyone can run again",
    "worker": "do the jobs of the database in RLHF_DATABASE_URL",
}
_PACKAGE = "rlhf.cli"
_USAGE_ERRORS = (ConfigError, FeedbackError, NotFoundError, TaskError)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m rlhf", description=__doc__.splitlines()[0] if __doc__ else None
    )
    add_modules(parser, dest="verb", metavar="VERB", summaries=_VERBS, package=_PACKAGE)
    options = parser.parse_args(arguments)
    try:
        return int(module_of(_PACKAGE, options.verb).run(options))
    except RlhfError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, _USAGE_ERRORS) else 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 1
