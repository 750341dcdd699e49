"""``bench``: benchmarks that anyone can run again; results land under ``rlhf/benchmarks/results``."""

import argparse

from rlhf.benchmarks import (
    backflip,
    crowd,
    data_scale,
    demonstrations,
    design,
    drift,
    finetune,
    foresight,
    her,
    human_labels,
    labels,
    people,
    ppo_ablation,
    ppo_speed,
    ppo_strength,
    reward_hack,
    transfer,
)
from rlhf.cli.output import ProgressLine, add_json_option, finish, table

_BENCHMARKS = {
    labels.NAME: (labels, "how many answers it takes to match PPO on the true reward, beside the baselines"),
    human_labels.NAME: (human_labels, "how well reward models foretell published choices of real people"),
    ppo_ablation.NAME: (ppo_ablation, "what each choice in our PPO is worth on the true reward"),
    backflip.NAME: (backflip, "whether a noisy teacher gets backflips out of the hopper, and how soon"),
    people.NAME: (people, "whether made-up annotators are seen through, and what the reward gains by it"),
    ppo_speed.NAME: (ppo_speed, "our PPO beside Stable-Baselines3 and SBX, and the raw environments"),
    ppo_strength.NAME: (ppo_strength, "our PPO on the standard environments, beside published scores"),
    reward_hack.NAME: (
        reward_hack,
        "whether alarms go off before a policy that exploits its reward does harm",
    ),
    crowd.NAME: (crowd, "many annotators at once: how long an answer waits, and whether any is lost"),
    finetune.NAME: (finetune, "what a source task is worth to a target task, and a random one"),
    her.NAME: (her, "how many goals are reached with hindsight, and without"),
    foresight.NAME: (
        foresight,
        "whether looking ahead reaches more goals, early and after the world has changed",
    ),
    transfer.NAME: (transfer, "how many answers a reward saves that starts from a source's answers"),
    demonstrations.NAME: (
        demonstrations,
        "whether shown episodes and fewer answers do better than twice the answers alone",
    ),
    design.NAME: (design, "how many answers a designed reward saves, and what a wrong one costs"),
    drift.NAME: (drift, "whether a run notices that its world has changed, and what adapting gains"),
    data_scale.NAME: (data_scale, "how long pages and the next pair take beside a million stored answers"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the benchmarks and their options."""
    names = parser.add_subparsers(dest="benchmark", required=True, metavar="NAME")
    for name, (module, summary) in _BENCHMARKS.items():
        benchmark = names.add_parser(name, help=summary, description=summary)
        module.add_arguments(benchmark)
        add_json_option(benchmark)


def run(options: argparse.Namespace) -> int:
    """Run one benchmark and print its table."""
    module, _ = _BENCHMARKS[options.benchmark]
    summary, rows, notes = module.run(options, ProgressLine())
    text = "\n\n".join(
        part for part in (table(rows[0], rows[1:]), notes, f"Written to {options.out}.") if part
    )
    return finish(options, summary, text)
