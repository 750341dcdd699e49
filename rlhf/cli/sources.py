"""``sources``: which saved policy to start a task from."""

import argparse
import dataclasses

from rlhf.cli.output import ProgressLine, add_json_option, add_seed_option, finish, table
from rlhf.config import Settings
from rlhf.errors import ConfigError
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import open_engine
from rlhf.storage.migrations import migrate

_COLUMNS = (
    "run",
    "taught",
    "version",
    "size",
    "own return",
    "predicted",
    "untrained",
    "after practice",
)
_NOTE = (
    "Own: the true return where it was taught. Predicted and untrained: in the target, by the learned "
    "reward and by the true one. True returns are for evaluation only. Practice: reward per step at its end; "
    "empty if given up early."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--target", required=True, metavar="TASK", help="the task that is to be started")
    parser.add_argument(
        "--reward", metavar="RUN:VERSION", help="a reward that judges, learned for the target"
    )
    parser.add_argument("--episodes", type=int, default=5, help="of each candidate in the target as it is")
    parser.add_argument(
        "--short-arm", type=int, default=0, metavar="STEPS", help="let candidates practise, and scratch too"
    )
    parser.add_argument("--arm-seeds", type=int, default=2, help="times that each practises")
    parser.add_argument("--limit", type=int, default=8, help="candidates at most, of the newest runs")
    add_seed_option(parser)
    add_json_option(parser)


def run(options: argparse.Namespace) -> int:
    """Rank and print."""
    from rlhf.loop.order_ranking import RankConfig, parse_reward
    from rlhf.loop.rank_sources import rank_sources

    try:
        config = RankConfig(
            episodes=options.episodes,
            short_steps=options.short_arm,
            seeds=options.arm_seeds,
            limit=options.limit,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error
    reward_from = parse_reward(options.reward or "")
    settings = Settings.from_environment()
    engine = open_engine(settings.database_url)
    migrate(engine)
    ranked = rank_sources(
        engine,
        Blobs(settings.blob_url),
        options.target,
        config,
        seed=options.seed,
        progress=ProgressLine(),
        reward_from=reward_from,
    )
    result = {"target": options.target, "sources": [dataclasses.asdict(source) for source in ranked]}
    rows = [
        (
            source.run_id or "from scratch",
            source.task,
            str(source.version),
            f"{source.num_parameters:,}",
            *(
                "" if value is None else f"{value:.3g}"
                for value in (
                    source.own_return,
                    source.predicted_return,
                    source.zero_shot_return,
                    source.short_arm,
                )
            ),
        )
        for source in ranked
    ]
    if not ranked:
        return finish(options, result, f"No saved policy fits {options.target}: none has its sizes.")
    return finish(options, result, f"{table(_COLUMNS, rows)}\n\n{_NOTE}")
