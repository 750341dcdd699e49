"""Demonstrations -> comparisons: what was shown is preferred over what the policy does at present.

Source: https://arxiv.org/abs/1811.06521, where clips of demonstrations and of the agent are also
compared without asking anybody.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import sqlalchemy as sa

from rlhf.experience.segments import num_starts, sample_segments
from rlhf.loop.session import Session
from rlhf.seeding import generator
from rlhf.storage import demonstrations, segments
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading
from rlhf.types.experience import Bool, Episode, Float32, Segment
from rlhf.types.feedback import PreferenceData, Strength

DEMONSTRATIONS = "demonstrations"
"""Stands for whoever showed them where annotators are named."""


def with_demonstrations(session: Session, answered: PreferenceData) -> PreferenceData:
    """Return the answers and, behind them, comparisons of demonstrations with recent behaviour.

    Each has a segment of a demonstration and one of a recent episode, and counts ``demonstrations.weight`` of
    an answer, by an annotator of their own; together they weigh ``demonstrations.share`` of everything at
    most. None is added once the present reward finds recent behaviour as good often enough: the policy has
    learned what was shown, and from then on the comparisons would hold it back.

    Args:
        session: holds recent behaviour.
        answered: what people answered, at least one answer.
    """
    config = session.config.demonstrations
    weight = config.share / (1.0 - config.share) * float(answered.weight_of.sum())
    wanted = int(weight / config.weight)
    length, horizon = session.task.segment_steps, session.task.horizon
    episodes = load_episodes(session.engine, session.blobs, session.run_id)
    shown = [episode for episode in episodes if num_starts(episode, length, horizon)]
    if not wanted or not shown:
        return answered
    rng = generator(session.seed, "demonstrations", session.reward_version)
    better = _sample(session, shown, wanted, rng)
    worse = _sample(session, session.memory.recent, wanted, rng)
    count = min(len(better), len(worse))
    better, worse = better[:count], worse[:count]
    if _are_matched(session, better, worse):
        return answered
    return _joined(answered, better, worse, config.weight, is_left=rng.random(count) < 0.5)


def load_episodes(engine: sa.Engine, blobs: Blobs, run_id: str) -> list[Episode]:
    """Return the demonstrations of a run that count, the oldest first, as episodes from their start on."""
    with reading(engine) as connection:
        rows = demonstrations.list_valid(connection, run_id)
        shown = [segments.load_segment(connection, blobs, row["segment_id"]) for row in rows]
    return [_episode(segment, bool(row["terminated"])) for segment, row in zip(shown, rows, strict=True)]


def _episode(segment: Segment, terminated: bool) -> Episode:
    return Episode(
        observations=segment.observations,
        actions=segment.actions,
        terminated=terminated,
        reset_seed=segment.replay.reset_seed,
        policy_version=segment.policy_version,
        sim_states=segment.replay.sim_states,
    )


def _sample(session: Session, episodes: Sequence[Episode], count: int, rng: np.random.Generator) -> Float32:
    """Return the features (count or fewer, L, F) of random segments."""
    task = session.task
    chosen = sample_segments(list(episodes), count, task.segment_steps, task.horizon, rng)
    return np.stack([session.inputs.segment(segment) for segment in chosen])


def _are_matched(session: Session, better: Float32, worse: Float32) -> bool:
    """Whether the present reward puts recent behaviour above what was shown often enough."""
    if session.reward is None:
        return False
    returns = session.reward.member_returns(np.concatenate([better, worse])).mean(axis=0)
    shown, recent = np.split(returns, 2)
    return float((recent > shown).mean()) >= session.config.demonstrations.until


def _joined(
    answered: PreferenceData, better: Float32, worse: Float32, weight: float, *, is_left: Bool
) -> PreferenceData:
    """Append comparisons of ``better`` with ``worse`` segments; ``is_left`` says where the better one is."""
    count, known = len(better), len(answered.features)
    shown, recent = known + np.arange(count), known + count + np.arange(count)
    of_pairs, of_rankings = np.split(answered.weight_of, [len(answered.first)])
    return dataclasses.replace(
        answered,
        features=np.concatenate([answered.features, better, worse]),
        first=np.concatenate([answered.first, np.where(is_left, shown, recent)]),
        second=np.concatenate([answered.second, np.where(is_left, recent, shown)]),
        prob_first=np.concatenate([answered.prob_first, is_left.astype(np.float32)]),
        annotator=np.concatenate([answered.annotator, np.full(count, answered.num_annotators, np.int64)]),
        strength=np.concatenate([answered.strength, np.full(count, Strength.UNSAID, np.int64)]),
        weight=np.concatenate([of_pairs, np.full(count, weight, np.float32), of_rankings]),
        num_implied=count,
    )
