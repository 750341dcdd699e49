"""``run``: runs from the shell, in the same store as the app's."""

import argparse
from typing import Any

import sqlalchemy as sa

from rlhf.cli.output import (
    add_json_option,
    add_seed_option,
    add_settings_option,
    finish,
    parse_settings,
    table,
)
from rlhf.cli.store import open_database
from rlhf.loop import start_run
from rlhf.storage import answers, models, runs
from rlhf.storage.engine import reading
from rlhf.types.feedback import Choice

_ACTIONS = {
    "start": (start_run.start_run, "Started"),
    "resume": (start_run.start_run, "Resumed"),
    "pause": (start_run.pause_run, "Pausing"),
    "stop": (start_run.stop_run, "Stopping"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the actions and their options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    new = actions.add_parser("new", help="add a run")
    new.add_argument("--task", required=True)
    new.add_argument("--teacher", metavar="SPEC", help="let a synthetic teacher answer")
    add_seed_option(new)
    new.add_argument("--start", action="store_true", help="start it at once")
    add_settings_option(new)
    for name in _ACTIONS:
        actions.add_parser(name, help=f"{name} a run").add_argument("run_id", metavar="RUN")
    actions.add_parser("list", help="list the runs")
    actions.add_parser("show", help="show one run").add_argument("run_id", metavar="RUN")
    for action in actions.choices.values():
        add_json_option(action)


def run(options: argparse.Namespace) -> int:
    """Do one action."""
    engine = open_database()
    if options.action == "new":
        return _new(engine, options)
    if options.action == "list":
        return _list(engine, options)
    if options.action == "show":
        result = describe(engine, options.run_id)
        return finish(options, result, "\n".join(f"{k:<16}{v}" for k, v in result.items()))
    function, word = _ACTIONS[options.action]
    function(engine, options.run_id)
    return finish(options, {"run": options.run_id}, f"{word} {options.run_id}.")


def describe(engine: sa.Engine, run_id: str) -> dict[str, Any]:
    """Return where a run stands, in the keys that other programs read."""
    with reading(engine) as connection:
        row = runs.get_run(connection, run_id)
        counts = answers.count_standing(connection, run_id)
        saved = models.list_policy_versions(connection, run_id)
    return {
        "run": row["id"],
        "task": row["task"],
        "seed": row["seed"],
        "teacher": row["teacher"],
        "state": row["state"].value,
        "wanted": row["wanted"].value,
        "steps": row["steps"],
        "total_steps": row["total_steps"],
        "answers": sum(counts.values()),
        "answers_by_choice": {
            choice.value: counts.get(choice, 0) for choice in Choice if choice is not Choice.UNDO
        },
        "reward_version": row["reward_version"],
        "policy_version": row["policy_version"],
        "saved_policies": len(saved),
        "message": row["message"],
        "last_error": row["error"],
    }


def _new(engine: sa.Engine, options: argparse.Namespace) -> int:
    run_id = start_run.new_run(
        engine, options.task, seed=options.seed, teacher=options.teacher, overrides=parse_settings(options)
    )
    if options.start:
        start_run.start_run(engine, run_id)
    result = describe(engine, run_id)
    return finish(options, result, f"Run {run_id} of task {options.task}, {result['wanted']}.")


def _list(engine: sa.Engine, options: argparse.Namespace) -> int:
    with reading(engine) as connection:
        ids = [row["id"] for row in runs.list_runs(connection)]
    described = [describe(engine, run_id) for run_id in ids]
    keys = ("run", "state", "steps", "answers", "reward_version", "teacher")
    return finish(options, {"runs": described}, table(keys, [[d[key] for key in keys] for d in described]))
