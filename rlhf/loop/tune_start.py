"""One saved policy -> which way of fine-tuning it suits a task: what learns, how fast, how tightly held.

Ways race over paired seeds beside a policy from scratch, which keeps its place unless one of them is better:
a transfer that harms is seen before a run is spent on it.
"""

import dataclasses

import sqlalchemy as sa

from rlhf.config import override
from rlhf.errors import ConfigError
from rlhf.loop.look_at_source import look_at_source
from rlhf.loop.order_ranking import RankConfig, parse_version
from rlhf.loop.practise import Candidate, judge_of, practise
from rlhf.loop.report import Progress
from rlhf.loop.ways import usual_config, ways_for
from rlhf.storage.blobs import Blobs
from rlhf.types.ranked_source import RankedSource


def tune_start(
    engine: sa.Engine,
    blobs: Blobs,
    target: str,
    config: RankConfig,
    *,
    seed: int,
    progress: Progress,
    reward_from: tuple[str, int] | None = None,
) -> list[RankedSource]:
    """Return the ways of fine-tuning ``config.ways_of`` on a task, and scratch, the most promising first.

    Args:
        engine: of the store.
        blobs: of the store.
        target: name of the task.
        config: how they are compared; ``short_steps`` is the full practice.
        seed: of the practice; not that of a later run, which would be judged by what chose it.
        progress: hears how far it is.
        reward_from: run and version of a reward that was learned for the target.

    Raises:
        TaskError, NotFoundError: there is no such task, policy or reward.
        ConfigError: there is nothing to judge by.
    """
    run_id, version = parse_version(config.ways_of)
    source = look_at_source(engine, blobs, run_id, task=target, policy_version=version)
    if "policy" in source.missing:
        raise ConfigError(f"run {run_id} cannot be fine-tuned on {target}: {source.missing['policy']}.")
    reward = judge_of(engine, blobs, source.task, reward_from)
    usual = usual_config(source)
    fitting = override(usual, source.fitting_settings)
    ways = list(ways_for(source))
    # Scratch has the network of its own task: it is what somebody would do without the source.
    candidates = [Candidate(name="scratch", config=usual, policy=None)]
    for way in ways:
        name = f"{way.update}, learning rate x {way.pace:g}" + (", held" if way.hold else "")
        tuned = override(fitting, way.settings(usual))
        candidates.append(Candidate(name=name, config=tuned, policy=source.policy))
    found = practise(candidates, source.task, reward, config, seed=seed, progress=progress)
    ranked = [
        RankedSource(
            run_id=run_id if way else None,
            version=version if way else 0,
            task=source.run["task"] if way else target,
            num_parameters=source.count_learned(way.update if way else "all")[0],
            **dataclasses.asdict(one),
            **(dataclasses.asdict(way) if way else {}),
        )
        for way, one in zip([None, *ways], found, strict=True)
    ]
    return sorted(ranked, key=RankedSource.promise, reverse=True)
