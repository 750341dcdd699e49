"""The Data page without a browser: what it lists, what it changes, and what a bad address does."""

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from rlhf.loop.record_feedback import Answer, record_answer
from rlhf.loop.record_item import record_item
from rlhf.storage import answer_changes, answers
from rlhf.storage.answer_search import AnswerStatus
from rlhf.storage.engine import reading
from rlhf.types.feedback import ChangeKind, Choice, QueryKind
from rlhf.ui import data_view
from rlhf.ui.store import Store, open_store

ROOT = Path(__file__).resolve().parents[2]
Make = Callable[..., str]


@pytest.fixture(autouse=True)
def app_store(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the page open the test's store, and turn after three rows."""
    monkeypatch.setenv("RLHF_DATA_DIR", str(store.settings.data_dir))
    monkeypatch.setattr(data_view, "PAGE_ROWS", 3)
    open_store.cache_clear()


@pytest.fixture
def run_id(store: Store, make_run: Make, make_query: Make, make_annotator: Make) -> str:
    """Five answers: LEFT, RIGHT, LEFT with a comment, RIGHT, LEFT; keys answer-0000 to answer-0004."""
    run_id, person = make_run(), make_annotator()
    for index in range(5):
        answer = Answer(
            key=f"answer-{index:04}",
            query_id=make_query(run_id),
            choice=(Choice.LEFT, Choice.RIGHT)[index % 2],
            details={"comment": "**Falls** [over](http://x)"} if index == 2 else {},
        )
        record_answer(store.engine, run_id, person, answer)
    return run_id


def open_page(run_id: str, **parameters: str) -> AppTest:
    page = AppTest.from_file(str(ROOT / "pages" / "_shell.py"), default_timeout=20)
    page.run()
    page.query_params["run"] = run_id
    for name, value in parameters.items():
        page.query_params[name] = value
    page.switch_page("data.py").run()
    assert not page.exception
    return page


def press_in_dialog(page: AppTest, key: str, button: str) -> None:
    """Press a button of an answer's dialog. Here, unlike in a browser, that draws the whole page anew."""
    page.query_params["answer"] = key
    page.button(key=f"answer-{button}-{key}").click().run()


def listed(page: AppTest) -> list[str]:
    return [b.key.removeprefix("open-") for b in page.button if b.key and b.key.startswith("open-")]


def standing(store: Store, run_id: str) -> int:
    with reading(store.engine) as connection:
        return sum(answers.count_standing(connection, run_id).values())


def _changes(store: Store, run_id: str) -> list[sa.RowMapping]:
    with reading(store.engine) as connection:
        return answer_changes.list_changes(connection, run_id, 9)


def test_newest_come_first_and_pages_follow_each_other(run_id: str) -> None:
    page = open_page(run_id)
    assert listed(page) == ["answer-0004", "answer-0003", "answer-0002"]
    page.button(key="data-older").click().run()
    assert listed(page) == ["answer-0001", "answer-0000"]
    assert page.button(key="data-older").disabled
    page.button(key="data-newer").click().run()
    assert listed(page) == ["answer-0004", "answer-0003", "answer-0002"]


def test_filter_starts_at_the_first_page(run_id: str) -> None:
    page = open_page(run_id)
    page.button(key="data-older").click().run()
    page.multiselect(key=f"data-choices-{run_id}").set_value([Choice.LEFT]).run()
    assert listed(page) == ["answer-0004", "answer-0002", "answer-0000"]


def test_search_finds_words_of_comments(run_id: str) -> None:
    page = open_page(run_id)
    page.text_input(key=f"data-text-{run_id}").set_value("FALLS").run()
    assert listed(page) == ["answer-0002"]
    page.text_input(key=f"data-text-{run_id}").set_value("100%").run()
    assert listed(page) == []
    assert page.info


def test_comment_is_shown_as_it_was_typed(run_id: str) -> None:
    page = open_page(run_id)
    assert any(r"\*\*Falls\*\* \[over\]\(http\:" in caption.value for caption in page.caption)


def test_answer_is_set_aside_with_a_reason_and_brought_back(store: Store, run_id: str) -> None:
    page = open_page(run_id, answer="answer-0002")
    page.text_input(key="answer-reason-answer-0002").set_value("a slip")
    press_in_dialog(page, "answer-0002", "void")
    assert standing(store, run_id) == 4
    assert not page.exception
    change_id = _changes(store, run_id)[0]["id"]
    open_page(run_id).button(key=f"data-revert-{change_id}").click().run()
    assert standing(store, run_id) == 5
    assert [(c["kind"], c["reason"]) for c in _changes(store, run_id)] == [
        (ChangeKind.RESTORE, ""),
        (ChangeKind.VOID, "a slip"),
    ]


def test_nothing_is_set_aside_without_a_reason(store: Store, run_id: str) -> None:
    page = open_page(run_id, answer="answer-0002")
    press_in_dialog(page, "answer-0002", "void")
    assert "say why" in page.error[0].value
    assert standing(store, run_id) == 5


def test_before_all_are_set_aside_their_number_is_said(store: Store, run_id: str) -> None:
    page = open_page(run_id)
    page.multiselect(key=f"data-choices-{run_id}").set_value([Choice.LEFT]).run()
    page.button(key="data-void-all").click().run()
    assert any("3 answers" in text.value for text in page.markdown)
    assert any(button.label == "Set 3 answers aside" for button in page.button)
    assert standing(store, run_id) == 5


def test_pair_is_answered_again(store: Store, run_id: str) -> None:
    page = open_page(run_id, answer="answer-0000")
    page.radio(key="answer-again-answer-0000").set_value(Choice.RIGHT)
    press_in_dialog(page, "answer-0000", "save")
    with reading(store.engine) as connection:
        counts = answers.count_standing(connection, run_id)
    assert counts == {Choice.LEFT: 2, Choice.RIGHT: 3}


@pytest.mark.parametrize(
    "parameters", [{"answer": "no-such-answer"}, {"before": "-1"}, {"after": "x" * 50}, {"before": "9" * 30}]
)
def test_page_bears_any_address(run_id: str, parameters: dict[str, str]) -> None:
    page = open_page(run_id, **parameters)
    assert len(listed(page)) == 3


@pytest.mark.parametrize("kind", QueryKind)
def test_answer_to_any_kind_of_pair_opens(
    store: Store, make_run: Make, make_query: Make, make_annotator: Make, kind: QueryKind
) -> None:
    run_id = make_run()
    answer = Answer(key="answer-0000", query_id=make_query(run_id, kind=kind), choice=Choice.LEFT)
    record_answer(store.engine, run_id, make_annotator(), answer)
    page = open_page(run_id, answer="answer-0000")
    assert any(f"Kind of pair] {data_view.KINDS[kind]}" in text.value for text in page.markdown)


def test_dialog_says_how_an_answer_was_given(
    store: Store, make_run: Make, make_query: Make, make_annotator: Make
) -> None:
    run_id, person = make_run(), make_annotator()
    first, second, third = (make_query(run_id) for _ in range(3))
    for item in (
        {"form": "ranking", "key": "rank-0001", "query_ids": [first, second], "places": [[first, "left"]]},
        {"form": "rating", "key": "rate-0001", "query_id": third, "side": "left", "rating": 4},
        {"form": "rating", "key": "rate-0002", "query_id": third, "side": "right", "rating": 2},
    ):
        record_item(store.engine, run_id, person, item)
    for key, said in (("rank-0001-1", "two pairs in order"), ("rate-0002-1", "rating each clip")):
        page = open_page(run_id, answer=key)
        assert any(said in text.value for text in page.markdown)


def test_every_stored_word_has_one_for_people() -> None:
    """And the counters one for each choice: a new kind or choice must be named first."""
    assert set(data_view.KINDS) == set(QueryKind)
    assert set(data_view.CHOICES) == set(Choice)
    assert set(data_view.STATUSES) == set(data_view.MEANINGS) == set(AnswerStatus)
    assert set(data_view._DONE) == set(ChangeKind)
    assert set(answers._COUNTERS) == set(Choice) - {Choice.UNDO}


def test_page_explains_itself_on_an_empty_store() -> None:
    assert open_page("none").title[0].value == "No answers yet"
