"""What the route about the reward of clips sends, and what it refuses."""

from collections.abc import Callable

import numpy as np
import pytest
from http_browser import Browser
from small_rewards import linear_reward

from rlhf.loop.trace_segments import Trace, Traces
from rlhf.storage import models
from rlhf.storage.engine import writing
from rlhf.ui.reward_trace import as_json, trace_address
from rlhf.ui.store import Store

Make = Callable[..., str]
ID = "0" * 32


@pytest.fixture
def versioned_run(store: Store, run_id: str) -> str:
    """With a linear reward of the third and the last one of five features."""
    model = linear_reward([0.0, 0.0, 1.0, 0.0, 2.0])
    with writing(store.engine) as connection:
        models.insert_reward_version(
            connection,
            run_id,
            1,
            arrays=store.blobs.write_arrays(dict(model.to_arrays())),
            num_answers=1,
            steps=1,
            report={},
        )
    return run_id


def test_clips_come_in_order_with_the_same_features(
    browser: Browser, versioned_run: str, make_segment: Make
) -> None:
    ids = [make_segment(versioned_run) for _ in range(2)]
    reply = browser.get("/" + trace_address(versioned_run, 1, ids))
    body = reply.json()
    assert reply.headers["cache-control"] == "no-store"
    assert body["features"][0]["name"] == "change of observation 0"
    swapped = browser.get("/" + trace_address(versioned_run, 1, ids[::-1])).json()
    assert swapped["clips"] == body["clips"][::-1]
    for clip in body["clips"]:
        steps = len(clip["members"][0])
        assert [len(values) for values in clip["values"]] == [steps] * len(body["features"])
        assert len(clip["contributions"]) == len(body["features"]) + 1


def test_what_decides_in_one_step_is_named_before_a_little_in_each() -> None:
    contributions = np.full((100, 8), 0.1, np.float32)
    contributions[:, 7] = 0.0
    contributions[60, 7] = -4.0  # a landing
    trace = Trace(
        segment_id=ID,
        rewards=np.zeros((2, 100), np.float32),
        contributions=contributions,
        values=np.zeros((100, 8), np.float32),
        absorbing=np.zeros(100, np.bool_),
        steps_per_frame=1,
    )
    names = tuple(f"feature {index}" for index in range(8))
    body = as_json(Traces(version=1, base=0.0, names=names, units=("",) * 8, traces=(trace,)))
    assert body["features"][0]["name"] == "feature 7"


def test_contributions_and_the_average_step_add_up(
    browser: Browser, versioned_run: str, make_segment: Make
) -> None:
    body = browser.get("/" + trace_address(versioned_run, 1, [make_segment(versioned_run)])).json()
    (clip,) = body["clips"]
    for step in range(3):
        mean = sum(member[step] for member in clip["members"]) / 2
        made_of = body["base"] + sum(values[step] for values in clip["contributions"])
        assert made_of == pytest.approx(mean, abs=1e-3)


@pytest.mark.parametrize(
    "query",
    [
        "",
        f"?version=0&segments={ID}",
        f"?version=x&segments={ID}",
        "?version=1&segments=",
        f"?version=1&segments={ID[1:]}",
        f"?version=1&segments={','.join([ID] * 5)}",
        f"?version={'9' * 30}&segments={ID}",
    ],
)
def test_a_malformed_request_is_refused(browser: Browser, versioned_run: str, query: str) -> None:
    assert browser.get(f"/api/traces/{versioned_run}{query}").status == 400


@pytest.mark.parametrize("address", [("{run}", 2, ID), ("{run}", 1, ID), ("none", 1, ID)])
def test_what_there_is_not_is_not_found(
    browser: Browser, versioned_run: str, make_segment: Make, address: tuple[str, int, str]
) -> None:
    run, version, segment = address
    path = trace_address(run.format(run=versioned_run), version, [segment])
    assert browser.get(f"/{path}").status == 404
