"""Whether people prefer newer policies to older ones without knowing which is which."""

import pandas as pd
import sqlalchemy as sa
import streamlit as st

from rlhf.evaluation.statistics import rolling_share
from rlhf.loop.read_win_rate import WINDOW, read_win_rate
from rlhf.storage.engine import reading
from rlhf.ui.charts import SHARE, STEPS, draw, mark, number, of, tip

_HEIGHT = 200
_MEANING = (
    "Now and then a pair shows two saved versions of the behaviour from the same start. It looks like any "
    "other pair, and the reward model never learns from the answer, so nothing it got wrong can improve this "
    "curve. Above half, people prefer newer versions; at half, nothing changes any more, or nobody can tell; "
    f"below, the behaviour gets worse. Each point is of the latest {WINDOW} answers up to it, an equal one "
    "counting half; the upright lines are 95% intervals (Wilson)."
)


def view_win_rate(engine: sa.Engine, run_id: str) -> pd.DataFrame:
    """Return one point per compared policy: ``version, older, steps, answers, share, low, high``."""
    with reading(engine) as connection:
        said = read_win_rate(connection, run_id)
    share, low, high = rolling_share(said.won, WINDOW)
    points = pd.DataFrame(
        {
            "version": said.newer,
            "older": said.older,
            "steps": said.steps,
            "answers": range(1, 1 + len(said.won)),
            "share": share,
            "low": low,
            "high": high,
        }
    )
    return points.groupby("version", as_index=False).last()


def win_rate(engine: sa.Engine, run_id: str, *, key: str) -> None:
    """Draw the share of blind pairs in which people prefer the newer policy, over the run.

    Args:
        engine: of the store.
        run_id: the run.
        key: unique on the page.
    """
    points = view_win_rate(engine, run_id)
    st.markdown("**People prefer the newer version**", help=_MEANING)
    if points.empty:
        st.caption(
            "Appears once pairs of two saved versions have been answered. They are slipped in among the "
            "others now and then."
        )
        return
    last = points.iloc[-1]
    number = int(last["answers"])
    latest = f"the latest {WINDOW} of {number}" if number > WINDOW else f"{number}"
    st.caption(
        f"{last['share']:.0%} ({last['low']:.0%}–{last['high']:.0%}) of {latest} blind "
        f"pair{'s' if number > 1 else ''}. Nothing is learned from these answers."
    )
    with st.container(key=key):
        _chart(points, f"{key}-chart")


def _chart(points: pd.DataFrame, key: str) -> None:
    percent = {"format": "%", "tickCount": 5}
    share, low = (number(name, scale=SHARE, axis=percent) for name in ("share", "low"))
    tips = [
        tip("version", title="policy version"),
        tip("older", title="compared with"),
        tip("steps", ","),
        tip("share", ".0%", "newer preferred"),
        tip("low", ".0%", "at least"),
        tip("high", ".0%", "at most"),
    ]
    dashed = {"type": "rule", "strokeDash": [4, 4], "opacity": 0.6}
    upright = {"type": "rule", "strokeWidth": 2, "opacity": 0.35}
    line = {"type": "line", "point": True}
    draw(
        of(pd.DataFrame({"share": [0.5]}), mark(dashed, y=share)),
        of(
            points,
            mark(upright, x=STEPS, y=low, y2={"field": "high"}, tooltip=tips),
            mark(line, x=STEPS, y=share, tooltip=tips),
        ),
        height=_HEIGHT,
        key=key,
        alt="How often people prefer the newer version, over environment steps",
    )
