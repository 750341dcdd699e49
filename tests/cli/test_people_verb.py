"""``python -m rlhf people``: letting people in from the shell."""

import json
from typing import Any

import pytest

from rlhf.cli.main import main
from rlhf.loop import admit_people
from rlhf.storage.engine import reading
from rlhf.storage.people import signed_in_person
from rlhf.types.people import Role
from rlhf.ui.store import Store


@pytest.fixture(autouse=True)
def shell_store(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the verbs open the test's store."""
    monkeypatch.setenv("RLHF_DATA_DIR", str(store.settings.data_dir))


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["people", *arguments, "--json", "-"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def join(store: Store, url: str) -> str:
    token = url.rpartition("token=")[2]
    return admit_people.redeem(store.engine, token, name="Ann", now=0.0).token


def test_an_admins_link_makes_an_admin(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    link = call(capsys, "invite", "--role", "admin", "--url", "https://studio.example/")
    assert link["url"].startswith("https://studio.example/join?token=")
    token = join(store, link["url"])
    with reading(store.engine) as connection:
        person = signed_in_person(connection, admit_people.hash_token(token), 0.0)
    assert person is not None
    assert person.role is Role.ADMIN


def test_list_shows_people_and_open_links(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(capsys, "list") == {"people": [], "invitations": []}
    join(store, call(capsys, "invite", "--uses", "1")["url"])
    waiting = call(capsys, "invite", "--role", "researcher")["invitation"]
    found = call(capsys, "list")
    (person,) = found["people"]
    assert (person["name"], person["role"], person["runs"]) == ("Ann", "annotator", "all")
    assert [link["invitation"] for link in found["invitations"]] == [waiting]


def test_list_shows_no_token(capsys: pytest.CaptureFixture[str]) -> None:
    token = call(capsys, "invite")["url"].rpartition("token=")[2]
    assert main(["people", "list"]) == 0
    assert token not in capsys.readouterr().out


def test_revoke_ends_a_link(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    link = call(capsys, "invite")
    call(capsys, "revoke", link["invitation"])
    assert call(capsys, "list")["invitations"] == []


def test_revoke_signs_a_person_out(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    token = join(store, call(capsys, "invite")["url"])
    call(capsys, "revoke", call(capsys, "list")["people"][0]["person"])
    with reading(store.engine) as connection:
        assert signed_in_person(connection, admit_people.hash_token(token), 0.0) is None


def test_role_changes_what_a_person_may_do(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    join(store, call(capsys, "invite")["url"])
    call(capsys, "role", call(capsys, "list")["people"][0]["person"], "researcher")
    assert call(capsys, "list")["people"][0]["role"] == "researcher"


@pytest.mark.parametrize(
    "arguments",
    [
        ["revoke", "nobody"],
        ["role", "nobody", "admin"],
        ["invite", "--role", "admin", "--run", "r"],
        ["invite", "--run", "gone"],
        ["invite", "--person", "nobody"],
        ["invite", "--days", "-1"],
    ],
)
def test_what_cannot_be_done_is_said(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(["people", *arguments]) == 2
    assert capsys.readouterr().err.startswith("error: ")
