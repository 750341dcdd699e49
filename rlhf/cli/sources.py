"""``sources``: which saved policy to start a task from, and in which way."""

import argparse
import dataclasses
from collections.abc import Sequence

from rlhf.cli.output import ProgressLine, add_json_option, add_seed_option, finish, table
from rlhf.cli.store import open_store
from rlhf.errors import ConfigError
from rlhf.types.ranked_source import RankedSource, why_from_scratch

_COLUMNS = (
    "run",
    "taught",
    "version",
    "size",
    "own return",
    "predicted",
    "untrained",
    "after practice",
    "steps",
)
_WAYS = ("what learns", "parameters that learn", "learning rate x", "hold", "after practice", "steps")
_WAYS_NOTE = (
    "Hold: ppo.reference_kl, the weight of the divergence from the source at the start. Practice: reward per "
    "step at its end, empty if given up early, and its steps."
)
_NOTE = (
    "Own: the true return where it was taught. Predicted and untrained: in the target, by the learned "
    "reward and by the true one. True returns are for evaluation only. Practice: reward per step at its end, "
    "empty if given up early, and its steps."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--target", required=True, metavar="TASK", help="the task that is to be started")
    parser.add_argument(
        "--reward", metavar="RUN:VERSION", help="a reward that judges, learned for the target"
    )
    parser.add_argument("--episodes", type=int, default=5, help="of each candidate in the target as it is")
    parser.add_argument(
        "--short-arm",
        type=int,
        default=0,
        metavar="STEPS",
        help="let candidates practise, and scratch too, for four rollouts at least; whoever is first is "
        "recommended: scratch, unless a source is clearly better",
    )
    parser.add_argument(
        "--ways-of",
        default="",
        metavar="RUN:VERSION",
        help="compare ways of fine-tuning this saved policy instead: what learns, how fast, how tightly held",
    )
    parser.add_argument(
        "--arm-seeds", type=int, default=2, help="times that each practises; one does not show what is chance"
    )
    parser.add_argument(
        "--limit",
        type=int,
        default=8,
        metavar="N",
        help="compare the newest saved policy of each of the N newest runs that fit, with observations, "
        "actions and hidden layers of the target's sizes (default: %(default)s)",
    )
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
            ways_of=options.ways_of,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error
    reward_from = parse_reward(options.reward or "")
    engine, blobs = open_store()
    ranked = rank_sources(
        engine,
        blobs,
        options.target,
        config,
        seed=options.seed,
        progress=ProgressLine(),
        reward_from=reward_from,
    )
    result = {"target": options.target, "sources": [dataclasses.asdict(source) for source in ranked]}
    if not ranked:
        return finish(options, result, f"No saved policy fits {options.target}: none has its sizes.")
    columns, rows = (_WAYS, _rows_of_ways(ranked)) if config.ways_of else (_COLUMNS, _rows_of_sources(ranked))
    notes = (why_from_scratch(ranked), _WAYS_NOTE if config.ways_of else _NOTE)
    return finish(options, result, "\n\n".join([table(columns, rows), *filter(None, notes)]))


def _rows_of_sources(ranked: Sequence[RankedSource]) -> list[tuple[str, ...]]:
    return [
        (
            source.run_id or "from scratch",
            source.task,
            str(source.version),
            f"{source.num_parameters:,}",
            *map(
                _number,
                (source.own_return, source.predicted_return, source.zero_shot_return, source.short_arm),
            ),
            _steps(source),
        )
        for source in ranked
    ]


def _rows_of_ways(ranked: Sequence[RankedSource]) -> list[tuple[str, ...]]:
    return [
        (
            way.update or "from scratch",
            f"{way.num_parameters:,}",
            f"{way.pace:g}",
            f"{way.hold:g}",
            _number(way.short_arm),
            _steps(way),
        )
        for way in ranked
    ]


def _steps(source: RankedSource) -> str:
    return "" if source.steps is None else f"{source.steps:,}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
