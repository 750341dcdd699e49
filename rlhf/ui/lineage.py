"""What runs started from, other runs or demonstrations, as trees with what each took."""

import dataclasses
import html
from collections.abc import Mapping

import sqlalchemy as sa
import streamlit as st

from rlhf.config import override
from rlhf.loop.config import TransferConfig
from rlhf.loop.start_run import has_begun, is_to_imitate
from rlhf.storage import demonstrations, origins, runs
from rlhf.storage.engine import reading
from rlhf.types.demonstration import DemonstrationSource

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


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Family:
    """All runs and what they started from, by id."""

    runs: Mapping[str, sa.RowMapping]
    """The newest first."""
    origin_of: Mapping[str, sa.RowMapping]
    """What runs took from another."""
    reward_of: Mapping[str, tuple[str, int]]
    """Run and version of the reward that a run's starts from."""
    source_of: Mapping[str, str]
    """The run below which one is drawn: what it took from, or else where its reward starts.
    The oldest first."""
    shown: Mapping[str, Mapping[DemonstrationSource, int]]
    """Who showed how many episodes that a run imitates."""


def show(engine: sa.Engine) -> None:
    """Draw the trees of the newest runs that started from something; nothing while all began on their own."""
    family = _read(engine)
    started = [run_id for run_id in family.runs if run_id in family.source_of or run_id in family.shown]
    if not started:
        return
    roots = list(dict.fromkeys(_root(run_id, family.source_of) for run_id in started))
    trees = "".join(_tree(root, family) for root in roots[:_SHOWN])
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


def _read(engine: sa.Engine) -> _Family:
    with reading(engine) as connection:
        origin_of = {origin["run_id"]: origin for origin in origins.list_origins(connection)}
        known = {row["id"]: row for row in runs.list_runs(connection)}
        cloned = [run_id for run_id, row in known.items() if is_to_imitate(row)]
        shown = demonstrations.count_imitated(connection, cloned) if cloned else {}
    reward_of = {run_id: named for run_id, row in known.items() if (named := _named_reward(row))}
    given = {run_id: source_id for run_id, (source_id, _) in reward_of.items()}
    given |= {run_id: origin["source_id"] for run_id, origin in origin_of.items()}
    source_of: dict[str, str] = {}
    for run_id in reversed(known):  # settings can name each other's rewards: no link may close a circle
        if run_id in given and _root(given[run_id], source_of) != run_id:
            source_of[run_id] = given[run_id]
    return _Family(runs=known, origin_of=origin_of, reward_of=reward_of, source_of=source_of, shown=shown)


def _named_reward(row: sa.RowMapping) -> tuple[str, int] | None:
    """Return run and version of the reward that a run's settings let its own start from."""
    value = row["overrides"].get("transfer.reward_from", "")
    return override(TransferConfig(), {"reward_from": value}).source if value else None


def _root(run_id: str, source_of: Mapping[str, str]) -> str:
    while run_id in source_of:
        run_id = source_of[run_id]
    return run_id


def _tree(root: str, family: _Family) -> str:
    branch = _branch(root, family)
    if root not in family.shown:
        return branch
    name, shown = html.escape(root), family.shown[root]
    link = f'<a href="demonstrate?run={name}" target="_self">{_episodes(sum(shown.values()))} shown</a>'
    return f"<li>{link}<small>{_who(shown)}</small><ul>{branch}</ul></li>"


def _branch(run_id: str, family: _Family) -> str:
    children = [one for one, source_id in family.source_of.items() if source_id == run_id]
    inner = "".join(_branch(one, family) for one in children)
    return f"<li>{_run(run_id, family)}{f'<ul>{inner}</ul>' if inner else ''}</li>"


def _run(run_id: str, family: _Family) -> str:
    name, row = html.escape(run_id), family.runs.get(run_id)
    if row is None:
        return f"{name}<small>is no longer here; what was taken from it is kept</small>"
    said = [row["task"], f"{row['state'].value}, {row['steps']:,} steps"]
    if (origin := family.origin_of.get(run_id)) is not None:
        said.append(f"took {in_words(origin)}")
        if origin["policy_version"] is not None:
            said.append(UPDATES[row["overrides"].get("ppo.update", "all")])
    if (named := family.reward_of.get(run_id)) is not None:
        source_id, version = named  # not always the run above: that may be one that gave its policy
        said.append(f"its reward starts from reward {version} of {source_id}")
    if (shown := family.shown.get(run_id)) is not None:
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
