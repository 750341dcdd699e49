"""Experience -> queries: keeps enough pairs waiting, and lets go of those that are out of date."""

import dataclasses
import functools

import numpy as np
import sqlalchemy as sa

from rlhf.experience.segments import num_starts, sample_endings, sample_segments
from rlhf.loop.ask_teacher import answers_due
from rlhf.loop.champion import challenger_episodes
from rlhf.loop.fit_reward import segment_inputs
from rlhf.loop.schedule import session_size
from rlhf.loop.session import Session
from rlhf.queries.candidates import propose
from rlhf.queries.config import QueryConfig
from rlhf.queries.diversity import describe_motion, nearest_of, standardise
from rlhf.queries.select import Selection, select, select_initial
from rlhf.storage import answers, jobs, queries
from rlhf.storage.engine import reading
from rlhf.storage.segments import insert_segment, load_segment
from rlhf.types.experience import Episode, Float32, Int64, Segment
from rlhf.types.feedback import QueryKind
from rlhf.types.run import JobKind

_INITIAL_SEGMENTS_PER_QUERY = 8
_MIN_BATCH = 4
"""Pairs chosen at once, at least: each choice scores a new set of candidates."""
_MAX_ASKED = 500
"""Latest pairs that a new one is compared with: old enough behaviour does not come back."""
_STALE_VERSIONS = 2
"""A pair chosen so many reward versions ago expires when there is a newer one in its place."""


def choose_queries(session: Session) -> int:
    """Publish as many queries as are wanted now; return how many.

    With people, a buffer of open queries is kept full. With a simulated teacher, a session's worth is
    chosen when it is due. Drawn ones are marked ready by the renderer.
    """
    with session.timed("queries"):
        wanted = _wanted(session)
        if wanted <= 0:
            return 0
        contests = _ask_contests(session, wanted)
        segments, num_even = _cut_segments(session, wanted)
        if wanted == contests or len(segments) < 2:
            return contests
        chosen, predicted = _choose(session, segments, num_even, wanted - contests)
        if len(chosen):
            _publish(session, segments, chosen, predicted)
        return contests + len(chosen)


def _ask_contests(session: Session, wanted: int) -> int:
    """Publish some pairs of random segments of the best policy stored and of the newest; return how many."""
    rng, share = session.rngs["queries"], session.config.gates.contest_share
    own = challenger_episodes(session)
    if session.reward is None or not own or not session.memory.champion:
        return 0
    number = int(rng.binomial(wanted, share))
    best, newest = (_sample(session, group, number) for group in (session.memory.champion, own))
    number = min(len(best), len(newest))
    if number == 0:
        return 0
    segments = best[:number] + newest[:number]
    rows = np.arange(number)
    is_left = rng.random(number) < 0.5  # the newest policy is
    chosen = Selection(
        first=np.where(is_left, rows + number, rows),
        second=np.where(is_left, rows, rows + number),
        kinds=(QueryKind.CONTEST,) * number,
        scores=np.zeros(number, np.float32),
    )
    returns = session.reward.member_returns(_features(session, segments))
    predicted = session.reward.member_probs(returns, chosen.first, chosen.second).mean(axis=0)
    ids = _publish(session, segments, chosen, predicted)
    session.gates.contests |= dict(zip(ids, is_left.tolist(), strict=True))
    return number


def _wanted(session: Session) -> int:
    schedule = session.config.schedule
    if session.is_simulated:
        with reading(session.engine) as connection:
            due, given = answers_due(connection, session.run_id, session.config, session.steps)
        return session_size(schedule, due=due, given=given)
    before = session.reward_version - _STALE_VERSIONS + 1
    with reading(session.engine) as connection:
        waiting = queries.list_open(connection, session.run_id)
    fresh = sum(query["reward_version"] >= before for query in waiting)
    if 0 < fresh < len(waiting):
        with session.writing() as connection:
            queries.expire_replaced(
                connection, session.run_id, before_reward_version=before, wanted=schedule.open_queries
            )
    # While the policy tries what is new, later questions are about more than the first ones.
    missing = (schedule.first_answers if session.is_exploring else schedule.open_queries) - fresh
    return missing if missing >= _MIN_BATCH or fresh < _MIN_BATCH else 0


def _cut_segments(session: Session, count: int) -> tuple[list[Segment], int]:
    """Return segments to choose pairs from: of all the exploration at first, then old and recent ones.

    Those drawn evenly come first, and how many these are is returned with them. The others show how episodes
    ended: an outcome is rare among the clips of a long episode, and may be all that the goal is about.
    """
    memory, config = session.memory, session.config
    if session.reward is None:
        all_of_them = (*memory.explored, *memory.older, *memory.recent)
        episodes = list({episode.reset_seed: episode for episode in all_of_them}.values())
        wanted = count * _INITIAL_SEGMENTS_PER_QUERY
        endings = _sample_endings(session, episodes, round(config.queries.endings_share * wanted))
        even = _sample(session, episodes, wanted - len(endings))
        return even + endings, len(even)
    num_candidates = count * config.queries.candidates_per_query
    groups = ((list(memory.older), num_candidates // 2), (list(memory.recent), num_candidates))
    even = [segment for group, number in groups for segment in _sample(session, group, number)]
    share = config.queries.endings_share if config.reward.use_endings else 0.0
    endings = [
        one for group, number in groups for one in _sample_endings(session, group, round(share * number))
    ]
    return even + endings, len(even)


def _choose(
    session: Session, segments: list[Segment], num_even: int, count: int
) -> tuple[Selection, Float32 | None]:
    """Return the pairs of segments to ask about and the model's P(left preferred) of each."""
    config, rng = _settings(session), session.rngs["queries"]
    motions, asked, asked_ids = _motions(session, segments)
    if session.reward is None:
        return select_initial(motions, len(segments), asked, count, config, rng), None
    ages = {e.reset_seed: age for age, e in enumerate([*session.memory.older, *session.memory.recent])}
    candidates = propose(
        np.array([ages[segment.replay.reset_seed] for segment in segments], np.int64),
        np.array([segment.policy_version for segment in segments], np.int64),
        count * config.candidates_per_query,
        recent_episodes=config.recent_episodes,
        new_versus_old_share=config.new_versus_old_share,
        low_density_share=config.low_density_share,
        rarity=nearest_of(motions[: len(segments)], motions[np.unique(asked)]),
        num_even=num_even,
        rng=rng,
    )
    inputs = [*_features(session, segments), *(segment_inputs(session, one) for one in asked_ids)]
    returns = session.reward.member_returns(np.stack(inputs))
    predict = functools.partial(session.reward.member_probs, returns)
    chosen = select(candidates, predict, motions, asked, count, config, rng)
    return chosen, predict(chosen.first, chosen.second).mean(axis=0)


def _settings(session: Session) -> QueryConfig:
    """Return what to ask for; more from where little is known while the policy is mostly there."""
    config, gates = session.config.queries, session.config.gates
    if "unfamiliar" not in session.gates.standing:
        return config
    low = max(config.low_density_share, gates.unfamiliar_queries)
    return dataclasses.replace(config, low_density_share=min(low, 1.0 - config.new_versus_old_share))


def _motions(session: Session, segments: list[Segment]) -> tuple[Float32, Int64, list[str]]:
    """Return what ``segments`` and then those asked about look like, the asked pairs as rows of it, ids."""
    with reading(session.engine) as connection:
        pairs = queries.list_asked_pairs(connection, session.run_id, _MAX_ASKED)
        for segment_id in {one for pair in pairs for one in pair} - session.motions.keys():
            session.motions[segment_id] = _motion(load_segment(connection, session.blobs, segment_id))
    ids = list(dict.fromkeys(one for pair in pairs for one in pair))
    rows = [*map(_motion, segments), *(session.motions[one] for one in ids)]
    index = {segment_id: len(segments) + i for i, segment_id in enumerate(ids)}
    asked = np.array([[index[one] for one in pair] for pair in pairs], np.int64).reshape(-1, 2)
    return standardise(np.stack(rows)), asked, ids


def _motion(segment: Segment) -> Float32:
    return describe_motion(segment.observations, segment.absorbing)


def _sample(session: Session, episodes: list[Episode], count: int) -> list[Segment]:
    task = session.task
    usable = [e for e in episodes if num_starts(e, task.segment_steps, task.horizon)]
    if not usable:
        return []
    return sample_segments(usable, count, task.segment_steps, task.horizon, session.rngs["queries"])


def _sample_endings(session: Session, episodes: list[Episode], count: int) -> list[Segment]:
    task = session.task
    return sample_endings(episodes, count, task.segment_steps, task.horizon, session.rngs["queries"])


def _features(session: Session, segments: list[Segment]) -> Float32:
    return np.stack([session.inputs.segment(segment) for segment in segments])


def _publish(
    session: Session, segments: list[Segment], chosen: Selection, predicted: Float32 | None
) -> list[str]:
    """Store the chosen segments as blobs, then their queries in one transaction; return the queries' ids."""
    query_ids: list[str] = []
    used = sorted({*chosen.first.tolist(), *chosen.second.tolist()})
    arrays = {i: session.blobs.write_arrays(segments[i].to_arrays()) for i in used}
    truths: dict[int, str | None] = dict.fromkeys(used)
    if session.task.has_true_reward:
        for i in used:
            true_rewards = session.memory.true_rewards_of(segments[i])
            truths[i] = session.blobs.write_arrays({"true_rewards": true_rewards})
    with session.writing() as connection:
        wanted_answers = _wanted_answers(session, connection, len(chosen))
        ids = {i: insert_segment(connection, session.run_id, segments[i], arrays[i], truths[i]) for i in used}
        for row, kind in enumerate(chosen.kinds):
            query_id = queries.insert_query(
                connection,
                session.run_id,
                left_id=ids[int(chosen.first[row])],
                right_id=ids[int(chosen.second[row])],
                kind=kind,
                score=float(chosen.scores[row]) if kind is QueryKind.ACTIVE else None,
                predicted=None if predicted is None else float(predicted[row]),
                policy_version=session.policy.version,
                reward_version=session.reward_version,
                wanted_answers=wanted_answers[row],
            )
            query_ids.append(query_id)
            if not session.is_simulated:
                jobs.enqueue(connection, session.run_id, JobKind.RENDER, query_id)
    session.motions |= {ids[i]: _motion(segments[i]) for i in used}
    return query_ids


def _wanted_answers(session: Session, connection: sa.Connection, count: int) -> list[int]:
    """Return how many people each of the new queries is asked; more than one only while several answer."""
    config = session.config.queries
    if session.is_simulated or answers.count_recent_people(connection, session.run_id) < 2:
        return [1] * count
    is_shared = session.rngs["queries"].random(count) < config.overlap_share
    return [config.overlap_answers if shared else 1 for shared in is_shared]
