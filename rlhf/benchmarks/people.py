"""``people``: are planted annotators found, and does the reward gain from knowing them?

Five made-up people with known faults answer the same run through the same store as anybody. Then the
assessment that the People page shows is compared with what was planted, and two rewards with each other on
true preferences that nobody was asked about: one that knows who gave each answer, one that does not.
"""

import argparse
import contextlib
import dataclasses
import itertools
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from rlhf.benchmarks.processes import Tell
from rlhf.benchmarks.results import RESULTS, write_results
from rlhf.benchmarks.svg import Panel, Series, dots
from rlhf.config import Settings
from rlhf.evaluation.agreement import preference_accuracy, rank_correlation
from rlhf.experience.segments import sample_segments
from rlhf.loop.assess_people import Assessment, assess_people
from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.loop.start_run import new_run
from rlhf.seeding import generator
from rlhf.storage import answers, queries
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import open_engine, reading, writing
from rlhf.storage.migrations import migrate
from rlhf.storage.segments import load_true_rewards
from rlhf.types.feedback import Choice
from rlhf.types.run import QueryStatus

NAME = "people"
_HELD_OUT = 4000
"""Random pairs that the rewards are judged on."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Planted:
    """A made-up person."""

    name: str
    mistakes: float = 0.0
    """Share of answers that are the wrong way round."""
    left: float = 0.0
    """Share of pairs in which the left key is pressed without a look; the right one if negative."""

    @property
    def right_share(self) -> float:
        """How often an answer is right: what people are to be ranked by."""
        return (1.0 - abs(self.left)) * (1.0 - self.mistakes) + 0.5 * abs(self.left)

    def answer(self, left_is_better: bool, rng: np.random.Generator) -> Choice:
        """Return the answer to a pair."""
        if rng.random() < abs(self.left):
            return Choice.LEFT if self.left > 0 else Choice.RIGHT
        is_left = left_is_better != (rng.random() < self.mistakes)
        return Choice.LEFT if is_left else Choice.RIGHT


CROWDS = {
    "graded": (
        Planted(name="careful"),
        Planted(name="good", mistakes=0.05, left=0.15),
        Planted(name="fair", mistakes=0.2, left=-0.1),
        Planted(name="poor", mistakes=0.35, left=0.1),
        Planted(name="none", mistakes=0.5),
    ),
    "two bad": (
        Planted(name="careful 1", mistakes=0.05),
        Planted(name="careful 2", mistakes=0.05),
        Planted(name="careful 3", mistakes=0.05),
        Planted(name="always left", left=1.0),
        Planted(name="coin", mistakes=0.5),
    ),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--tasks", nargs="+", default=["pendulum-swingup", "halfcheetah-run"], metavar="TASK")
    parser.add_argument("--answers", type=int, default=200, help="of all five together")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--explore-steps", type=int, default=8000)
    parser.add_argument("--out", type=Path, default=RESULTS / NAME, metavar="FOLDER")


def run(options: argparse.Namespace, tell: Tell) -> tuple[dict[str, Any], list[list[str]], str]:
    """Measure, write and return the summary.

    Returns:
        The summary, its table as rows of text under a header, and what else there is to say.

    Raises:
        TaskError: the task cannot be used.
    """
    cases = list(itertools.product(options.tasks, CROWDS, range(options.seeds)))
    measured = []
    for done, (task, crowd, seed) in enumerate(cases):
        tell(done, len(cases), f"{task}, {crowd}, seed {seed}")
        measured.append(measure(task, crowd, seed, options.answers, options.explore_steps))
    tell(len(cases), len(cases), "done")
    summary = {
        "command": f"python -m rlhf bench {NAME} --tasks {' '.join(options.tasks)} "
        f"--answers {options.answers} --seeds {options.seeds} --explore-steps {options.explore_steps}",
        "results": measured,
    }
    write_results(options.out, measured, plot(measured), summary)
    return summary, text_rows(measured), _notes(measured)


def measure(task: str, crowd: str, seed: int, num_answers: int, explore_steps: int) -> dict[str, Any]:
    """Let a crowd answer a new run and return how well it was seen through, and what that was good for."""
    from rlhf.loop.fit_reward import fit_reward
    from rlhf.loop.iterate import iterate
    from rlhf.loop.session import open_session

    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.from_environment({"RLHF_DATA_DIR": folder})
        engine, blobs = open_engine(settings.database_url), Blobs(settings.blob_url)
        migrate(engine)
        changes = {
            "schedule.labels": num_answers,
            "schedule.initial_share": 1.0,
            "collect.explore_steps": explore_steps,
        }
        run_id = new_run(engine, task, seed=seed, overrides=changes)
        with contextlib.closing(open_session(engine, blobs, run_id, is_simulated=True)) as session:
            iterate(session)
            planted = _answer_all(engine, blobs, run_id, CROWDS[crowd], generator(seed, "people"))
            fit_reward(session)
            found = _found(assess_people(engine, run_id), planted)
            known, pooled = _held_out_accuracies(session)
        engine.dispose()
    return {"task": task, "crowd": crowd, "seed": seed, **found, "known": known, "pooled": pooled}


def _answer_all(
    engine: sa.Engine, blobs: Blobs, run_id: str, crowd: Sequence[Planted], rng: np.random.Generator
) -> dict[str, Planted]:
    """Let people lease and answer all queries in turn; return who is who by id."""
    with writing(engine) as connection:
        planted = {answers.insert_annotator(connection, one.name, is_teacher=False): one for one in crowd}
        waiting = queries.list_open(connection, run_id)
        for query in waiting:
            queries.set_status(connection, query["id"], QueryStatus.READY)
    turns = rng.permutation(np.arange(len(waiting)) % len(crowd))
    for turn in turns.tolist():
        who, person = list(planted.items())[turn]
        with writing(engine) as connection:
            (query,) = queries.lease_ready(connection, run_id, who, 1)
            left, right = load_true_rewards(connection, blobs, [query["left_id"], query["right_id"]])
        choice = person.answer(bool(left.sum() > right.sum()), rng)
        now = time.time()
        answer = Answer(
            key=uuid.uuid4().hex, query_id=query["id"], choice=choice, shown_at=now - 3.0, answered_at=now
        )
        record_answer(engine, run_id, who, answer)
    return planted


def _found(assessment: Assessment, planted: dict[str, Planted]) -> dict[str, Any]:
    """Return how well the assessment agrees with what was planted."""
    truth = [planted[one.annotator_id] for one in assessment.people]
    reliability = [one.reliability.value if one.reliability else np.nan for one in assessment.people]
    bias = [one.side_bias.value if one.side_bias else np.nan for one in assessment.people]
    return {
        "spearman": rank_correlation(np.array([one.right_share for one in truth]), np.array(reliability)),
        "side_spearman": rank_correlation(np.array([one.left for one in truth]), np.array(bias)),
        "order": [one.name for one in truth],
        "reliability": [round(value, 3) for value in reliability],
        "side_bias": [round(value, 3) for value in bias],
        "remarks": {one.name: list(one.remarks) for one in assessment.people if one.remarks},
    }


def _held_out_accuracies(session: Any) -> tuple[float, float]:
    """Return the share of true preferences foreseen by a reward that knows who answered, and by one not."""
    from rlhf.loop.fit_reward import segment_inputs, teaching_answers
    from rlhf.reward.fit import fit
    from rlhf.types.feedback import PreferenceData

    with reading(session.engine) as connection:
        rows, _ = teaching_answers(connection, session.run_id)
    ids = list(dict.fromkeys(side for row in rows for side in (row["left_id"], row["right_id"])))
    people = list(dict.fromkeys(row["annotator_id"] for row in rows))
    data = PreferenceData(
        features=np.stack([segment_inputs(session, one) for one in ids]),
        first=np.array([ids.index(row["left_id"]) for row in rows], np.int64),
        second=np.array([ids.index(row["right_id"]) for row in rows], np.int64),
        prob_first=np.array([row["choice"] is Choice.LEFT for row in rows], np.float32),
        annotator=np.array([people.index(row["annotator_id"]) for row in rows], np.int64),
    )
    task, rng = session.task, generator(session.seed, "held out")
    episodes = list({e.reset_seed: e for e in (*session.memory.explored, *session.memory.recent)}.values())
    shown = sample_segments(episodes, _HELD_OUT // 4, task.segment_steps, task.horizon, rng)
    features = np.stack([session.inputs.segment(segment) for segment in shown])
    true = np.array([session.memory.true_rewards_of(segment).sum() for segment in shown])
    first, second = rng.integers(len(shown), size=(2, _HELD_OUT))
    target = np.where(true[first] == true[second], 0.5, true[first] > true[second])
    found = []
    for version in (data, dataclasses.replace(data, annotator=np.zeros_like(data.annotator))):
        reference = version.features.reshape(-1, version.features.shape[-1])
        model, _ = fit(version, reference, session.config.reward, generator(session.seed, "fit"))
        returns = model.member_returns(features)
        predicted = model.member_probs(returns, first, second).mean(axis=0).astype(np.float64)
        found.append(preference_accuracy(predicted, target))
    return found[0], found[1]


def text_rows(measured: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Return the results as a header and rows of text."""
    table = [["task", "crowd", "seed", "rank correlation", "of sides", "knowing people", "pooled", "remarks"]]
    for found in measured:
        remarked = ", ".join(f"{name} ({len(said)})" for name, said in found["remarks"].items())
        table.append(
            [found["task"], found["crowd"], str(found["seed"])]
            + [f"{found[key]:.2f}" for key in ("spearman", "side_spearman")]
            + [f"{found[key]:.1%}" for key in ("known", "pooled")]
            + [remarked]
        )
    return table


def plot(measured: Sequence[dict[str, Any]]) -> str:
    """Return an SVG of the accuracy on true preferences of both rewards, one panel per task and crowd."""
    panels = []
    for title, rows in _groups(measured).items():
        series = [
            Series(
                name=name,
                xs=[found["seed"] for found in rows],
                ys=[found[key] for found in rows],
                lows=[found[key] for found in rows],
                highs=[found[key] for found in rows],
            )
            for name, key in (("knowing people", "known"), ("pooled", "pooled"))
        ]
        panels.append(Panel(title=title, series=series, line=1.0))
    return dots(panels)


def _groups(measured: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for found in measured:
        groups.setdefault(f"{found['task']}, {found['crowd']}", []).append(found)
    return groups


def _notes(measured: Sequence[dict[str, Any]]) -> str:
    lines = []
    for title, rows in _groups(measured).items():
        spearman = np.array([found["spearman"] for found in rows])
        gains = np.array([found["known"] - found["pooled"] for found in rows])
        lines.append(
            f"{title}: mean rank correlation {spearman.mean():.2f}; true preferences foreseen "
            f"{100 * gains.mean():+.1f} points over pooled, {(gains > 0).sum()} of {len(gains)} seeds better."
        )
    lines.append(
        "Where planted shares tie, as in the crowd with two bad ones, 0.87 is the highest there can be."
    )
    return "\n".join(lines)
