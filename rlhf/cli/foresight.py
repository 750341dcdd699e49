"""``foresight``: how a run's policy would do if it looked ahead."""

import argparse

import numpy as np

from rlhf.cli.output import (
    add_json_option,
    add_settings_option,
    clip_target,
    finish,
    parse_settings,
    write_clip,
)
from rlhf.cli.store import open_store
from rlhf.config import override
from rlhf.errors import ConfigError

_FILMED = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("run_id", metavar="RUN")
    parser.add_argument("--episodes", type=int, default=16, help="episodes, with foresight and without")
    parser.add_argument(
        "--clip",
        type=clip_target,
        metavar="FILE.mp4",
        help="film what happened and, on the right, what was foreseen",
    )
    add_settings_option(parser)
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Fit the model, act with it and report."""
    from rlhf.clips.encode import encode_mp4
    from rlhf.loop.film_foresight import film_run_foresight
    from rlhf.loop.foresee_run import RunForesightConfig, evaluate_foresight, foresee_run

    if options.episodes < 1:
        raise ConfigError(f"--episodes is {options.episodes}; at least 1 is needed.")
    config = override(RunForesightConfig(), parse_settings(options))
    engine, blobs = open_store()
    found = foresee_run(engine, blobs, options.run_id, config)
    report, episode = evaluate_foresight(found, options.episodes)
    if options.clip:
        frames = film_run_foresight(found, episode, _FILMED)
        write_clip(options.clip, encode_mp4(frames, found.task.playback_fps))
    result = {"run": options.run_id, **report}
    is_true = bool(result["with"])
    looked, alone = (np.mean(result[name if is_true else f"predicted_{name}"]) for name in ("with", "alone"))
    missed = result["held_out_error"]
    text = (
        f"{'True' if is_true else 'Predicted'} return {looked:.1f} with foresight, {alone:.1f} without, over "
        f"{options.episodes} episodes from the same states; {result['overruled']:.0%} of actions overruled. "
        f"The model misses {'an unknown share' if missed is None else f'{missed:.1%}'} of what changes in "
        "episodes it has not seen."
    )
    return finish(options, result, text)
