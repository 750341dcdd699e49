"""Trains PPO of another library for a while and prints one JSON line; see ``ppo_speed``.

Runs as a script with the peers' own interpreter, so it uses nothing of this package.
"""

import argparse
import importlib.metadata
import json
import resource
import time
from typing import Any

import gymnasium
import numpy as np


def main() -> None:
    """Train and print what was measured."""
    parser = argparse.ArgumentParser()
    parser.add_argument("side", choices=("sb3", "sbx"))
    parser.add_argument("settings", type=json.loads, help="JSON, as ppo_speed makes it")
    options = parser.parse_args()
    settings = options.settings
    total = settings["warm_up_steps"] + settings["steps"]

    from stable_baselines3.common.monitor import Monitor
    from stable_baselines3.common.vec_env import DummyVecEnv

    make = _make_sb3 if options.side == "sb3" else _make_sbx
    # No render_mode and no checker: nothing but physics, time limit and the record of returns.
    monitors = [
        Monitor(gymnasium.make(settings["env_id"], disable_env_checker=True))
        for _ in range(settings["num_envs"])
    ]
    vector = DummyVecEnv([lambda env=env: env for env in monitors])
    model = make(vector, settings)
    model.learn(settings["warm_up_steps"], log_interval=None)
    started = time.perf_counter()
    model.learn(settings["steps"], log_interval=None, reset_num_timesteps=False)
    wall_s = time.perf_counter() - started
    packages = ("stable-baselines3", "sbx-rl", "torch", "jax", "gymnasium", "mujoco", "numpy")
    print(
        json.dumps(
            {
                "steps": model.num_timesteps - settings["warm_up_steps"],
                "wall_s": wall_s,
                "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "mean_return": _late_mean(monitors, 0.75 * total),
                "versions": {name: importlib.metadata.version(name) for name in packages},
            }
        )
    )


def _common(settings: dict[str, Any]) -> dict[str, Any]:
    return {
        "n_steps": settings["num_steps"],
        "batch_size": settings["minibatch_size"],
        "n_epochs": settings["num_epochs"],
        "learning_rate": settings["learning_rate"],
        "gamma": settings["discount"],
        "gae_lambda": settings["gae_lambda"],
        "clip_range": settings["clip_range"],
        "max_grad_norm": settings["max_grad_norm"],
        "seed": settings["seed"],
        "device": "cpu",
    }


def _make_sb3(env: Any, settings: dict[str, Any]) -> Any:
    import torch
    from stable_baselines3 import PPO

    torch.set_num_threads(settings["threads"])
    hidden = list(settings["hidden"])
    architecture = {"net_arch": hidden, "activation_fn": torch.nn.Tanh}
    return PPO("MlpPolicy", env, policy_kwargs=architecture, **_common(settings))


def _make_sbx(env: Any, settings: dict[str, Any]) -> Any:
    import torch
    from sbx import PPO

    torch.set_num_threads(settings["threads"])
    architecture = {"net_arch": list(settings["hidden"])}  # tanh is its default
    return PPO("MlpPolicy", env, policy_kwargs=architecture, **_common(settings))


def _late_mean(monitors: list[Any], first_step: float) -> float | None:
    """Mean return of the episodes that ended after ``first_step`` of all environments' steps together."""
    late: list[float] = []
    for monitor in monitors:
        ends = np.cumsum(monitor.get_episode_lengths()) * len(monitors)
        late += [r for r, end in zip(monitor.get_episode_rewards(), ends, strict=True) if end > first_step]
    return float(np.mean(late)) if late else None


if __name__ == "__main__":
    main()
