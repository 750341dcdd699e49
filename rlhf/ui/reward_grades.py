"""The reward model against the true reward, where a task has one. Evaluation only."""

import pandas as pd
import streamlit as st

from rlhf.ui.charts import STEPS, draw, mark, number, of, tip

_HEIGHT = 150
_FIGURES = {
    "rank_correlation": (
        "Order of clips",
        "Rank correlation of predicted and true returns of the latest clips that were asked about: 1 is the "
        "same order, 0 is chance.",
        (-1.0, 1.0),
    ),
    "distance": (
        "Distance of the rewards",
        "Step by step, after what only shapes the way there was taken out of both: 0, they want the same; "
        ".71, they have nothing in common; 1, opposites. After EPIC (arXiv 2006.13900), on steps taken.",
        (0.0, 1.0),
    ),
}


def grades(found: pd.DataFrame, *, key: str) -> None:
    """Draw how reward versions did against the true reward; nothing where there is none."""
    if found.empty:
        return
    newest = found.iloc[-1]
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**Against the true reward**", width="content")
            st.badge("Evaluation only", icon=":material/visibility:", color="gray")
        st.caption(
            f"Nothing learns from this. Reward version {newest['reward_version']:.0f}, "
            f"{newest['num_clips']:.0f} clips."
        )
        for column, (name, (title, meaning, domain)) in zip(st.columns(2), _FIGURES.items(), strict=True):
            with column:
                value = newest[name]
                st.metric(title, "–" if pd.isna(value) else f"{value:.2f}", help=meaning)
                tips = [
                    tip("reward_version", title="reward version"),
                    tip("steps", ","),
                    tip(name, ".2f", title),
                ]
                line = {"type": "line", "point": len(found) < 12}
                y = number(name, scale={"domain": domain})
                draw(
                    of(found, mark(line, x=STEPS, y=y, tooltip=tips)),
                    height=_HEIGHT,
                    key=f"{name}-{key}",
                    alt=f"{title} over environment steps",
                )
