"""Who may open and do what: every page with every role, and with nobody."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.board import access, web
from pipelines.board.access import PAGES, ROLES, Page, Role
from tests.pipelines.board.town import Town, token

# Said once more, by hand: a change of the table has to be meant.
MAY: dict[Role, str] = {
    "director": "today alerts alert acknowledge topics topic sources source coverage"
    " archive digest settings examine",
    "analyst": "today alerts alert labels draw agreement labelling label unlabel dispute settle"
    " search export topics topic sources source coverage archive digest settings examine",
    "moderator": "today alerts alert acknowledge silence unsilence judge take_back labels draw"
    " agreement labelling label unlabel dispute settle search topics topic sources source coverage"
    " archive digest settings examine",
    "dpo": "coverage privacy accesses settings examine",
}


def address(page: Page, town: Town) -> str:
    values = {"incident_id": town.incident, "topic_id": "T09", "source_name": "mastodon"}
    values |= {"task_id": town.dispute if "settle" in page.path else town.task}
    return "/board" + page.path.format(**values, name="2026-11-19")


def test_the_table_is_as_it_is_meant() -> None:
    for role in ROLES:
        assert {p.name for p in PAGES if role in p.roles} == set(MAY[role].split())
        assert access.may(role, access.PAGES[0].name) == (role != "dpo")


def test_every_page_of_the_table_is_there_and_no_other() -> None:
    assert {page.name for page in PAGES} == set(web.HANDLERS)
    assert len({(page.method, page.path) for page in PAGES}) == len(PAGES)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_opens_its_own_pages_and_no_others(
    town: Town, role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.board.examining._examined", lambda *_: ())
    client = town.visitor(role)
    given = token(client.get(f"/board{access.home(role)}").text)
    for page in PAGES:
        answer: Any = (
            client.get(address(page, town))
            if page.method == "GET"
            else client.post(address(page, town), data={"csrf": given})
        )
        is_open = answer.status_code in (200, 303, 422)  # 422: an empty form
        assert is_open == (role in page.roles), (page.name, role, answer.status_code)
        assert is_open or answer.status_code == 403


def test_nobody_opens_anything(town: Town) -> None:
    client = town.guest()
    for page in PAGES:
        answer = client.request(page.method, address(page, town))
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/board/login")
        assert answer.content == b""


def test_a_menu_shows_what_its_reader_may_open(town: Town) -> None:
    for role in ROLES:
        html = town.visitor(role).get(f"/board{access.home(role)}").text
        menu = html.partition("<nav")[2].partition("</nav>")[0]
        for page in [p for p in PAGES if p.method == "GET"]:
            shown = f'href="/board{page.path}"' in menu
            assert shown == (page.is_menu and role in page.roles), (role, page.name)


def test_only_a_moderator_sees_where_a_person_wrote(town: Town) -> None:
    for role in ("director", "analyst", "moderator"):
        html = town.visitor(role).get(f"/board/alerts/{town.incident}").text
        assert ("https://m.example/@quidam/1" in html) == (role == "moderator")
