"""Answers -> what can be said of the people who gave them, and how sure that is. No torch.

Everything comes from the store: what was answered, what the newest reward version says of each person, and
what researchers decided. True rewards play no part.
"""

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from rlhf.evaluation.people import Estimate, Share, agreement_of_all, agreement_with_others, drift
from rlhf.evaluation.statistics import wilson_interval
from rlhf.feedback.targets import prob_first
from rlhf.loop.ask_again import preferred
from rlhf.seeding import generator
from rlhf.storage import acts, answers, models, queries, runs
from rlhf.storage.engine import reading
from rlhf.types.feedback import Choice, QueryKind
from rlhf.types.people import ActKind

LATEST = 10_000
"""Answers of a run that are looked at; who gave the earlier ones may have changed since."""
SERIES = 60
"""Latest answer times that are kept one by one."""
_NORMAL_95 = 1.96
_CONFIDENCE = 0.99
"""Of remarks: higher than of the intervals shown, or among many people somebody would always be remarked
on."""
_LEAST_REMARKED = 15
"""Answers of a kind below which nothing is said of them."""
_LEAST_RIGHT = 0.8
"""Share of repeats and gold pairs that careful people surely reach."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Person:
    """One person of a run, by their latest answers that stand."""

    annotator_id: str
    name: str
    """Unique in the run."""
    is_teacher: bool
    num_answers: int
    last_at: float
    """Seconds since the epoch."""
    seconds: tuple[float, float, float] | None
    """Quartiles of the time from a pair on the screen to its answer; the middle one is the median."""
    recent_seconds: tuple[float, ...]
    """Of the latest ``SERIES`` answers, the newest last."""
    left: Share
    """Of those that chose a side, the left as it was seen; half is to be expected."""
    equal: Share
    skipped: Share
    consistent: Share
    """Of repeats, those answered as at first."""
    gold: Share
    """Of gold pairs, those answered right; equal is wrong where a side is right."""
    agreement: Share
    """With others; see ``agreement_with_others``."""
    foreseen: Share
    """Of comparisons, those as a reward model expected that had not seen them."""
    reliability: Estimate | None
    """How strongly the answers follow the reward: 1 is usual in this run, 0 is a coin. None for people whose
    answers the newest reward version did not learn from."""
    side_bias: Estimate | None
    """What being on the left is worth to them, in logits."""
    drift: Estimate | None
    """How many more of the answers late in a sitting than of the early ones were as the model expected at the
    time. The model learns meanwhile, which hides a small loss. None without long sittings."""
    is_paused: bool
    weight: float
    remarks: tuple[str, ...] = ()
    """What a researcher should look at, in words."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Assessment:
    """The people of a run, the most reliable first, and how well they agree."""

    people: tuple[Person, ...]
    alpha: Estimate | None
    """Krippendorff's, over pairs that several people answered; None where there is nothing to compare."""
    num_overlaps: int
    """Such pairs."""
    reward_version: int
    """Whose view of people this is; 0 before the first."""


def assess_people(engine: sa.Engine, run_id: str) -> Assessment:
    """Return what is known of the people who gave a run's latest answers.

    Raises:
        NotFoundError: there is no such run.
    """
    with reading(engine) as connection:
        run = runs.get_run(connection, run_id)
        rows = answers.latest_of_people(connection, run_id, LATEST)
        report = models.latest_reward_report(connection, run_id)
        gold = _right_answers(connection, run_id)
        paused = acts.holding(connection, run_id, ActKind.PAUSE)
        weights = acts.holding(connection, run_id, ActKind.WEIGHT)
    seen = dict(zip(report.get("annotator_ids", ()), report.get("annotators", ()), strict=False))
    opinions = _opinions(rows)
    agreement = agreement_with_others(opinions)
    by_person: dict[str, list[sa.RowMapping]] = collections.defaultdict(list)
    for row in rows:
        by_person[row["annotator_id"]].append(row)
    names = collections.Counter(theirs[0]["name"] for theirs in by_person.values())
    people = [
        dataclasses.replace(
            _from_answers(theirs, gold),
            name=theirs[0]["name"] if names[theirs[0]["name"]] == 1 else f"{theirs[0]['name']} {who[:4]}",
            agreement=agreement.get(who, Share()),
            is_paused=bool(paused.get(who, False)),
            weight=float(weights.get(who, 1.0)),
            **_as_the_model_sees(seen.get(who, {})),
        )
        for who, theirs in by_person.items()
    ]
    people = [dataclasses.replace(one, remarks=_remarks(one, people)) for one in people]
    people.sort(key=lambda one: -1.0 if one.reliability is None else one.reliability.value, reverse=True)
    return Assessment(
        people=tuple(people),
        alpha=agreement_of_all(opinions, generator(run["seed"], "agreement")),
        num_overlaps=sum(len(said) > 1 for said in opinions.values()),
        reward_version=run["reward_version"],
    )


def _right_answers(connection: sa.Connection, run_id: str) -> dict[str, str | None]:
    """Return by gold query the id of the segment that should be preferred, None where neither."""
    marked = acts.holding(connection, run_id, ActKind.GOLD)
    right: dict[str, str | None] = {}
    for query_id, choice in marked.items():
        if choice is not None:
            query = queries.get_query(connection, query_id)
            right[query_id] = {"left": query["left_id"], "right": query["right_id"]}.get(choice)
    return right


def _opinions(rows: Sequence[sa.RowMapping]) -> dict[tuple[str, str], dict[str, int]]:
    """Return by pair of segments what each person said first: 0 for equal, 1 or 2 for one of them."""
    opinions: dict[tuple[str, str], dict[str, int]] = collections.defaultdict(dict)
    for row in rows:
        if row["choice"] is not Choice.SKIP:
            pair = (min(row["left_id"], row["right_id"]), max(row["left_id"], row["right_id"]))
            chosen = preferred(row)
            category = 0 if chosen is None else 1 + pair.index(chosen)
            opinions[pair].setdefault(row["annotator_id"], category)
    return opinions


def _from_answers(rows: Sequence[sa.RowMapping], gold: Mapping[str, str | None]) -> Person:
    """Return what somebody's answers say by themselves; the rest is as of somebody unknown."""
    newest = rows[-1]
    choices = collections.Counter(row["choice"] for row in rows)
    seconds = [
        row["answered_at"] - row["shown_at"]
        for row in rows
        if row["shown_at"] is not None
        and row["answered_at"] is not None
        and row["answered_at"] >= row["shown_at"]
    ]
    quartiles = np.quantile(seconds, (0.25, 0.5, 0.75)).tolist() if seconds else None
    sides = choices[Choice.LEFT] + choices[Choice.RIGHT]
    decided = [row for row in rows if row["choice"] is not Choice.SKIP]
    foretold = [
        (
            row["answered_at"] or row["received_at"],
            (row["predicted"] > 0.5) == (prob_first(row["choice"]) == 1.0),
        )
        for row in decided
        if row["predicted"] is not None and prob_first(row["choice"]) in (0.0, 1.0)
    ]
    times, is_right = np.array(sorted(foretold), np.float64).reshape(-1, 2).T
    return Person(
        annotator_id=newest["annotator_id"],
        name=newest["name"],
        is_teacher=newest["is_teacher"],
        num_answers=len(rows),
        last_at=newest["received_at"],
        seconds=None if quartiles is None else tuple(quartiles),
        recent_seconds=tuple(seconds[-SERIES:]),
        left=Share(count=choices[Choice.LEFT], of=sides),
        equal=Share(count=choices[Choice.EQUAL], of=len(rows)),
        skipped=Share(count=choices[Choice.SKIP], of=len(rows)),
        consistent=_consistent(decided),
        gold=_right_gold(decided, gold),
        agreement=Share(),
        foreseen=Share(),
        reliability=None,
        side_bias=None,
        drift=drift(times, is_right > 0.5),
        is_paused=False,
        weight=1.0,
    )


def _consistent(rows: Sequence[sa.RowMapping]) -> Share:
    said = {row["query_id"]: preferred(row) for row in rows}
    same = [
        preferred(row) == said[row["again"]]
        for row in rows
        if row["kind"] is QueryKind.REPEAT and row["again"] in said
    ]
    return Share(count=sum(same), of=len(same))


def _right_gold(rows: Sequence[sa.RowMapping], gold: Mapping[str, str | None]) -> Share:
    asked = [(row, row["again"] if row["kind"] is QueryKind.GOLD else row["query_id"]) for row in rows]
    right = [preferred(row) == gold[query_id] for row, query_id in asked if query_id in gold]
    return Share(count=sum(right), of=len(right))


def _as_the_model_sees(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a person that come from a reward version's report; older ones say less."""
    found: dict[str, Any] = {}
    tested, accuracy = report.get("num_tested", 0), report.get("accuracy")
    if tested and accuracy is not None:
        found["foreseen"] = Share(count=accuracy * tested, of=tested)
    if "log_rationality_error" in report:
        value, spread = report["rationality"], np.exp(_NORMAL_95 * report["log_rationality_error"])
        found["reliability"] = Estimate(value=value, low=float(value / spread), high=float(value * spread))
        bias, error = report["side_bias"], _NORMAL_95 * report["side_bias_error"]
        found["side_bias"] = Estimate(value=bias, low=bias - error, high=bias + error)
    return found


def _remarks(one: Person, people: Sequence[Person]) -> tuple[str, ...]:
    """Return what stands out about a person beyond what chance would do."""
    return tuple(
        remark
        for remark in (
            _on_side(one.left),
            _on_foresight(one, people),
            _on_tests(one.consistent, "Answers repeats otherwise than at first: only {:.0f} of {} alike"),
            _on_tests(one.gold, "Misses gold pairs: only {:.0f} of {} right"),
            "Less careful late in a sitting" if one.drift is not None and one.drift.high < 0 else None,
        )
        if remark is not None
    )


def _on_side(left: Share) -> str | None:
    low, high = left.interval(_CONFIDENCE)
    if left.of < _LEAST_REMARKED or low <= 0.5 <= high:
        return None
    side, share = ("left", left.count) if low > 0.5 else ("right", left.of - left.count)
    return f"Presses {side} in {share / left.of:.0%} of answers; half is to be expected"


def _on_foresight(one: Person, people: Sequence[Person]) -> str | None:
    """Whoever is foreseen no better than a coin, and worse than the others are, answers like one.

    People who press one side are another matter, and no measure of what can be foreseen.
    """
    if _on_side(one.left) is not None:
        return None
    others = [p.foreseen for p in people if p.annotator_id != one.annotator_id and _on_side(p.left) is None]
    rest = Share(count=sum(o.count for o in others), of=sum(o.of for o in others))
    if one.foreseen.of < _LEAST_REMARKED or rest.of < _LEAST_REMARKED:
        return None
    low, high = wilson_interval(one.foreseen.count, one.foreseen.of)
    if low > 0.5 or high >= (rest.value or 0.0):
        return None
    what = "Answers the opposite of what is learned from the others" if high < 0.5 else "Answers like a coin"
    return f"{what}: {one.foreseen.value:.0%} as expected, the others {rest.value:.0%}"


def _on_tests(share: Share, words: str) -> str | None:
    _, high = share.interval()
    return words.format(share.count, share.of) if high < _LEAST_RIGHT else None
