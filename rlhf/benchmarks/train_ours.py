"""Trains our PPO for a while, or only steps its environments, and prints one JSON line; see ``ppo_speed``."""

import argparse
import importlib.metadata
import json
import time
from typing import Any

import numpy as np

from rlhf.experience.random_policies import UniformRandomPolicy
from rlhf.experience.rollout import Collected, Collector
from rlhf.experience.tasks import GYM_PREFIX, get_task
from rlhf.experience.vector import VectorStepper
from rlhf.parallel import peak_rss_mb
from rlhf.policy.config import PPOConfig
from rlhf.policy.ppo import PPO
from rlhf.seeding import generator

_DRAWN = 256


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("ours", "raw"))
    parser.add_argument("settings", type=json.loads, help="JSON, as ppo_speed makes it")
    options = parser.parse_args()
    measured = (train if options.what == "ours" else step_only)(options.settings)
    versions = {name: importlib.metadata.version(name) for name in ("torch", "gymnasium", "mujoco", "numpy")}
    print(json.dumps({**measured, "versions": versions}))


def train(settings: dict[str, Any]) -> dict[str, Any]:
    """Train after a warm-up; return steps, wall time and the mean return of the last quarter's episodes."""
    config = PPOConfig(
        num_steps=settings["num_steps"],
        num_epochs=settings["num_epochs"],
        minibatch_size=settings["minibatch_size"],
        learning_rate=settings["learning_rate"],
        final_learning_rate_factor=1.0,
        discount=settings["discount"],
        gae_lambda=settings["gae_lambda"],
        clip_range=settings["clip_range"],
        max_grad_norm=settings["max_grad_norm"],
        target_kl=None,
        hidden=tuple(settings["hidden"]),
        initial_log_std=settings["initial_log_std"],
    )
    seed, total = settings["seed"], settings["warm_up_steps"] + settings["steps"]
    processes = settings["threads"]
    task = get_task(GYM_PREFIX + settings["env_id"])
    stepper = VectorStepper(task, settings["num_envs"], seed, processes=processes)
    collector, act = Collector(stepper), generator(seed, "act")
    rng = generator(seed, "policy")
    policy = PPO(config, stepper.observation_dim, stepper.action_space, rng, processes=processes)
    done, timed_from, started = 0, 0, time.perf_counter()
    late: list[float] = []
    while done < total:
        collected = collector.collect(policy, config.num_steps, act)
        rewards = collected.rollout_true_rewards.astype(np.float32)
        policy.update(collected.rollout, rewards, np.zeros_like(rewards))
        done += collected.rollout.num_steps
        if not timed_from and done >= settings["warm_up_steps"]:
            timed_from, started = done, time.perf_counter()
        if done > 0.75 * total:
            late += _returns(collected)
    wall_s, peak_mb = time.perf_counter() - started, peak_rss_mb()
    stepper.close()
    policy.close()
    return {
        "steps": done - timed_from,
        "wall_s": wall_s,
        "peak_rss_mb": peak_mb,
        "mean_return": float(np.mean(late)) if late else None,
    }


def step_only(settings: dict[str, Any]) -> dict[str, Any]:
    """Step with random actions drawn beforehand; return steps and wall time."""
    seed, num_envs = settings["seed"], settings["num_envs"]
    task = get_task(GYM_PREFIX + settings["env_id"])
    stepper = VectorStepper(task, num_envs, seed, processes=settings["threads"])
    policy, rng = UniformRandomPolicy(stepper.action_space), np.random.default_rng(seed)
    drawn = [policy.act(stepper.observations, rng)[0] for _ in range(_DRAWN)]
    for actions in drawn:
        stepper.step(actions)
    num_steps = max(1, settings["raw_steps"] // num_envs)
    started = time.perf_counter()
    for k in range(num_steps):
        stepper.step(drawn[k % _DRAWN])
    wall_s, peak_mb = time.perf_counter() - started, peak_rss_mb()
    stepper.close()
    return {"steps": num_steps * num_envs, "wall_s": wall_s, "peak_rss_mb": peak_mb, "mean_return": None}


def _returns(collected: Collected) -> list[float]:
    return [float(rewards.sum()) for rewards in collected.true_rewards]


if __name__ == "__main__":
    main()
