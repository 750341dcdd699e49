"""What runs started from, other runs or demonstrations, as trees with what each took."""

import html
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
import streamlit as st

from rlhf.loop.start_run import has_begun, is_to_imitate
from rlhf.storage import demonstrations, origins, runs
from rlhf.storage.engine import reading
from rlhf.types.demonstration import DemonstrationSource

_Rows = Mapping[str, sa.RowMapping]
_Shown = Mapping[str, Mapping[DemonstrationSource, int]]
"""By run, who showed how many episodes that it imitates."""

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
    """Draw the trees of the newest runs that started from something; nothing while all began on their own."""
    with reading(engine) as connection:
        found = origins.list_origins(connection)
        known = {row["id"]: row for row in runs.list_runs(connection)}
        cloned = [run_id for run_id, row in known.items() if is_to_imitate(row)]
        shown = demonstrations.count_imitated(connection, cloned) if cloned else {}
    started = sorted((*(origin["run_id"] for origin in found), *shown), key=lambda one: _age(one, known))
    if not started:
        return
    roots = list(dict.fromkeys(_root(run_id, found) for run_id in started))
    trees = "".join(_tree(root, found, known, shown) for root in roots[:_SHOWN])
    st.subheader("What runs started from", anchor=False)
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


def _age(run_id: str, known: _Rows) -> float:
    return -float(known[run_id]["created_at"]) if run_id in known else 0.0


def _tree(root: str, found: Sequence[sa.RowMapping], known: _Rows, shown: _Shown) -> str:
    branch = _branch(root, None, found, known, shown)
    if root not in shown:
        return branch
    name, number = html.escape(root), sum(shown[root].values())
    link = f'<a href="demonstrate?run={name}" target="_self">{_episodes(number)} shown</a>'
    return f"<li>{link}<small>{_who(shown[root])}</small><ul>{branch}</ul></li>"


def _branch(
    run_id: str, origin: sa.RowMapping | None, found: Sequence[sa.RowMapping], known: _Rows, shown: _Shown
) -> str:
    children = [one for one in found if one["source_id"] == run_id]
    inner = "".join(_branch(one["run_id"], one, found, known, shown) for one in children)
    item = _run(run_id, origin, known.get(run_id), shown.get(run_id))
    return f"<li>{item}{f'<ul>{inner}</ul>' if inner else ''}</li>"


def _run(
    run_id: str,
    origin: sa.RowMapping | None,
    row: sa.RowMapping | None,
    shown: Mapping[DemonstrationSource, int] | None,
) -> str:
    name = html.escape(run_id)
    if row is None:
        return f"{name}<small>is no longer here; what was taken from it is kept</small>"
    said = [row["task"], f"{row['state'].value}, {row['steps']:,} steps"]
    if origin is not None:
        said.append(f"took {in_words(origin)}")
        if origin["policy_version"] is not None:
            said.append(UPDATES[row["overrides"].get("ppo.update", "all")])
    if shown is not None:
        verb = "imitated" if has_begun(row) else "will imitate"
        said.append(f"{verb} {_episodes(sum(shown.values()))} ({_who(shown)})")
    link = f'<a href="training?run={name}" target="_self">{html.escape(row["goal"])}</a>'
    return f"{link} {name}<small>{html.escape(' · '.join(said))}</small>"


def _episodes(number: int) -> str:
    return f"{number} episode{'s' if number > 1 else ''}"


def _who(shown: Mapping[DemonstrationSource, int]) -> str:
    """Return who showed how many, e.g. ``3 by the scripted expert, 2 by people``."""
    by_expert = shown.get(DemonstrationSource.EXPERT, 0)
    by_people = sum(shown.values()) - by_expert
    parts = ((by_expert, "by the scripted expert"), (by_people, "by people"))
    return ", ".join(f"{number} {who}" for number, who in parts if number)
