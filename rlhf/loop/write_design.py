"""A researcher's design of a reward -> the store, where the run's next fit finds it. No torch."""

from collections.abc import Collection

import sqlalchemy as sa

from rlhf.errors import ConfigError
from rlhf.loop.observed import designable, shapeable
from rlhf.storage import designs, runs
from rlhf.storage.blobs import Blobs
from rlhf.storage.engine import reading, writing
from rlhf.storage.people import Person
from rlhf.types.design import MAX_NOTE, Design
from rlhf.types.people import Role


def write_design(
    engine: sa.Engine, blobs: Blobs, run_id: str, design: Design, *, by: Person | None, note: str = ""
) -> int:
    """Let a run's reward start from a design from its next fit on, which is made at once; return its number.

    Args:
        engine: of the store.
        blobs: of the store.
        run_id: whose reward it is.
        design: what is wanted; an empty one takes back the one before.
        by: a researcher; None: the owner of the studio, or the command line.
        note: why, in words.

    Raises:
        NotFoundError: there is no such run.
        FeedbackError: it is not known yet what the run observes.
        ConfigError: the person is no researcher, a feature is unknown, or the note is too long.
    """
    if by is not None and (by.role is None or not by.role.includes(Role.RESEARCHER)):
        raise ConfigError(f"{by.name} may not design rewards; ask a researcher.")
    if len(note) > MAX_NOTE:
        raise ConfigError(f"the note has {len(note)} characters; at most {MAX_NOTE} are kept.")
    with reading(engine) as connection:
        features = designable(connection, blobs, run_id)
        entries = shapeable(connection, blobs, run_id)
    for term in design.terms:
        _check_known(term.feature, features)
    if design.potential is not None:
        _check_known(design.potential.feature, entries)
    with writing(engine) as connection:
        row = runs.get_run(connection, run_id)
        who = "Somebody" if by is None else by.name
        runs.add_event(connection, run_id, row["steps"], "design", f"{who} designed: {in_words(design)}.")
        return designs.insert_design(
            connection, run_id, design, by="studio" if by is None else by.name, note=note.strip()
        )


def in_words(design: Design) -> str:
    """Return a design as one line."""
    parts = [f"{term.feature} {term.weight:+g} ({term.sure:.0%} sure)" for term in design.terms]
    if (shaped := design.potential) is not None:
        goal = "as potential" if shaped.target is None else f"near {shaped.target:g} as potential"
        parts.append(f"{shaped.feature} {shaped.weight:+g} {goal}")
    return ", ".join(parts) or "nothing"


def _check_known(feature: str, known: Collection[str]) -> None:
    if feature not in known:
        raise ConfigError(f"there is no feature {feature!r} here; there are {', '.join(known)}.")
