"""Which run started from which, as a tree of runs with what each took."""

import html
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
import streamlit as st

from rlhf.storage import origins, runs
from rlhf.storage.engine import reading

_SHOWN = 12
_STYLE = """<style>
.lineage, .lineage ul { margin: 0 !important; padding: 0 !important }
.lineage li { list-style: none !important; margin: 0 !important; overflow-wrap: anywhere }
.lineage ul > li { margin-left: .55rem !important; position: relative; padding: .35rem 0 .1rem 1.1rem;
  border-left: 2px solid #8a90a288 }
.lineage ul > li:last-child { border-left-color: transparent }
.lineage ul > li::before { content: ""; position: absolute; left: -2px; top: 0; width: .85rem;
  height: 1.05rem; border: solid #8a90a288; border-width: 0 0 2px 2px }
.lineage a { color: inherit; font-weight: 600 }
.lineage small { opacity: .75; display: block }
</style>"""
UPDATES = {
    "all": "everything learns",
    "adapters+head": "first layer and head learn",
    "head": "only the head learns",
    "last-block": "last block and head learn",
    "low-rank": "a small change to every layer learns",
}
"""What ``ppo.update`` means, in words."""


def show(engine: sa.Engine) -> None:
    """Draw the trees of the newest forks; nothing while no run started from another."""
    with reading(engine) as connection:
        found = origins.list_origins(connection)
        known = {row["id"]: row for row in runs.list_runs(connection)} if found else {}
    if not found:
        return
    roots = list(dict.fromkeys(_root(origin["run_id"], found) for origin in reversed(found)))
    trees = "".join(_branch(root, None, found, known) for root in roots[:_SHOWN])
    st.subheader("Which run started from which", anchor=False)
    st.html(f'{_STYLE}<ul class="lineage">{trees}</ul>')
    if len(roots) > _SHOWN:
        st.caption(f"{len(roots) - _SHOWN} older families are not shown.")


def in_words(origin: sa.RowMapping) -> str:
    """Return what a run took, e.g. ``policy 12, critic, reward 3, 120 answers``."""
    parts = [
        None if origin["policy_version"] is None else f"policy {origin['policy_version']}",
        "critic" if origin["critic"] else None,
        None if origin["reward_version"] is None else f"reward {origin['reward_version']}",
        None if origin["num_answers"] is None else f"{origin['num_answers']:,} answers",
    ]
    return ", ".join(part for part in parts if part)


def _root(run_id: str, found: Sequence[sa.RowMapping]) -> str:
    source_of = {origin["run_id"]: origin["source_id"] for origin in found}
    while run_id in source_of:
        run_id = source_of[run_id]
    return run_id


def _branch(
    run_id: str,
    origin: sa.RowMapping | None,
    found: Sequence[sa.RowMapping],
    known: Mapping[str, sa.RowMapping],
) -> str:
    children = [one for one in found if one["source_id"] == run_id]
    inner = "".join(_branch(one["run_id"], one, found, known) for one in children)
    return f"<li>{_run(run_id, origin, known.get(run_id))}{f'<ul>{inner}</ul>' if inner else ''}</li>"


def _run(run_id: str, origin: sa.RowMapping | None, row: sa.RowMapping | None) -> str:
    name = html.escape(run_id)
    if row is None:
        return f"{name}<small>is no longer here; what was taken from it is kept</small>"
    said = [row["task"], f"{row['state'].value}, {row['steps']:,} steps"]
    if origin is not None:
        said.append(f"took {in_words(origin)}")
        if origin["policy_version"] is not None:
            said.append(UPDATES[row["overrides"].get("ppo.update", "all")])
    link = f'<a href="training?run={name}" target="_self">{html.escape(row["goal"])}</a>'
    return f"{link} {name}<small>{html.escape(' · '.join(said))}</small>"
