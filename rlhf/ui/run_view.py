"""What pages show of a run, read in one go. Knows no widgets."""

import dataclasses

import pandas as pd
import sqlalchemy as sa

from rlhf.storage import answers, models, queries, runs
from rlhf.storage.engine import reading
from rlhf.types.feedback import Choice
from rlhf.types.run import QueryStatus, RunState


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunView:
    """One run as people see it."""

    run_id: str
    task: str
    goal: str
    state: RunState
    wanted: RunState
    steps: int
    total_steps: int
    message: str
    error: str | None
    teacher: str | None
    random_return: float | None
    reward_version: int
    policy_version: int
    answers: int
    """All that stand, late ones too."""
    answers_by_choice: dict[Choice, int]
    """Without the late ones."""
    ready: int
    rendering: int
    accuracy: float | None
    """On answers the current reward had not seen."""
    saved_policies: int
    restart: str
    """When and how the policy began its present practice; empty while that is its first."""

    @property
    def progress(self) -> float:
        """Share of the steps done, in [0, 1]."""
        return min(1.0, self.steps / self.total_steps)

    @property
    def is_changing(self) -> bool:
        """Whether the worker has yet to do what was asked."""
        return self.wanted is not self.state and not self.state.is_over and self.state is not RunState.CREATED


def view_run(engine: sa.Engine, run_id: str) -> RunView:
    """Read a run.

    Raises:
        NotFoundError: there is no such run.
    """
    with reading(engine) as connection:
        row = runs.get_run(connection, run_id)
        by_choice = answers.count_standing(connection, run_id)
        num_late = answers.count_late(connection, run_id)
        by_status = queries.count_by_status(connection, run_id, queries.OPEN)
        saved = models.count_policy_versions(connection, run_id)
        report = models.latest_reward_report(connection, run_id)
        restart = runs.latest_event(connection, run_id, "restart")
    return RunView(
        run_id=run_id,
        task=row["task"],
        goal=row["goal"],
        state=row["state"],
        wanted=row["wanted"],
        steps=row["steps"],
        total_steps=row["total_steps"],
        message=row["message"],
        error=row["error"],
        teacher=row["teacher"],
        random_return=(row["baseline"] or {}).get("random_return"),
        reward_version=row["reward_version"],
        policy_version=row["policy_version"],
        answers=sum(by_choice.values()) + num_late,
        answers_by_choice=by_choice,
        ready=by_status.get(QueryStatus.READY, 0),
        rendering=by_status.get(QueryStatus.RENDERING, 0),
        accuracy=report.get("out_of_bag_accuracy"),
        saved_policies=saved,
        restart=f"At {restart['steps']:,} steps: {restart['message']}" if restart else "",
    )


def view_curves(engine: sa.Engine, run_id: str, names: list[str]) -> pd.DataFrame:
    """Return curves as a frame with columns ``name``, ``steps`` and ``value``."""
    with reading(engine) as connection:
        points = runs.get_curves(connection, run_id, names)
    return pd.DataFrame(points, columns=["name", "steps", "value"])
