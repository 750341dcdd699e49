"""What a browser is told of a pair that measures progress: nothing that tells it from the others."""

from collections.abc import Callable

from http_browser import Browser

from rlhf.types.feedback import QueryKind

Make = Callable[..., str]


def test_a_blind_pair_looks_like_any_other(
    browser: Browser, run_id: str, make_query: Make, make_blind_pair: Make
) -> None:
    ordinary, blind = make_query(run_id, kind=QueryKind.AUDIT), make_blind_pair(run_id, 3, 7)
    found = {
        pair["query_id"]: pair
        for pair in browser.get(f"/api/queue?run={run_id}", **{"X-Preference-Studio": "1"}).json()["queue"]
    }
    same = ("reason", "reward_version", "policy_version")
    assert {name: found[blind][name] for name in same} == {name: found[ordinary][name] for name in same}
    assert found[blind].keys() == found[ordinary].keys()
