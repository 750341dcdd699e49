"""``ppo-ablation``: what each choice in our PPO is worth on the true reward, one change at a time.

Runs are those of ``ppo-strength``, shorter, so that they end where learning is still going on. Every change
meets the presets on the same seeds, and what is told is the difference within a seed.
"""

import argparse
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlhf.benchmarks.intervals import iqm_interval
from rlhf.benchmarks.ppo_strength import REFERENCES, describe_run, run_key, train_run
from rlhf.benchmarks.processes import Tell, measure_all
from rlhf.benchmarks.results import RESULTS, made_on, write_results
from rlhf.benchmarks.svg import forest
from rlhf.errors import ConfigError
from rlhf.evaluation.statistics import interquartile_mean
from rlhf.types.experience import Float64

NAME = "ppo-ablation"
PRESETS = "presets"

STEPS: Mapping[str, int] = {
    "CartPole-v1": 30_000,
    "Pendulum-v1": 60_000,
    "LunarLander-v3": 300_000,
    "Hopper-v5": 300_000,
    "HalfCheetah-v5": 300_000,
}

CHANGES: Mapping[str, tuple[str, ...]] = {
    PRESETS: (),
    "no target KL": ("ppo.target_kl=none",),
    "constant learning rate": ("ppo.final_learning_rate_factor=1",),
    "half the epochs": ("ppo.num_epochs=5",),
    "minibatches of 64": ("ppo.minibatch_size=64",),
    "no entropy bonus": ("ppo.entropy_coef=0",),
    "clip range .1": ("ppo.clip_range=0.1",),
    "networks 256 x 256": ("ppo.hidden=256,256",),
    "return scale of one rollout": ("ppo.return_scale_rate=1",),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--envs", nargs="+", default=list(STEPS), choices=STEPS, metavar="ENV")
    parser.add_argument("--changes", nargs="+", default=list(CHANGES)[1:], choices=list(CHANGES)[1:])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time")
    parser.add_argument("--quick", action="store_true", help="very short runs, to see that it works")
    parser.add_argument("--out", type=Path, default=RESULTS / NAME, metavar="FOLDER")


def run(options: argparse.Namespace, tell: Tell) -> tuple[dict[str, Any], list[list[str]], str]:
    """Train everything that is not trained yet; write and return the summary.

    Returns:
        The summary, its table as rows of text under a header, and what else there is to say.

    Raises:
        ConfigError: an option makes no sense.
        JobError: a run failed.
    """
    if options.seeds < 2 or options.jobs < 1:
        raise ConfigError(f"--seeds is {options.seeds}, at least 2; --jobs is {options.jobs}, at least 1.")
    arms = [PRESETS, *options.changes]
    todo = [(arm, env, seed) for seed in range(options.seeds) for env in options.envs for arm in arms]
    keys = [
        run_key(env, 4096 if options.quick else STEPS[env], seed, CHANGES[arm]) for arm, env, seed in todo
    ]
    reports = measure_all(NAME, keys, train_run, describe_run, jobs=options.jobs, tell=tell)
    rows = [
        {
            "env": env,
            "change": arm,
            "seed": seed,
            "steps": report["steps"],
            "true_return": report["true_return"]["mean"],
            "share": _share(env, report),
        }
        for (arm, env, seed), report in zip(todo, reports, strict=True)
    ]
    changes = {arm: _summarise(rows, arm, options.envs) for arm in arms}
    summary = {
        "command": f"python -m rlhf bench {NAME} --envs {' '.join(options.envs)} --seeds {options.seeds} "
        f"--changes {shlex.join(options.changes)}",
        "changes": changes,
    }
    differences = {
        arm: (changes[arm]["low"], changes[arm]["difference"], changes[arm]["high"]) for arm in arms[1:]
    }
    write_results(
        options.out, rows, forest("Difference to the presets", differences), summary, made_on(NAME, keys)
    )
    return summary, _text_rows(changes, options.envs), _NOTE


_NOTE = (
    "Shares of the published score after fewer steps than it took, over a random policy. "
    "A change pays when the whole interval of its difference to the presets is above 0."
)


def _share(env: str, report: Mapping[str, Any]) -> float:
    random = report["random_return"]
    return float((report["true_return"]["mean"] - random) / (REFERENCES[env].score - random))


def _summarise(rows: Sequence[Mapping[str, Any]], arm: str, envs: Sequence[str]) -> dict[str, Any]:
    """Return the IQM of an arm per environment, and that of its differences to the presets with interval."""
    shares = {env: _shares(rows, arm, env) for env in envs}
    differences = [shares[env] - _shares(rows, PRESETS, env) for env in envs]
    found = iqm_interval(differences)
    return {
        "share": {env: interquartile_mean(values) for env, values in shares.items()},
        "difference": found["iqm"],
        "low": found["low"],
        "high": found["high"],
    }


def _shares(rows: Sequence[Mapping[str, Any]], arm: str, env: str) -> Float64:
    return np.array([row["share"] for row in rows if (row["change"], row["env"]) == (arm, env)], np.float64)


def _text_rows(found: Mapping[str, Any], envs: Sequence[str]) -> list[list[str]]:
    table = [["change", *envs, "difference (95 %)"]]
    for arm, summary in found.items():
        difference = f"{summary['difference']:+.2f} ({summary['low']:+.2f} to {summary['high']:+.2f})"
        shares = [f"{summary['share'][env]:.2f}" for env in envs]
        table.append([arm, *shares, "" if arm == PRESETS else difference])
    return table
