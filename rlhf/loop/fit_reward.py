"""Feedback -> reward: a new version of the reward model when there are enough new answers."""

import numpy as np
import sqlalchemy as sa

from rlhf.feedback.targets import prob_first, strengths
from rlhf.loop.find_source import find_source
from rlhf.loop.learn_from_demonstrations import DEMONSTRATIONS, with_demonstrations
from rlhf.loop.read_design import designed_reward
from rlhf.loop.read_orders import Orders, Ranked, read_orders
from rlhf.loop.schedule import is_fit_due
from rlhf.loop.session import Session
from rlhf.loop.store_reward import store_reward
from rlhf.reward.design import DesignedReward
from rlhf.reward.encoder import episode_sequences
from rlhf.reward.fit import FitReport, fit, fit_design
from rlhf.storage import acts, answers, designs, runs, segments
from rlhf.storage.engine import reading
from rlhf.types.experience import Float32, Rollout
from rlhf.types.feedback import NEVER_LEARNED, PreferenceData, Rankings, no_rankings
from rlhf.types.people import TEACHING_ACTS, ActKind

_MAX_REFERENCE = 5_000
"""Recent transitions that set the scale of a reward version, and as many answered ones."""


def fit_reward(session: Session) -> FitReport | None:
    """Fit and store the next reward version if it is due; the policy adopts it at its next update.

    Returns:
        What the fit says of itself, or None when it is not due.
    """
    with reading(session.engine) as connection:
        newest = answers.last_id(connection, session.run_id)
        act = acts.last_id(connection, session.run_id, TEACHING_ACTS)
        number, design = designs.newest_design(connection, session.run_id)
        is_decided = act != session.fitted_act and session.fitted > 0
        is_redesigned = number != session.fitted_design and (bool(design.terms) or session.fitted > 0)
        is_answered = newest != session.fitted_id and _is_due(session, connection)
        if not (is_decided or is_redesigned or is_answered):
            return None
        rows, weights = teaching_answers(connection, session.run_id)
        orders = read_orders(connection, session.run_id, rows)
    session.fitted_act = act
    if not rows and not (is_redesigned and design.terms):
        if session.fitted:
            session.fitted_id = newest  # or all would be read again in every turn
            _warn_of_nothing_left(session)
        return None
    session.fitted_design = number
    designed = designed_reward(session, number, design)
    if not rows:
        assert designed is not None
        return _begin_with(session, designed)
    people = list(dict.fromkeys(row["annotator_id"] for row in rows))
    with session.timed("reward"):
        answered = preference_data(session, rows, weights, orders)
        data = with_demonstrations(session, answered)
        reference = _reference(session, answered.features)
        session.reward, report = fit(
            data,
            reference,
            session.config.reward,
            session.rngs["reward"],
            session.reward,
            _sequences(session) if session.config.reward.model_class == "encoded" else None,
            find_source(session),
            designed,
        )
    session.reward_version = session.reward.version
    session.reward_is_new = True
    session.fitted, session.fitted_id = len(rows), newest
    if len(data) > len(answered):
        people = [*people, DEMONSTRATIONS]
    store_reward(
        session, report, data, people, rows, [row for row in rows if row["id"] not in orders.replaced]
    )
    return report


def _warn_of_nothing_left(session: Session) -> None:
    message = (
        "No answer is left to learn from. The reward stays as it was when there were some, until others come."
    )
    with session.writing() as connection:
        runs.add_event(connection, session.run_id, session.steps, "warning", message)


def _begin_with(session: Session, designed: DesignedReward) -> FitReport:
    """Make a design the reward as long as nobody has answered, so that the policy has something to follow."""
    with session.timed("reward"):
        reference = _reference(session, designed.segments)
        session.reward, report = fit_design(
            designed, reference, session.config.reward, session.rngs["reward"], session.reward
        )
    session.reward_version = session.reward.version
    session.reward_is_new = True
    none, targets = np.empty(0, np.int64), np.empty(0, np.float32)
    nothing = PreferenceData(
        features=designed.segments, first=none, second=none, prob_first=targets, annotator=none
    )
    store_reward(session, report, nothing, [], [], [])
    return report


def rollout_features(session: Session, rollout: Rollout) -> Float32:
    """Return the reward's inputs for the steps of a rollout, (T, N, F)."""
    return session.inputs.steps(rollout.observations, rollout.applied_actions(), rollout.next_observations)


def segment_inputs(session: Session, segment_id: str) -> Float32:
    """Return a stored segment's features (L, F), reading it once per session."""
    if segment_id not in session.features:
        with reading(session.engine) as connection:
            segment = segments.load_segment(connection, session.blobs, segment_id)
        session.features[segment_id] = session.inputs.segment(segment)
    return session.features[segment_id]


def _is_due(session: Session, connection: sa.Connection) -> bool:
    schedule = session.config.schedule
    counts = answers.count_standing(connection, session.run_id)
    comparisons = sum(number for choice, number in counts.items() if prob_first(choice) is not None)
    changes = answers.count_changes(connection, session.run_id, session.fitted_id)
    # A teacher that has given its last answer will never make up the number that people are waited for.
    is_last = session.is_simulated and sum(counts.values()) >= schedule.labels and comparisons > 0
    # What a researcher set right is not waited with: the reward goes on teaching the mistake meanwhile.
    is_corrected = session.fitted > 0 and answers.was_corrected(connection, session.run_id, session.fitted_id)
    return (changes > 0 and (is_last or is_corrected)) or is_fit_due(
        schedule, comparisons=comparisons, changes=changes, fitted=session.fitted
    )


def teaching_answers(connection: sa.Connection, run_id: str) -> tuple[list[sa.RowMapping], list[float]]:
    """Return the answers of a run that are learned from, in the order they came, and what each counts.

    They say something about an order, came while their query stood, were given by people who count, and are
    not about pairs that only measure: people, or progress.
    """
    given = acts.holding(connection, run_id, ActKind.WEIGHT)
    gold = acts.gold_queries(connection, run_id)
    rows = [
        row
        for row in answers.standing_answers(connection, run_id)
        if not row["is_late"]
        and prob_first(row["choice"]) is not None
        and given.get(row["annotator_id"], 1.0) > 0
        and row["kind"] not in NEVER_LEARNED
        and row["query_id"] not in gold
    ]
    return rows, [float(given.get(row["annotator_id"], 1.0)) for row in rows]


def preference_data(
    session: Session, rows: list[sa.RowMapping], weights: list[float], orders: Orders
) -> PreferenceData:
    """Return answers as arrays, annotators in the order of their first answers.

    Args:
        session: of the run.
        rows: what ``teaching_answers`` found.
        weights: what each counts.
        orders: what ``read_orders`` found.
    """
    weight_of = dict(zip((row["annotator_id"] for row in rows), weights, strict=True))
    rows = [row for row in rows if row["id"] not in orders.replaced]
    said = [row["details"].get("strength") for row in rows] + [None] * len(orders.compared)
    pairs = [
        (row["left_id"], row["right_id"], prob_first(row["choice"]), row["annotator_id"]) for row in rows
    ]
    # Ratings have no sides; by the ids, which are random, the better clip comes first as often as not.
    pairs += [
        (min(better, worse), max(better, worse), float(better < worse), who)
        for better, worse, who in orders.compared
    ]
    shown = (side for first, second, *_ in pairs for side in (first, second))
    ids = list(dict.fromkeys([*shown, *(one for ranked in orders.rankings for one in ranked.order)]))
    index = {segment_id: i for i, segment_id in enumerate(ids)}
    who = {person: i for i, person in enumerate(weight_of)}
    answered_by = [*(person for *_, person in pairs), *(one.annotator_id for one in orders.rankings)]
    return PreferenceData(
        features=np.stack([segment_inputs(session, segment_id) for segment_id in ids]),
        first=np.array([index[first] for first, *_ in pairs], np.int64),
        second=np.array([index[second] for _, second, *_ in pairs], np.int64),
        prob_first=np.array([target for *_, target, _ in pairs], np.float32),
        annotator=np.array([who[person] for *_, person in pairs], np.int64),
        strength=strengths(said, [person for *_, person in pairs]),
        rankings=_rankings(orders.rankings, index, who),
        weight=np.array([weight_of[person] for person in answered_by], np.float32),
    )


def _rankings(ranked: tuple[Ranked, ...], index: dict[str, int], who: dict[str, int]) -> Rankings:
    if not ranked:
        return no_rankings()
    places = max(len(one.order) for one in ranked)
    filled = [[index[segment] for segment in one.order] + [-1] * (places - len(one.order)) for one in ranked]
    return Rankings(
        order=np.array(filled, np.int64),
        num_ranked=np.array([one.num_ranked for one in ranked], np.int64),
        annotator=np.array([who[one.annotator_id] for one in ranked], np.int64),
    )


def _reference(session: Session, answered: Float32) -> Float32:
    """Return transitions that set the reward's scale: half recent behaviour, half answered segments.

    Args:
        session: holds recent behaviour.
        answered: features of those segments, (S, L, F).
    """
    answered = answered.reshape(-1, answered.shape[-1])
    recent = [
        rollout_features(session, rollout).reshape(-1, answered.shape[-1])
        for rollout in session.memory.rollouts
    ]
    if not recent:
        return answered
    steps = np.concatenate(recent)
    size = min(_MAX_REFERENCE, len(steps), len(answered))
    rng = session.rngs["reward"]
    return np.concatenate([rng.choice(steps, size, replace=False), rng.choice(answered, size, replace=False)])


def _sequences(session: Session) -> Float32 | None:
    """Return steps of remembered episodes with those that followed, (B, K, F); None if there are none."""
    memory = session.memory
    episodes = {e.reset_seed: e for e in (*memory.explored, *memory.older, *memory.recent)}
    found = [episode_sequences(episode, session.inputs) for episode in episodes.values()]
    return np.concatenate(found) if found else None
