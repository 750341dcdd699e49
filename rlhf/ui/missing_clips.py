"""Clips that nobody has drawn, as the pairs were answered by a teacher that does not look."""

from collections.abc import Sequence

import sqlalchemy as sa
import streamlit as st

from rlhf.storage import jobs
from rlhf.storage.engine import writing
from rlhf.types.run import JobKind

SIDES = ("left", "right")


def is_missing(row: sa.RowMapping) -> bool:
    """Whether a clip of an answered pair (``left_clip``, ``right_clip``) has not been drawn."""
    return any(row[f"{side}_clip"] is None for side in SIDES)


def offer_to_draw(engine: sa.Engine, rows: Sequence[sa.RowMapping], *, key: str) -> None:
    """Offer to have the missing clips of answered pairs drawn; nothing where none is missing.

    Args:
        engine: of the store.
        rows: the pairs, from ``answer_search.get_answer``.
        key: unique on the page.
    """
    missing = [row for row in rows if is_missing(row)]
    if not missing:
        return
    pairs = "this pair" if len(rows) == 1 else f"{len(missing)} of these pairs"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"The clips of {pairs} have not been drawn: a teacher answered without looking.")
        if st.button("Draw them", icon=":material/movie:", key=key):
            with writing(engine) as connection:
                for row in missing:
                    for side in SIDES:
                        jobs.enqueue(connection, row["run_id"], JobKind.DRAW, row[f"{side}_id"])
            st.toast("They are being drawn; look again in a moment.")
