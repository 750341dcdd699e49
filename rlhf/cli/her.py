"""``her``: learn to reach goals, with hindsight."""

import argparse
from pathlib import Path

from rlhf.cli.output import (
    ProgressLine,
    add_json_option,
    add_seed_option,
    add_settings_option,
    finish,
    parse_settings,
)
from rlhf.config import override
from rlhf.errors import StorageError
from rlhf.experience.goal_tasks import GOAL_TASKS, get_goal_task

_FILMED_EPISODES = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--task", required=True, help=f"{', '.join(GOAL_TASKS)}, or gym:<EnvId>")
    parser.add_argument("--steps", type=int, help="environment steps; the task's own number if not given")
    parser.add_argument("--clip", type=_clip_target, metavar="FILE.mp4", help="film what was learned")
    add_seed_option(parser)
    add_settings_option(parser)
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Learn, film and report."""
    from rlhf.loop.film_goals import film_goals
    from rlhf.loop.learn_goals import GoalConfig, learn_goals

    task = get_goal_task(options.task)
    settings = {**task.overrides, **parse_settings(options)}
    if options.steps is not None:
        settings["total_steps"] = options.steps
    config = override(GoalConfig(), settings)
    learner, result = learn_goals(task, config, options.seed, ProgressLine())
    if options.clip:
        clip = film_goals(task, learner, options.seed, _FILMED_EPISODES)
        try:
            options.clip.write_bytes(clip)
        except OSError as error:
            raise StorageError(f"the clip could not be written to {options.clip}: {error}.") from error
    text = (
        f"{task.goal}: {result['success']:.0%} of goals reached after {result['steps']:,} steps "
        f"({result['episodes']:,} episodes, {result['wall_s']:.0f} s); "
        f"by chance {result['random_success']:.1%}."
    )
    return finish(options, result, text)


def _clip_target(text: str) -> Path:
    """Check where the clip is to go before the work is done."""
    path = Path(text)
    if path.suffix != ".mp4" or not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not an .mp4 file in a folder that exists")
    return path
