"""``her``: learn to reach goals, with hindsight."""

import argparse
from collections.abc import Mapping
from typing import Any

from rlhf.cli.output import (
    ProgressLine,
    add_json_option,
    add_seed_option,
    add_settings_option,
    clip_target,
    finish,
    parse_settings,
    write_clip,
)
from rlhf.config import override
from rlhf.errors import ConfigError
from rlhf.experience.goal_tasks import GOAL_TASKS, get_goal_task

_FILMED_EPISODES = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--task", required=True, help=f"{', '.join(GOAL_TASKS)}, or gym:<EnvId>")
    parser.add_argument("--steps", type=int, help="environment steps; the task's own number if not given")
    parser.add_argument("--clip", type=clip_target, metavar="FILE.mp4", help="film what was learned")
    parser.add_argument(
        "--foreseen",
        type=clip_target,
        metavar="FILE.mp4",
        help="film what happened and, on the right, what was foreseen (foresight.on=true)",
    )
    parser.add_argument(
        "--shift",
        type=_setting,
        metavar="NAME=NUMBER",
        help="then change the world, such as wheelbase=3.9, and measure foresight again (foresight.on=true)",
    )
    add_seed_option(parser)
    add_settings_option(parser)
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Learn, film and report."""
    from rlhf.loop.film_foresight import film_goal_foresight
    from rlhf.loop.film_goals import film_goals
    from rlhf.loop.learn_goals import GoalConfig, learn_goals
    from rlhf.loop.measure_goals import measure_shift

    task = get_goal_task(options.task)
    settings = {**task.overrides, **parse_settings(options)}
    if options.steps is not None:
        settings["total_steps"] = options.steps
    config = override(GoalConfig(), settings)
    if (options.shift or options.foreseen) and not config.foresight.on:
        raise ConfigError(
            "--shift and --foreseen are about foresight, which is off; add --set foresight.on=true."
        )
    learner, foresight, result = learn_goals(task, config, options.seed, ProgressLine())
    if options.clip:
        write_clip(options.clip, film_goals(task, learner, options.seed, _FILMED_EPISODES))
    if options.foreseen and foresight is not None:
        clip = film_goal_foresight(task, foresight, options.seed, _FILMED_EPISODES)
        write_clip(options.foreseen, clip)
    if foresight is not None and options.shift:
        changes = dict([options.shift])
        result["shift"] = measure_shift(task, changes, learner, foresight, config.num_envs, options.seed)
    text = (
        f"{task.goal}: {result['success']:.0%} of goals reached after {result['steps']:,} steps "
        f"({result['episodes']:,} episodes, {result['wall_s']:.0f} s); "
        f"by chance {result['random_success']:.1%}."
    )
    return finish(options, result, "\n".join([text, *_foresight_lines(result)]))


def _foresight_lines(result: Mapping[str, Any]) -> list[str]:
    measured = [(f"Foresight after {one['steps']:,} steps", one) for one in result.get("foresight", [])]
    if "shift" in result:
        changes = ", ".join(f"{name} {value:g}" for name, value in result["shift"]["settings"].items())
        measured.append((f"With {changes}", result["shift"]))
    return [
        f"{when}: {one['success']:.0%} of goals reached, {one['alone']:.0%} without; "
        f"{one['overruled']:.0%} of actions overruled."
        for when, one in measured
    ]


def _setting(text: str) -> tuple[str, float]:
    name, separator, value = text.partition("=")
    try:
        if separator and name:
            return name, float(value)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} must look like wheelbase=3.9")
