"""The gate: logging in and out, what is refused, what is remembered over a restart."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from pipelines import hooks
from pipelines.board import gate, passwords, store, web
from pipelines.board.visit import Desk
from pipelines.errors import VigieError
from pipelines.settings import Board, Web
from tests.pipelines.board.town import PASSWORD, Town, built, log_in, token, with_proxy
from tests.pipelines.watched import AS_OF


def test_a_right_password_opens_the_first_page(own_town: Town) -> None:
    client = own_town.guest()
    answer = log_in(client, "director")
    assert (answer.status_code, answer.headers["location"]) == (303, "/board/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/board" in cookie
    assert client.get("/board/").status_code == 200


def test_cookies_are_for_https_alone_where_the_board_is(tmp_path: Path) -> None:
    town = built(tmp_path, web=Web(url="https://vigie.valmorin.example"))
    answer = log_in(town.guest(base_url="https://vigie.valmorin.example"), "director")
    assert answer.status_code == 303
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize(
    ("name", "password"),
    [("director", "x" * 12), ("personne", PASSWORD), ("", ""), ("é" * 500, "")],
)
def test_a_wrong_log_in_says_nothing_of_what_was_wrong(
    own_town: Town, name: str, password: str
) -> None:
    answer = log_in(own_town.guest(), name, password)
    assert answer.status_code == 401
    assert "Identifiant ou mot de passe inexact" in answer.text
    assert "vigie_session" not in answer.headers.get("set-cookie", "")


def test_a_name_that_nobody_has_takes_as_long(own_town: Town) -> None:
    client = own_town.guest()
    log_in(client, "personne", "une phrase fausse")  # the first one makes the stand-in
    spent: dict[str, list[float]] = {"director": [], "personne": []}
    for _ in range(4):
        for name, found in spent.items():
            began = time.process_time()
            log_in(client, name, "une phrase fausse")
            found.append(time.process_time() - began)
    known, unknown = (min(found) for found in spent.values())
    assert unknown > known / 2
    assert known > unknown / 2


def test_too_many_failures_hold_the_account_over_a_restart(own_town: Town) -> None:
    client = own_town.guest()
    for _ in range(store.MOST_OF_ACCOUNT):
        assert log_in(client, "director", "une phrase fausse").status_code == 401
    held = log_in(client, "director")
    assert (held.status_code, held.headers["retry-after"]) == (429, "900")
    now = own_town.now
    board = web.build(own_town.settings, {}, {}, now=lambda: now[0])
    again = Town(own_town.settings, hooks.app(own_town.settings, {}, board=board), now)
    assert log_in(again.guest(), "director").status_code == 429
    assert log_in(again.guest(), "analyst").status_code == 303
    now[0] = AS_OF + store.WINDOW + timedelta(seconds=1)
    assert log_in(again.guest(), "director").status_code == 303


def test_too_many_failures_hold_the_address(
    own_town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "is_right", lambda *_: False)
    client = own_town.guest()
    for n in range(store.MOST_OF_ADDRESS):
        assert log_in(client, f"nom{n}", "une phrase fausse").status_code == 401
    assert log_in(client, "director").status_code == 429


def test_many_log_ins_at_once_are_no_more_than_one_after_another(
    own_town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []

    def slow(password: str, _: str | None) -> bool:
        heard.append(password)
        time.sleep(0.5)
        return False

    monkeypatch.setattr(passwords, "is_right", slow)
    clients = [own_town.guest() for _ in range(store.MOST_OF_ACCOUNT + 6)]
    with ThreadPoolExecutor(len(clients)) as beside:
        codes = list(beside.map(lambda c: log_in(c, "director", "faux").status_code, clients))
    assert len(heard) == store.MOST_OF_ACCOUNT
    assert codes.count(429) == 6


def test_a_log_in_that_succeeds_counts_against_nobody(own_town: Town) -> None:
    home = own_town.settings.home
    asked: Any = {"address": "192.0.2.1", "at": AS_OF}
    for n in range(store.MOST_OF_ADDRESS + 5):
        assert store.may_try(home, name=f"nom{n}", **asked)
        store.note_success(home, name=f"nom{n}", **asked)
    with sqlite3.connect(home / store.FILE) as connection:
        assert connection.execute("select count(*) from failure").fetchone() == (0,)


def test_failures_are_forgotten_when_their_time_is_over(own_town: Town) -> None:
    home, later = own_town.settings.home, AS_OF + store.WINDOW
    assert store.may_try(home, name="a", address="192.0.2.1", at=AS_OF)
    store.note_success(home, name="b", address="192.0.2.2", at=later)
    with sqlite3.connect(home / store.FILE) as connection:
        assert connection.execute("select count(*) from failure").fetchone() == (0,)


def test_logging_in_again_ends_the_session_before(own_town: Town) -> None:
    client = own_town.visitor("analyst")
    kept = dict(client.cookies)
    assert log_in(client, "director").status_code == 303
    assert own_town.guest(cookies=kept).get("/board/search").status_code == 303
    assert client.get("/board/").status_code == 200


def test_only_a_trusted_proxy_says_where_somebody_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = with_proxy(tmp_path)
    monkeypatch.setattr(passwords, "is_right", lambda *_: False)
    behind, outside = (town.guest(client=(host, 1)) for host in ("10.0.0.7", "192.0.2.9"))
    for n in range(store.MOST_OF_ADDRESS):
        log_in(behind, f"nom{n}", "faux", **{"x-forwarded-for": f"1.1.1.{n}, 192.0.2.1"})
        log_in(outside, f"nom{n}", "faux", **{"x-forwarded-for": f"198.51.100.{n}"})
    told = {"x-forwarded-for": "192.0.2.2"}
    assert log_in(behind, "autre", "faux", **told).status_code == 401
    assert log_in(behind, "autre", "faux", **{"x-forwarded-for": "192.0.2.1"}).status_code == 429
    assert log_in(outside, "autre", "faux", **{"x-forwarded-for": "8.8.8.8"}).status_code == 429


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("192.0.2.7", "192.0.2.7"),
        ("", ""),
    ],
)
def test_addresses_of_one_line_count_as_one(own_town: Town, address: str, counted: str) -> None:
    scope = {"type": "http", "headers": [], "client": (address, 1)}
    desk = Desk(
        settings=own_town.settings, secrets={}, environ={}, key=b"k", now=lambda: own_town.now[0]
    )
    assert gate.address(desk, Request(scope)) == counted


def test_a_session_ends_by_idleness_by_age_and_by_logging_out(own_town: Town) -> None:
    client = own_town.visitor("director")
    board = own_town.settings.board
    for _ in range(board.session_hours):
        own_town.now[0] += timedelta(minutes=59)
        assert client.get("/board/coverage").status_code in (200, 503)
    own_town.now[0] = AS_OF + timedelta(hours=board.session_hours)
    assert client.get("/board/").status_code == 303
    idle = own_town.visitor("director")
    own_town.now[0] += timedelta(minutes=board.idle_minutes)
    assert idle.get("/board/").status_code == 303


def test_logging_out_ends_the_session_for_whoever_has_its_cookie(own_town: Town) -> None:
    client = own_town.visitor("director")
    kept = dict(client.cookies)
    given = token(client.get("/board/").text)
    answer = client.post("/board/logout", data={"csrf": given})
    assert answer.headers["location"] == "/board/login?left=1"
    thief = own_town.guest(cookies=kept)
    assert thief.get("/board/").status_code == 303


def test_a_new_password_ends_the_sessions_of_its_account(own_town: Town) -> None:
    client = own_town.visitor("director")
    home = own_town.settings.home
    store.put_account(home, "director", "director", "x", at=AS_OF, is_new=False)
    assert client.get("/board/").status_code == 303


@pytest.mark.parametrize("value", ["", "x", "x.y", "é", "A" * 5000])
def test_a_made_up_session_opens_nothing(own_town: Town, value: str) -> None:
    sent = {"cookie": f"vigie_session={value}".encode()}
    assert own_town.guest().get("/board/", headers=sent).status_code == 303


def test_a_form_from_elsewhere_does_nothing(own_town: Town) -> None:
    client = own_town.visitor("moderator")
    given = token(client.get("/board/").text)
    path = f"/board/alerts/{own_town.incident}/acknowledge"
    other = token(own_town.visitor("moderator").get("/board/").text)
    for data, headers in (
        ({"x": "y"}, {}),
        ({"csrf": "0" * 64}, {}),
        ({"csrf": other}, {}),
        ({"csrf": given}, {"origin": "https://ailleurs.example"}),
        ({"csrf": given}, {"origin": "null"}),
        ({"csrf": given}, {"sec-fetch-site": "cross-site"}),
        ({"csrf": given}, {"sec-fetch-site": "same-site"}),
    ):
        answer = client.post(path, data=data, headers=headers)
        assert answer.status_code == 403, (data, headers)
    assert (
        client.post(path, content="csrf=x", headers={"content-type": "text/plain"}).status_code
        == 400
    )
    assert client.post(path, data={"csrf": given, "x": "y" * 20_000}).status_code == 400
    assert own_town.rows("select * from incident_ack") == []
    assert client.post(path, data={"csrf": given}).status_code == 303


def test_a_log_in_form_from_elsewhere_is_refused(own_town: Town) -> None:
    client = own_town.guest()
    data = {"csrf": "0" * 64, "name": "director", "password": PASSWORD}
    assert client.post("/board/login", data=data).status_code == 403


def test_local_accounts_may_be_turned_off(own_town: Town) -> None:
    client = own_town.visitor("director")
    assert client.get("/board/").status_code == 200
    off = own_town.settings.model_copy(update={"board": Board(local_accounts=False)})
    with pytest.raises(VigieError, match="nobody could log in"):
        web.build(off, {}, {}, now=lambda: AS_OF)


def test_what_is_remembered_holds_no_password_no_token_and_no_text(own_town: Town) -> None:
    client = own_town.visitor("analyst")
    log_in(own_town.guest(), "un mot de passe mis au mauvais endroit", "autre chose")
    client.get("/board/search", params={"q": "trouble"})
    path = own_town.settings.home / store.FILE
    assert path.stat().st_mode & 0o077 == 0
    with sqlite3.connect(path) as connection:
        told = "\n".join(connection.iterdump())
    session = client.cookies["vigie_session"].partition(".")[0]
    for secret in (PASSWORD, session, "mauvais endroit", "trouble", "autre chose"):
        assert secret not in told


def test_accesses_say_who_opened_what_and_how_much(own_town: Town) -> None:
    client = own_town.visitor("analyst")
    client.get("/board/search", params={"q": "trouble"})
    client.get("/board/privacy")
    found = store.accesses(own_town.settings.home, limit=9)
    told = {(a.name, a.page, a.status, a.shown) for a in found}
    assert ("analyst", "search", 200, 25) in told
    assert ("analyst", "privacy", 403, 0) in told
    assert ("analyst", "login", 303, 0) in told


@pytest.mark.parametrize("password", ["court", "a" * 20, "x" * 201])
def test_a_password_too_plain_is_not_taken(password: str) -> None:
    with pytest.raises(VigieError):
        passwords.made(password)
