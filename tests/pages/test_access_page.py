"""Inviting people and changing what they may do, without a browser."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from rlhf.loop import admit_people
from rlhf.storage import people
from rlhf.storage.engine import reading
from rlhf.types.people import Role
from rlhf.ui.access import SIGN_IN_COOKIE
from rlhf.ui.store import Store, open_store

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def app_store(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pages open the test's store."""
    monkeypatch.setenv("RLHF_DATA_DIR", str(store.settings.data_dir))
    open_store.cache_clear()


@pytest.fixture
def sign_in(store: Store, page_cookies: dict[str, str]) -> Callable[..., str]:
    """``sign_in(role, name)`` makes a person, lets the page be theirs and returns their id."""

    def make(role: Role, name: str = "Ann") -> str:
        link = admit_people.invite(store.engine, role, now=time.time(), max_uses=1)
        signed_in = admit_people.redeem(store.engine, link.token, name=name, now=time.time())
        page_cookies[SIGN_IN_COOKIE] = signed_in.token
        return signed_in.person_id

    return make


def open_page(name: str = "access.py") -> AppTest:
    page = AppTest.from_file(str(ROOT / "pages" / "_shell.py"), default_timeout=20).run()
    page.switch_page(name).run()
    assert not page.exception
    return page


def press(page: AppTest, label: str) -> None:
    next(button for button in page.button if button.label == label).click().run()
    assert not page.exception


def role_of(store: Store, person_id: str) -> Role | None:
    with reading(store.engine) as connection:
        return people.get_person(connection, person_id).role


def test_a_studio_without_people_says_how_to_invite_some() -> None:
    page = open_page()
    assert "Nobody signs in so far" in page.markdown[0].value
    assert not page.button


def test_an_admin_makes_a_link_that_works(store: Store, sign_in: Callable[..., str]) -> None:
    sign_in(Role.ADMIN)
    page = open_page()
    page.selectbox(key="invite-role").set_value(Role.RESEARCHER).run()
    press(page, "Make a link")
    token = page.code[0].value.rpartition("/join?token=")[2]
    offer = admit_people.look_at(store.engine, token, now=time.time())
    assert offer is not None
    assert (offer.role, offer.by) == (Role.RESEARCHER, "Ann")


def test_a_link_may_be_limited_to_a_run(
    store: Store, sign_in: Callable[..., str], make_run: Callable[..., str]
) -> None:
    run_id = make_run()
    sign_in(Role.RESEARCHER)
    page = open_page()
    page.selectbox(key="invite-run").set_value(run_id).run()
    press(page, "Make a link")
    with reading(store.engine) as connection:
        (row,) = people.list_open_invitations(connection, time.time())
    assert row["run_id"] == run_id


def test_a_link_is_revoked(store: Store, sign_in: Callable[..., str]) -> None:
    sign_in(Role.ADMIN)
    page = open_page()
    press(page, "Make a link")
    press(page, "Revoke")
    with reading(store.engine) as connection:
        assert people.list_open_invitations(connection, time.time()) == []


def test_a_researcher_sees_people_and_changes_nobody(sign_in: Callable[..., str]) -> None:
    sign_in(Role.ADMIN, "Ada")
    sign_in(Role.RESEARCHER, "Rae")
    page = open_page()
    assert any("Ada" in item.value for item in page.markdown)
    assert {button.label for button in page.button} == {"Make a link"}
    assert page.selectbox(key="invite-role").options == ["Annotator: compares clips, sees nothing else"]


def test_an_admin_changes_a_role(store: Store, sign_in: Callable[..., str]) -> None:
    bob = sign_in(Role.ANNOTATOR, "Bob")
    sign_in(Role.ADMIN)
    page = open_page()
    page.selectbox(key=f"role-{bob}-{Role.ANNOTATOR}").set_value("Researcher").run()
    assert role_of(store, bob) is Role.RESEARCHER


def test_the_last_admin_is_told_why_they_stay_one(store: Store, sign_in: Callable[..., str]) -> None:
    ann = sign_in(Role.ADMIN)
    page = open_page()
    page.selectbox(key=f"role-{ann}-{Role.ADMIN}").set_value("No access").run()
    assert "only admin" in page.error[0].value
    assert page.selectbox(key=f"role-{ann}-{Role.ADMIN}").value == "Admin"
    assert role_of(store, ann) is Role.ADMIN


def test_names_are_shown_as_they_are(sign_in: Callable[..., str]) -> None:
    sign_in(Role.ADMIN, "[x](https://evil.example) :smile: <b>")
    page = open_page()
    shown = next(item.value for item in page.markdown if "(you)" in item.value)
    assert r"\[x\]\(https\://evil\.example\) \:smile\: \<b\>" in shown


def test_an_annotator_labels_and_sees_no_numbers(
    store: Store, sign_in: Callable[..., str], make_run: Callable[..., str]
) -> None:
    make_run()
    sign_in(Role.ANNOTATOR)
    page = open_page("label.py")
    assert page.get("bidi_component")
    assert not page.metric
    assert not page.button
    assert not page.toggle


def test_an_annotator_without_a_run_is_told_whom_to_ask(sign_in: Callable[..., str]) -> None:
    sign_in(Role.ANNOTATOR)
    assert "Ask whoever invited you" in open_page("label.py").markdown[0].value


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """``provider(**claims)`` opens the studio with an identity provider that knows the visitor so."""

    def open_studio(**claims: object) -> AppTest:
        page = AppTest.from_file(str(ROOT / "pages" / "_shell.py"), default_timeout=20)
        page.secrets["auth"] = {"redirect_uri": "http://localhost:8501/oauth2callback", "cookie_secret": "x"}
        page.user = claims
        page.run()
        assert not page.exception
        return page

    return open_studio


def test_an_identity_provider_is_offered_to_strangers(provider: Callable[..., AppTest]) -> None:
    page = provider(is_logged_in=False)
    assert [button.label for button in page.button] == ["Sign in"]


def test_whom_the_provider_vouches_for_comes_in_and_waits_for_a_role(
    store: Store, provider: Callable[..., AppTest], page_cookies: dict[str, str]
) -> None:
    claims = {"is_logged_in": True, "iss": "https://id.example", "sub": "42", "name": "Ann"}
    page = provider(**claims)
    token = page.html[0].body.partition("token=")[2].partition('"')[0]
    signed_in = admit_people.redeem(store.engine, token, name="", now=time.time())
    page_cookies[SIGN_IN_COOKIE] = signed_in.token
    assert "Ask an admin" in provider(**claims).title[0].value
    admit_people.change_role(store.engine, signed_in.person_id, Role.RESEARCHER)
    assert "Teach an agent" in provider(**claims).title[0].value


def test_the_run_of_the_address_is_still_shown_on_the_next_page(make_run: Callable[..., str]) -> None:
    first = make_run()
    make_run()
    page = AppTest.from_file(str(ROOT / "pages" / "_shell.py"), default_timeout=20).run()
    page.query_params["run"] = first
    page.switch_page("access.py").run()
    del page.query_params["run"]
    page.switch_page("people.py").run()
    assert page.query_params["run"] == first
