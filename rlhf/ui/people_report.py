"""The people of a run as a table and small pictures. Changes nothing."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from rlhf.evaluation.people import Estimate, Share
from rlhf.loop.assess_people import LATEST, Assessment, Person
from rlhf.ui.charts import GREY, draw, mark, number, of, tip, word

_BAR_HEIGHT = 26
_AXIS_HEIGHT = 34
"""What the numbers below the bars take of a picture."""
_DASH = "–"


def headline(assessment: Assessment) -> None:
    """Show the figures of all people together."""
    alpha = assessment.alpha
    with st.container(horizontal=True, gap="medium"):
        st.metric("People", len(assessment.people))
        answers = sum(one.num_answers for one in assessment.people)
        latest = f" Of the latest {LATEST:,}." if answers == LATEST else ""
        st.metric("Answers", f"{answers:,}", help=f"Those that stand.{latest}")
        st.metric(
            "Answered by several", assessment.num_overlaps, help="Pairs that two people or more answered."
        )
        st.metric(
            "Agreement (alpha)",
            _DASH if alpha is None else f"{alpha.value:.2f} ({alpha.low:.2f} to {alpha.high:.2f})",
            help="Krippendorff's alpha over pairs that several people answered: 1 is full agreement, 0 is "
            "what chance gives. Ranges on this page are 95% intervals.",
        )


def remarks(people: Sequence[Person]) -> None:
    """List what stands out, person by person."""
    found = [one for one in people if one.remarks]
    if found:
        number = "One person stands" if len(found) == 1 else f"{len(found)} people stand"
        st.warning(f"{number} out.", icon=":material/visibility:")
        for one in found:  # as plain text: names are what people call themselves
            st.text(f"{one.name}: {'. '.join(one.remarks)}.")


def table(people: Sequence[Person]) -> None:
    """List the people, the most reliable first."""
    frame = pd.DataFrame(
        {
            "Person": [one.name for one in people],
            "Standing": [standing(one) for one in people],
            "Answers": [one.num_answers for one in people],
            "Reliability": [None if one.reliability is None else one.reliability.value for one in people],
            "As expected": [_percent(one.foreseen) for one in people],
            "Like the others": [_percent(one.agreement) for one in people],
            "Repeats alike": [_of(one.consistent) for one in people],
            "Gold right": [_of(one.gold) for one in people],
            "Left": [_percent(one.left) for one in people],
            "Equal": [_percent(one.equal) for one in people],
            "Can't tell": [_percent(one.skipped) for one in people],
            "Seconds": [None if one.seconds is None else one.seconds[1] for one in people],
            "Latest answer times": [list(one.recent_seconds) for one in people],
        }
    )
    percent = st.column_config.NumberColumn(format="%.0f%%")
    st.dataframe(
        frame,
        hide_index=True,
        placeholder=_DASH,
        column_config={
            "Reliability": st.column_config.NumberColumn(
                format="%.2f",
                help="How strongly the answers follow the reward: 1 is usual in this run, 0 a coin.",
            ),
            "As expected": st.column_config.NumberColumn(
                format="%.0f%%", help="Answers that a reward model foresaw which had not seen them."
            ),
            "Like the others": percent,
            "Left": st.column_config.NumberColumn(
                format="%.0f%%", help="Sides are random: half is expected."
            ),
            "Equal": percent,
            "Can't tell": percent,
            "Seconds": st.column_config.NumberColumn(format="%.1f", help="Median time of an answer."),
            "Latest answer times": st.column_config.LineChartColumn(
                y_min=0, help="In seconds, the newest right."
            ),
        },
    )


def pictures(people: Sequence[Person], *, key: str) -> None:
    """Draw reliability, sides and agreement with their intervals."""
    with st.container(horizontal=True, gap="large"):
        _bars("Reliability", {one.name: one.reliability for one in people}, 1.0, key=f"reliability-{key}")
        _bars("Left pressed", {one.name: _estimate(one.left) for one in people}, 0.5, key=f"left-{key}")
        _bars(
            "As the reward model expected",
            {one.name: _estimate(one.foreseen) for one in people},
            0.5,
            key=f"foreseen-{key}",
        )


def details(one: Person) -> None:
    """Show all that is known of one person."""
    quartiles = (_DASH, "") if one.seconds is None else ("{1:.1f}", "half of them {0:.1f} to {2:.1f}")
    rows = {
        "Answers": (f"{one.num_answers:,}", ""),
        "Seconds for an answer": tuple(part.format(*one.seconds or ()) for part in quartiles),
        "Pressed left; half is to be expected": _with_interval(one.left),
        "Said equal": _with_interval(one.equal),
        "Could not tell": _with_interval(one.skipped),
        "Repeats answered as before": _with_interval(one.consistent),
        "Gold pairs right": _with_interval(one.gold),
        "Like others, where several answered": _with_interval(one.agreement),
        "As a reward model expected that had not seen it": _with_interval(one.foreseen),
        "Reliability; 1 is usual, 0 a coin": _figure(one.reliability),
        "Leaning to the left; 0 is none": _figure(one.side_bias),
        "As expected: late in a sitting against early": _points(one.drift),
    }
    st.table(pd.DataFrame.from_dict(rows, orient="index", columns=["Figure", "95% interval"]))
    if one.recent_seconds and not one.is_teacher:
        st.caption("Seconds for each of the latest answers, the newest right")
        times = pd.DataFrame({"answer": range(len(one.recent_seconds)), "seconds": one.recent_seconds})
        draw(
            of(times, mark("line", x=number("answer", axis=None), y=number("seconds", title="seconds"))),
            height=120,
            key=f"times-{one.annotator_id}",
            alt="Seconds for each of the latest answers",
        )


def standing(one: Person) -> str:
    """Return in words whether somebody is asked and counts."""
    parts = ["synthetic"] * one.is_teacher + ["paused"] * one.is_paused
    parts += [] if one.weight == 1.0 else [f"weight {one.weight:g}"]
    return ", ".join(parts) or "asked"


def _bars(title: str, found: dict[str, Estimate | None], usual: float, *, key: str) -> None:
    rows = [
        {"person": name, "value": e.value, "low": e.low, "high": e.high}
        for name, e in found.items()
        if e is not None
    ]
    with st.container(width=330):
        st.markdown(f"**{title}**")
        if not rows:
            st.caption("Nothing to show yet.")
            return
        who = word("person", axis={"labelLimit": 120, "labelOverlap": False})
        value, low, line = (number(name, scale={"domainMin": 0}) for name in ("value", "low", "x"))
        tips = [tip("person"), *(tip(name, ".2f") for name in ("value", "low", "high"))]
        interval = {"type": "rule", "strokeWidth": 2, "color": GREY}
        dashed = {"type": "rule", "strokeDash": [4, 4], "color": GREY}
        draw(
            of(
                pd.DataFrame(rows),
                mark({"type": "bar", "opacity": 0.35}, y=who, x=value, tooltip=tips),
                mark(interval, y=who, x=low, x2={"field": "high"}, tooltip=tips),
            ),
            of(pd.DataFrame({"x": [usual]}), mark(dashed, x=line)),
            height=_AXIS_HEIGHT + _BAR_HEIGHT * len(rows),
            key=key,
            alt=f"{title} of each person",
        )


def _estimate(share: Share) -> Estimate | None:
    if share.value is None:
        return None
    low, high = share.interval()
    return Estimate(value=share.value, low=low, high=high)


def _percent(share: Share) -> float | None:
    return None if share.value is None else 100.0 * share.value


def _of(share: Share) -> str:
    return f"{share.count:.0f} of {share.of}" if share.of else _DASH


def _with_interval(share: Share) -> tuple[str, str]:
    if share.value is None:
        return _DASH, ""
    low, high = share.interval()
    return f"{share.value:.0%} of {share.of}", f"{low:.0%} to {high:.0%}"


def _figure(estimate: Estimate | None) -> tuple[str, str]:
    if estimate is None:
        return _DASH, ""
    return f"{estimate.value:.2f}", f"{estimate.low:.2f} to {estimate.high:.2f}"


def _points(estimate: Estimate | None) -> tuple[str, str]:
    if estimate is None:
        return _DASH, ""
    value, low, high = (round(100 * one) for one in (estimate.value, estimate.low, estimate.high))
    return f"{value:+d} points", f"{low:+d} to {high:+d}"
