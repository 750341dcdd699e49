"""Who answers, how far each of them can be relied on, and what a researcher may do about it."""

import streamlit as st

from rlhf.loop.assess_people import assess_people
from rlhf.ui import people_controls, people_report
from rlhf.ui.access import visitor_here
from rlhf.ui.first_paint import paint_first
from rlhf.ui.gold_pairs import gold_pairs
from rlhf.ui.run_heading import run_heading
from rlhf.ui.session import current_run
from rlhf.ui.store import open_store

run_id = current_run()
if run_id is None:
    st.title("Nobody has answered yet", anchor=False)
    st.page_link("home.py", label="Start something to teach", icon=":material/home:")
else:
    engine = open_store().engine
    by = visitor_here().name or people_controls.RESEARCHER
    with st.container(horizontal=True, vertical_alignment="center"):
        run_heading(run_id)
    st.caption(
        "Who answers, and how far they agree: with what the reward learned, with others, with themselves."
    )
    assessment = assess_people(engine, run_id)
    people = assessment.people
    if people:
        people_report.headline(assessment)
        people_report.remarks(people)
        paint_first()
        people_report.table(people)
        people_report.pictures(people, key=run_id)
        with st.container(border=True):
            person = people_controls.choose(people, key=run_id)
            people_report.details(person)
            people_controls.decide(engine, run_id, person, by=by)
        gold_pairs(engine, run_id, by=by)
    else:
        st.info(
            "Nobody has answered yet: people appear here with their first answer.", icon=":material/group:"
        )
    people_controls.log(engine, run_id, {one.annotator_id: one.name for one in people}, by=by)
