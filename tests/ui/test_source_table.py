from streamlit.testing.v1 import AppTest


def _page() -> None:
    import dataclasses

    from rlhf.types.ranked_source import RankedSource
    from rlhf.ui.source_table import draw_sources

    known = RankedSource(
        run_id="abc",
        version=4,
        task="hopper-run",
        num_parameters=9_000,
        own_return=800.0,
        predicted_return=1.25,
        zero_shot_return=None,
        short_arm=0.5,
        share=1.0,
    )
    draw_sources([known], key="some", on_pick=print)
    draw_sources([dataclasses.replace(known, run_id=None)], key="none", on_pick=print)


def test_candidates_are_drawn_and_an_empty_list_is_a_sentence() -> None:
    page = AppTest.from_function(_page, default_timeout=60).run()
    assert not page.exception
    (row,) = page.dataframe[0].value.to_dict("records")
    assert row["Run"] == "abc"
    assert row["After practice"] == 0.5
    assert "No saved policy fits" in page.info[0].value
