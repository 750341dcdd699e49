"""A reward as a researcher writes it: sliders for named features, and a potential that shapes the way."""

import streamlit as st

from rlhf.errors import RlhfError
from rlhf.loop.observed import designable, shapeable
from rlhf.loop.write_design import write_design
from rlhf.storage import designs
from rlhf.storage.engine import reading
from rlhf.types.design import LEAST_SURE, MAX_NOTE, MOST_SURE, Design, Potential, Term
from rlhf.ui.access import visitor_here
from rlhf.ui.store import open_store

_WEIGHT = 3.0
"""Sliders go so far on both sides, or as far as what is set already."""
_PERCENT = 100


def edit_design(run_id: str) -> None:
    """Let a researcher write the design that a run's reward starts from."""
    store = open_store()
    st.caption(
        "What you would reward if you wrote it yourself. The agent follows it until people answer; "
        "from then on answers correct it."
    )
    try:
        with reading(store.engine) as connection:
            features = designable(connection, store.blobs, run_id)
            entries = shapeable(connection, store.blobs, run_id)
            number, held = designs.newest_design(connection, run_id)
    except RlhfError as error:
        st.info(str(error), icon=":material/tune:")
        return
    key = f"{run_id}-{number}"  # what is saved begins anew
    terms = _terms(features, held, key=key)
    try:
        potential = _potential(entries, held.potential, key=key)
        design = Design(terms=terms, potential=potential)
    except RlhfError as error:
        st.warning(str(error), icon=":material/tune:")
        design = held
    note = st.text_input(
        "Note", key=f"note-{key}", placeholder="Why, if you like to say. Kept with it.", max_chars=MAX_NOTE
    )
    with st.container(horizontal=True):
        if st.button(
            "Use this design", type="primary", icon=":material/tune:", disabled=design in (held, Design())
        ):
            _write(run_id, design, note)
        if held != Design() and st.button("Take it back", icon=":material/undo:"):
            _write(run_id, Design(), note)


def _terms(features: dict[str, str], held: Design, *, key: str) -> tuple[Term, ...]:
    known = {term.feature: term for term in held.terms}
    chosen = st.multiselect(
        "Features that count",
        list(features),
        default=[name for name in known if name in features],
        format_func=lambda name: _with_unit(name, features),
        placeholder="Choose some",
        key=f"terms-{key}",
    )
    if chosen:
        st.caption(
            "Weights are for one standard deviation of each feature, beside the others; below 0 is for less. "
            "The surer you are, the more answers it takes to change a weight."
        )
    return tuple(_term(name, features, known.get(name), key=key) for name in chosen)


def _term(name: str, features: dict[str, str], known: Term | None, *, key: str) -> Term:
    known = known or Term(feature=name, weight=1.0)
    bound = max(_WEIGHT, abs(known.weight))
    left, right = st.columns([3, 2], gap="medium")
    weight = left.slider(
        f"Weight of {_with_unit(name, features)}",
        -bound,
        bound,
        known.weight,
        0.1,
        key=f"weight-{key}-{name}",
    )
    sure = right.slider(
        f"How sure of {name}",
        round(_PERCENT * LEAST_SURE),
        round(_PERCENT * MOST_SURE),
        round(_PERCENT * known.sure),
        5,
        format="%d%%",
        key=f"sure-{key}-{name}",
    )
    return Term(feature=name, weight=round(weight, 6), sure=sure / _PERCENT)


def _potential(entries: dict[str, str], held: Potential | None, *, key: str) -> Potential | None:
    with st.expander("Shape the way there", expanded=held is not None, icon=":material/route:"):
        st.caption(
            "Pays for every bit of getting nearer and takes it back for going away. It can speed learning "
            "up, and the best behaviour stays the same, however wrong it is."
        )
        names = list(entries)
        place = None if held is None else names.index(held.feature)
        name = st.selectbox(
            "Nearness is seen in",
            names,
            index=place,
            format_func=lambda one: _with_unit(one, entries),
            placeholder="No shaping",
            key=f"potential-{key}",
        )
        if name is None:
            return None
        known = held if held is not None and held.feature == name else Potential(feature=name, weight=1.0)
        bound = max(_WEIGHT, abs(known.weight))
        left, right = st.columns([3, 2], gap="medium")
        weight = left.slider(
            "Strength", -bound, bound, known.weight, 0.1, key=f"strength-{key}-{name}", help="Below 0: less."
        )
        target = right.number_input(
            f"Best value{f' ({entries[name]})' if entries[name] else ''}",
            value=known.target,
            placeholder="The more the better",
            key=f"target-{key}-{name}",
        )
    return Potential(feature=name, weight=round(weight, 6), target=target)


def _with_unit(name: str, features: dict[str, str]) -> str:
    return f"{name} ({features[name]})" if features[name] else name


def _write(run_id: str, design: Design, note: str) -> None:
    store = open_store()
    try:
        write_design(store.engine, store.blobs, run_id, design, by=visitor_here().person, note=note)
    except RlhfError as error:
        st.error(str(error))
    else:
        st.rerun()
