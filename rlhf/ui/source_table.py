"""Candidates to start a task from, as a table. Draws what it is given; measures nothing."""

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from rlhf.types.ranked_source import RankedSource, why_from_scratch

UPDATE_NAMES: Mapping[str, str] = {
    "all": "Everything",
    "adapters+head": "First layer and head",
    "head": "Head only",
    "last-block": "Last block and head",
    "low-rank": "A little of every layer",
}
PACE_NAMES = {1.0: "as the task has it", 0.3: "three tenths of it"}
_HELP = {
    "Return in own task": "Mean true return where it was taught. For evaluation only.",
    "Predicted here": "Mean return in this task, untrained, by a reward that people's answers taught.",
    "Return here": "Mean true return in this task, untrained. For evaluation only.",
    "After practice": "Mean reward per step at the end of a short practice. Empty: given up early.",
    "Steps practised": "Environment steps of that practice, with each of the seeds.",
}


def draw_sources(
    sources: Sequence[RankedSource], *, key: str, on_pick: Callable[[RankedSource], None]
) -> None:
    """Draw the candidates in their order, the most promising first; a sentence if there is none.

    Args:
        sources: from ``rank_sources``.
        key: of the table.
        on_pick: hears which row somebody chooses.
    """
    if not any(source.run_id for source in sources):
        st.info("No saved policy fits this task: none has its observations, actions and layers.")
        return
    _warn(sources)
    rows = [
        {
            "Run": source.run_id or "from scratch",
            "Was taught": source.task if source.run_id else "nothing",
            "Version": source.version,
            "Weights": source.num_parameters,
            "Return in own task": source.own_return,
            "Predicted here": source.predicted_return,
            "Return here": source.zero_shot_return,
            "After practice": source.short_arm,
            "Steps practised": source.steps,
        }
        for source in sources
    ]
    _draw(rows, sources, key, on_pick)


def draw_ways(ways: Sequence[RankedSource], *, key: str, on_pick: Callable[[RankedSource], None]) -> None:
    """Draw ways of fine-tuning one policy in their order, the most promising first.

    Args:
        ways: from ``tune_start``.
        key: of the table.
        on_pick: hears which row somebody chooses.
    """
    _warn(ways)
    rows = [
        {
            "What learns": UPDATE_NAMES[way.update] if way.update else "Everything, from scratch",
            "Weights that learn": way.num_parameters,
            "Learning rate": PACE_NAMES[way.pace],
            "Held to the start": bool(way.hold),
            "After practice": way.short_arm,
            "Steps practised": way.steps,
        }
        for way in ways
    ]
    _draw(rows, ways, key, on_pick)


def _warn(ranked: Sequence[RankedSource]) -> None:
    if why := why_from_scratch(ranked):
        st.warning(why, icon=":material/block:")


def _draw(
    rows: Sequence[Mapping[str, object]],
    candidates: Sequence[RankedSource],
    key: str,
    on_pick: Callable[[RankedSource], None],
) -> None:
    def pick() -> None:
        if chosen := st.session_state[key].selection.rows:
            on_pick(candidates[chosen[0]])

    st.dataframe(
        rows,
        hide_index=True,
        placeholder="–",
        key=key,
        on_select=pick,
        selection_mode="single-row",
        column_config={
            name: st.column_config.NumberColumn(
                help=text, format="localized" if name == "Steps practised" else "%.3g"
            )
            for name, text in _HELP.items()
            if name in rows[0]
        },
    )
