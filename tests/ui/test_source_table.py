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
        steps=8192,
    )
    draw_sources([known], key="some", on_pick=print)
    draw_sources([dataclasses.replace(known, run_id=None)], key="none", on_pick=print)


def _scratch_first() -> None:
    from rlhf.types.ranked_source import RankedSource
    from rlhf.ui.source_table import draw_sources, draw_ways

    known = {"version": 1, "task": "hopper-run", "num_parameters": 9}
    scratch = RankedSource(run_id=None, **known, short_arm=0.5)
    better = RankedSource(run_id="abc", **known, short_arm=0.6, update="all")
    draw_sources([scratch, better], key="sources", on_pick=print)
    draw_ways([scratch, better], key="ways", on_pick=print)
    draw_ways([better, scratch], key="clear", on_pick=print)


def test_scratch_before_what_looks_better_is_explained() -> None:
    page = AppTest.from_function(_scratch_first, default_timeout=60).run()
    assert not page.exception
    assert len(page.warning) == 2
    assert all("None of these is clearly better" in one.value for one in page.warning)


def test_candidates_are_drawn_and_an_empty_list_is_a_sentence() -> None:
    page = AppTest.from_function(_page, default_timeout=60).run()
    assert not page.exception
    (row,) = page.dataframe[0].value.to_dict("records")
    assert row["Run"] == "abc"
    assert (row["After practice"], row["Steps practised"]) == (0.5, 8192)
    assert "No saved policy fits" in page.info[0].value
