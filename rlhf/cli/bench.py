"""``bench``: benchmarks that anyone can run again; results land under ``rlhf/benchmarks/results``."""

import argparse

from rlhf.cli.modules import add_modules, module_of
from rlhf.cli.output import ProgressLine, add_json_option, finish, table

_PACKAGE = "rlhf.benchmarks"
BENCHMARKS = {
    "labels": "how many answers it takes to match PPO on the true reward, beside the baselines",
    "human-labels": "how well reward models foretell published choices of real people",
    "ppo-ablation": "what each choice in our PPO is worth on the true reward",
    "backflip": "whether a noisy teacher gets backflips out of the hopper, and how soon",
    "people": "whether made-up annotators are seen through, and what the reward gains by it",
    "ppo-speed": "our PPO beside Stable-Baselines3 and SBX, and the raw environments",
    "ppo-strength": "our PPO on the standard environments, beside published scores",
    "reward-hack": "whether alarms go off before a policy that exploits its reward does harm",
    "crowd": "many annotators at once: how long an answer waits, and whether any is lost",
    "finetune": "what a source task is worth to a target task, and a random one",
    "her": "how many goals are reached with hindsight, and without",
    "foresight": "whether looking ahead reaches more goals, early and after the world has changed",
    "transfer": "how many answers a reward saves that starts from a source's answers",
    "demonstrations": "whether shown episodes and fewer answers do better than twice the answers alone",
    "design": "how many answers a designed reward saves, and what a wrong one costs",
    "drift": "whether a run notices that its world has changed, and what adapting gains",
    "data-scale": "how long pages and the next pair take beside a million stored answers",
}
"""By name, each a module with ``add_arguments`` and ``run``."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the benchmarks and their options."""
    benchmarks = add_modules(parser, dest="benchmark", metavar="NAME", summaries=BENCHMARKS, package=_PACKAGE)
    for benchmark in benchmarks:
        add_json_option(benchmark)


def run(options: argparse.Namespace) -> int:
    """Run one benchmark and print its table."""
    summary, rows, notes = module_of(_PACKAGE, options.benchmark).run(options, ProgressLine())
    text = "\n\n".join(
        part for part in (table(rows[0], rows[1:]), notes, f"Written to {options.out}.") if part
    )
    return finish(options, summary, text)
