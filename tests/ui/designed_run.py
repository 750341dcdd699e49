"""A small run with a design that it has taken up and nobody has answered about."""

from collections.abc import Callable

from rlhf.loop.iterate import iterate
from rlhf.loop.session import open_session, save_checkpoint
from rlhf.loop.write_design import write_design
from rlhf.types.design import Design, Term
from rlhf.ui.store import Store

_SMALL = {
    "collect.num_envs": 2,
    "collect.explore_steps": 400,
    "ppo.num_steps": 32,
    "ppo.num_epochs": 1,
    "ppo.hidden": "8",
    "schedule.total_steps": 10_000,
}


def make_designed_run(store: Store, make_run: Callable[..., str]) -> str:
    run_id = make_run(overrides=_SMALL, total_steps=10_000)
    design = Design(terms=(Term(feature="cosine of angle", weight=1.0),))
    write_design(store.engine, store.blobs, run_id, design, by=None)
    take_a_turn(store, run_id)
    return run_id


def take_a_turn(store: Store, run_id: str) -> None:
    """Let the run learn for a turn, as the trainer would."""
    session = open_session(store.engine, store.blobs, run_id)
    iterate(session)
    save_checkpoint(session)
    session.close()
