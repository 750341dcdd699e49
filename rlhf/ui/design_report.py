"""What answers made of a design: what was wanted of each term, and what each reward version learned."""

import datetime
from collections.abc import Mapping
from typing import Any

import pandas as pd
import sqlalchemy as sa
import streamlit as st

from rlhf.loop.observed import designable
from rlhf.loop.write_design import in_words
from rlhf.storage import designs, models
from rlhf.storage.engine import reading
from rlhf.types.design import Design
from rlhf.ui.charts import GREY, draw, mark, number, of, tip, word
from rlhf.ui.store import Store

_NORMAL_95 = 1.96
_ROW_HEIGHT = 44
_AXIS_HEIGHT = 42
_LEARNED = "#d9662b"
"""Seen on light and on dark."""
_POINT = {"type": "point", "filled": True, "size": 80, "opacity": 1, "color": _LEARNED}
_NEWEST = 0
"""Stands for whichever version is the newest, so that a page left open follows."""


def design_report(store: Store, run_id: str) -> None:
    """Show what became of the terms in a reward version of choice, and the designs there were."""
    with reading(store.engine) as connection:
        history = {row["id"]: row for row in designs.list_designs(connection, run_id)}
        if not history:
            return
        versions = {row["version"]: row for row in models.list_reward_versions(connection, run_id)}
        features = designable(connection, store.blobs, run_id)
    st.subheader("What became of it", anchor=False)
    newest = max(versions, default=0)
    if next(iter(history)) != (versions[newest]["report"].get("design", 0) if versions else 0):
        st.info("The newest design is taken up when the run goes on.", icon=":material/hourglass_top:")
    if versions:
        chosen = st.selectbox(
            "Reward version",
            [_NEWEST, *sorted(versions, reverse=True)],
            format_func=lambda v: f"Newest ({newest})" if v == _NEWEST else str(v),
            key=f"design-version-{run_id}",
            width=200,
        )
        _version(versions[chosen or newest], history, features, key=run_id)
    with st.expander(f"All designs ({len(history)})", icon=":material/history:"):
        for row in history.values():
            note = f" — {row['note']}" if row["note"] else ""
            words = in_words(Design.from_dict(row["design"]))
            st.text(f"{row['id']} · {_date(row['at'])} · {row['by']}: {words}{note}")


def _version(
    version: sa.RowMapping, history: Mapping[int, sa.RowMapping], features: Mapping[str, str], *, key: str
) -> None:
    report = version["report"]
    design = history.get(report.get("design", 0))
    if design is None:
        st.caption("This version was fitted without a design.")
        return
    answers = f"{version['num_answers']:,} answers" if version["num_answers"] else "no answers yet"
    said = f"Fitted to {answers} under design {design['id']} by {design['by']} of {_date(design['at'])}."
    if report["terms"] and not report["uses_design"]:
        said += " The answers speak against its weights: this version kept only which features it names."
    st.caption(said)
    if not report["terms"]:
        st.caption("It has a potential only, which shapes the way and is no part of the reward.")
        return
    rows = term_rows(report["terms"], features)
    _chart(rows, key=f"terms-{key}")
    _table(rows)


def term_rows(terms: list[dict[str, Any]], features: Mapping[str, str]) -> pd.DataFrame:
    """Return one row per term of a version's report.

    Returns:
        Columns ``feature``; ``designed``, ``from``, ``to`` (what was wanted with its 95 % interval);
        ``learned``, ``low``, ``high`` (the same now); ``moved`` and ``one SD`` in words.
    """
    found = []
    for term in terms:
        half, learned_half = _NORMAL_95 * term["sd"], _NORMAL_95 * term["learned_sd"]
        sd, unit = term["feature_sd"], features.get(term["feature"], "")
        found.append(
            {
                "feature": term["feature"],
                "designed": term["weight"],
                "from": term["weight"] - half,
                "to": term["weight"] + half,
                "learned": term["learned"],
                "low": term["learned"] - learned_half,
                "high": term["learned"] + learned_half,
                "moved": term["learned"] - term["weight"],
                "one SD": "never varied" if sd is None else f"{sd:.3g} {unit}".strip(),
            }
        )
    return pd.DataFrame(found)


def _chart(rows: pd.DataFrame, *, key: str) -> None:
    """Draw what was wanted (grey) and what was learned (colour) of each term, with their intervals."""
    tips = [
        tip("feature"),
        tip("designed", "+.2f"),
        tip("learned", "+.2f"),
        tip("low", "+.2f", "at least"),
        tip("high", "+.2f", "at most"),
    ]
    name = word("feature", axis={"labelLimit": 160, "labelOverlap": False})

    def row(column: str, end: str | None, shape: dict[str, Any], shift: int) -> dict[str, Any]:
        x = number(column, axis={"tickCount": 7})
        ends = {} if end is None else {"x2": {"field": end}}
        return mark(shape | {"yOffset": shift}, y=name, x=x, tooltip=tips, **ends)

    grey = {"type": "rule", "strokeWidth": 6, "color": GREY, "opacity": 0.45}
    draw(
        of(
            rows,
            row("from", "to", grey, -6),
            row("designed", None, {"type": "tick", "thickness": 3, "size": 14, "color": GREY}, -6),
            row("low", "high", {"type": "rule", "strokeWidth": 3, "color": _LEARNED}, 6),
            row("learned", None, _POINT, 6),
        ),
        of(pd.DataFrame({"zero": [0]}), mark({"type": "rule", "opacity": 0.4}, x=number("zero"))),
        height=_AXIS_HEIGHT + _ROW_HEIGHT * len(rows),
        key=key,
        alt="Weights as designed and as learned, with their intervals",
    )
    st.caption("Grey: as designed. Orange: as learned. Bars hold the weight in 95 of 100 cases.")


def _table(rows: pd.DataFrame) -> None:
    frame = pd.DataFrame(
        {
            "Feature": rows["feature"],
            "Designed": rows["designed"],
            "Learned": rows["learned"],
            "At least": rows["low"],
            "At most": rows["high"],
            "Moved by answers": rows["moved"],
            "One SD is": rows["one SD"],
        }
    )
    number_column = st.column_config.NumberColumn(format="%+.2f")
    st.dataframe(
        frame,
        hide_index=True,
        width="content",
        column_config=dict.fromkeys(frame.columns[1:6], number_column),
    )


def _date(at: float) -> str:
    return datetime.datetime.fromtimestamp(at).strftime("%Y-%m-%d %H:%M")
