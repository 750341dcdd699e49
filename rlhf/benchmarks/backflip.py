"""``backflip``: does a noisy teacher get backflips out of the hopper, and how soon?

Each run is ``python -m rlhf simulate`` in a process of its own. The teacher looks at speed of turning and
height (``true_rewards.backflip``); what is counted afterwards are flips as a person would count them, by
``evaluation.backflips``, which knows no reward. Beside it PPO learns on the teacher's own reward, which says
what could be had.
"""

import argparse
import base64
import contextlib
import functools
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rlhf.benchmarks.processes import (
    Tell,
    add_seed_options,
    measure_all,
    seed_range,
    seeds_as_typed,
    verb_report,
)
from rlhf.benchmarks.results import (
    PRESETS_MODULE,
    SIMULATE,
    code_digest,
    made_on,
    task_settings,
    write_results,
)
from rlhf.benchmarks.svg import Panel, Series, curves
from rlhf.clips.encode import decode_mp4, encode_mp4, frame_jpeg
from rlhf.clips.render import SegmentRenderer
from rlhf.config import Settings, to_dict
from rlhf.errors import ConfigError
from rlhf.evaluation.backflips import backflip_landings, count_backflips
from rlhf.experience.rollout import run_episodes
from rlhf.experience.segments import cut
from rlhf.experience.tasks import get_task, make_env, spaces_of
from rlhf.loop.config import resolve
from rlhf.loop.report import Stopwatch, evaluate_acting
from rlhf.loop.train_on_true_reward import learn_true_reward
from rlhf.policy.snapshot import PolicySnapshot
from rlhf.seeding import generator
from rlhf.storage import models, runs
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import open_engine, reading
from rlhf.types.experience import Episode
from rlhf.types.hopper import STEP_S
from rlhf.types.protocols import ActingPolicy

NAME = "backflip"
TASK = "hopper-backflip"
TEACHER = "mistake:0.1"
ANSWERS = 150
BAR = 1.0
"""Flips in three seconds."""
_PER = 3.0
_QUICK_STEPS = 4_000
_REWARD_STEPS = 600_000
"""Of PPO on the teacher's reward."""
ARMS = ("answers", "reward")
_EPISODES = 20
"""Of the policy that the learned reward likes best."""
_POLICIES, _EPISODES_EACH = 20, 4
"""Saved policies of a run that the curve is made of, and episodes of each."""
_STILLS, _FLIP_STEPS = 8, 48
"""Moments of a backflip that are shown in a row, and how many steps they span, to its landing."""
_NOTE = (
    "Backflips in three seconds: full backward turns that take off from the foot and land on it upright, in "
    f"{_EPISODES} episodes of the policy that the learned reward likes best; from the teacher's own reward, "
    "of the last one."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--labels", type=int, default=ANSWERS, metavar="N", help="answers of the teacher")
    parser.add_argument("--teacher", default=TEACHER, metavar="SPEC")
    parser.add_argument(
        "--steps", type=int, default=resolve(get_task(TASK), {}).schedule.total_steps, help="of every run"
    )
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS, metavar="ARM")
    add_seed_options(parser, NAME)
    parser.set_defaults(seeds=3, first_seed=20)  # earlier ones were looked at while settings changed


def run(options: argparse.Namespace, tell: Tell) -> tuple[dict[str, Any], list[list[str]], str]:
    """Make all runs that are not there yet; write the summary and a clip of each run, and return the summary.

    Returns:
        The summary, its table as rows of text under a header, and what else there is to say.

    Raises:
        ConfigError: an option makes no sense.
        JobError: a run failed.
    """
    steps = _QUICK_STEPS if options.quick else options.steps
    if min(steps, options.labels) < 1:
        raise ConfigError(f"--steps is {steps} and --labels {options.labels}; at least 1 is needed.")
    common = {"task": task_settings(get_task(TASK)), "code": code_digest(SIMULATE, but=(PRESETS_MODULE,))}
    asked = _config({"schedule.total_steps": steps, "schedule.labels": options.labels})
    paid = _config({"schedule.total_steps": min(steps, _REWARD_STEPS)})
    of = {"answers": {"teacher": options.teacher, "config": asked}, "reward": {"config": paid}}
    keys = [{"seed": seed, **of[arm], **common} for arm in options.arms for seed in seed_range(options)]
    found = measure_all(NAME, keys, _measure, _describe, jobs=options.jobs, tell=tell, keep_in=options.out)
    rates = [one["flips_per_3s"] for one in found if one["answers"]]
    summary = {
        "command": f"python -m rlhf bench {NAME} --labels {options.labels} --teacher {options.teacher} "
        f"--steps {options.steps} --arms {' '.join(options.arms)} {seeds_as_typed(options)}",
        "runs": [{name: one[name] for name in _COLUMNS} for one in found],
        "bar": BAR,
        "passed": bool(rates) and min(rates) >= BAR,
    }
    rows = [{"seed": one["seed"], "answers": one["answers"], **p} for one in found for p in one["curve"]]
    write_results(options.out, rows, plot(found), summary, made_on(NAME, keys))
    for one in found:
        if one["answers"]:
            clip = base64.b64decode(one["clip"])
            (options.out / f"seed-{one['seed']}.mp4").write_bytes(clip)
            if one["landing"] is not None:
                (options.out / f"seed-{one['seed']}.jpg").write_bytes(_stills(clip, one["landing"]))
    return summary, text_rows(summary), _NOTE


_COLUMNS = ("seed", "answers", "flips_per_3s", "episodes_with_flips", "wall_s", "true_return", "spearman")


def text_rows(summary: Mapping[str, Any]) -> list[list[str]]:
    """Return the summary as a header and rows of text."""
    table = [["learned from", "seed", "backflips in 3 s", "episodes with one", "minutes", "asked for", ""]]
    for one in summary["runs"]:
        rate, answers = one["flips_per_3s"], one["answers"]
        verdict = "reached" if rate >= summary["bar"] else "not reached"
        table.append(
            [
                f"{answers} answers" if answers else "teacher's reward",
                str(one["seed"]),
                f"{rate:.2f}",
                f"{one['episodes_with_flips']:.0%}",
                f"{one['wall_s'] / 60:.1f}",
                *((f">= {summary['bar']:g}", verdict) if answers else ("", "")),
            ]
        )
    return table


def plot(found: Sequence[Mapping[str, Any]]) -> str:
    """Return an SVG of backflips in three seconds over steps, a line for each seed."""
    series = []
    for one in found:
        xs, ys = ([point[name] for point in one["curve"]] for name in ("steps", "flips_per_3s"))
        name = f"seed {one['seed']}" + ("" if one["answers"] else ", teacher's reward")
        series.append(Series(name=name, xs=xs, ys=ys, lows=ys, highs=ys))
    return curves([Panel(title="backflips in three seconds", series=series, line=BAR)], "steps")


def watch(folder: Path, version: int, seed: int) -> dict[str, Any]:
    """Return what the only run of a store can do: flips of its policies over time, and of one of them a clip.

    Args:
        folder: of the store.
        version: of the policy to look at most closely, and to film.
        seed: of the episodes.
    """
    store = Settings.from_environment({"RLHF_DATA_DIR": str(folder)})
    engine, blobs = open_engine(store.database_url), Blobs(store.blob_url)
    try:
        with reading(engine) as connection:
            (found,) = runs.list_runs(connection)
            saved = {row["version"]: row for row in models.list_policy_versions(connection, found["id"])}
    finally:
        engine.dispose()

    def episodes(of: int, count: int) -> list[Episode]:
        arrays, _ = blobs.read_arrays(saved[of]["arrays"])
        return _episodes(PolicySnapshot.from_arrays(arrays, spaces_of(get_task(TASK))[1]), seed, count)

    shown = np.array(sorted(saved))
    shown = shown[np.unique(np.linspace(0, len(shown) - 1, _POLICIES).round().astype(int))]
    closely = episodes(version, _EPISODES)
    landings = backflip_landings(closely[0].observations)
    return {
        **_counts(closely),
        "curve": [
            {
                "steps": saved[one]["steps"],
                "answers": saved[one]["num_answers"],
                "flips_per_3s": _rate(episodes(one, _EPISODES_EACH)),
            }
            for one in shown.tolist()
        ],
        "clip": base64.b64encode(_film(closely[0])).decode(),
        "landing": int(landings[0]) if len(landings) else None,
    }


def _config(settings: Mapping[str, Any]) -> dict[str, Any]:
    return to_dict(resolve(get_task(TASK), settings))


def _episodes(policy: ActingPolicy, seed: int, count: int) -> list[Episode]:
    start = int(generator(seed, "backflip").integers(2**31))
    return run_episodes(get_task(TASK), policy, count, start, deterministic=True)[0]


def _counts(episodes: Sequence[Episode]) -> dict[str, float]:
    flips = np.array([count_backflips(episode.observations) for episode in episodes])
    return {"flips_per_3s": _rate(episodes), "episodes_with_flips": float((flips > 0).mean())}


def _rate(episodes: Sequence[Episode]) -> float:
    flips = sum(count_backflips(episode.observations) for episode in episodes)
    # What is left of an episode after a fall counts: a single flip must not look like many.
    return _PER * flips / (STEP_S * get_task(TASK).horizon * len(episodes))


def _film(episode: Episode) -> bytes:
    task = get_task(TASK)
    with contextlib.closing(SegmentRenderer(task, functools.partial(make_env, task))) as renderer:
        frames = renderer.frames(cut(episode, 0, episode.num_steps, task.horizon))
    return encode_mp4(frames, task.playback_fps)


def _stills(clip: bytes, landing: int) -> bytes:
    """Return a JPEG of the moments of a clip, side by side, in which a backflip lands at step ``landing``."""
    frames = decode_mp4(clip)
    moments = np.linspace(max(0, landing - _FLIP_STEPS), landing, _STILLS).round().astype(int)
    return frame_jpeg(np.hstack(list(frames[moments, ::2, ::2])))


def _measure(key: Mapping[str, Any]) -> dict[str, Any]:
    if "teacher" not in key:
        return _learn_from_reward(key["config"]["schedule"]["total_steps"], key["seed"])
    schedule = key["config"]["schedule"]
    with tempfile.TemporaryDirectory(prefix="preference-studio-") as folder:
        report = verb_report(
            [
                *("simulate", "--task", TASK, "--teacher", key["teacher"], "--seed", str(key["seed"])),
                *("--labels", str(schedule["labels"]), "--steps", str(schedule["total_steps"])),
                *("--keep", folder),
            ]
        )
        seen = watch(Path(folder), report["true_return"]["best_version"], key["seed"])
    return {
        "seed": key["seed"],
        "answers": report["labels"]["asked"],
        "wall_s": report["wall_s"],
        "true_return": report["true_return"]["mean"],
        "spearman": report["reward_spearman"],
        **seen,
    }


def _learn_from_reward(steps: int, seed: int) -> dict[str, Any]:
    """Return what PPO on the teacher's own reward can do after so many steps."""
    watch, config = Stopwatch(), resolve(get_task(TASK), {"schedule.total_steps": steps})
    curve: list[dict[str, Any]] = []
    for turn, learned in enumerate(learn_true_reward(get_task(TASK), config, seed), start=1):
        done = turn * learned.collected.rollout.num_steps
        if done * _POLICIES >= (len(curve) + 1) * steps:
            rate = _rate(_episodes(learned.policy, seed, _EPISODES_EACH))
            curve.append({"steps": done, "flips_per_3s": rate})
    task, wall_s = get_task(TASK), watch.elapsed()
    return {
        "seed": seed,
        "answers": 0,
        "wall_s": wall_s,
        "true_return": evaluate_acting(task, learned.policy, seed, learned.policy.version)["mean"],
        "spearman": None,
        "curve": curve,
        **_counts(_episodes(learned.policy, seed, _EPISODES)),
    }


def _describe(key: Mapping[str, Any]) -> str:
    return f"seed {key['seed']} from the teacher's {'answers' if 'teacher' in key else 'reward'}"
