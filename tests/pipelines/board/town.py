"""A town's board with everything to see: a digest, alerts, a published file, one account a role."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from pipelines import (
    digest as digests,
    hooks,
    labelling,
    labels,
    notify,
    publish,
    warehouse,
    words,
)
from pipelines.board import passwords, store, web
from pipelines.board.access import ROLES, Role
from pipelines.settings import Board, Settings
from tests.pipelines.staged import prepared
from tests.pipelines.test_incidents import alert
from tests.pipelines.watched import AS_OF, Said, counted, say, settings

PASSWORD = "une phrase à garder pour soi"
HOUR = timedelta(hours=1)


@cache
def hashed() -> str:
    """The hash of the one password of every test, which takes a moment to make."""
    return passwords.made(PASSWORD)


@dataclass
class Town:
    """The town, its application, and its clock."""

    settings: Settings
    app: Any
    now: list[datetime] = field(default_factory=lambda: [AS_OF])

    def rows(self, query: str) -> list[Any]:
        with warehouse.opened(self.settings.home) as connection:
            return connection.execute(query).fetchall()

    @property
    def incident(self) -> str:
        return str(self.rows("select incident_id from incident order by opened_at")[0][0])

    @property
    def task(self) -> str:
        """A drawn message that nobody has judged."""
        asked = "select task_id from label_task where task_id not in (select task_id from label)"
        return str(self.rows(f"{asked} order by task_id")[0][0])

    @property
    def dispute(self) -> str:
        """A drawn message on which two people differ."""
        return str(self.rows("select task_id from label order by task_id")[0][0])

    def guest(self, **given: Any) -> TestClient:
        """A browser that nobody has logged in with."""
        return TestClient(self.app, follow_redirects=False, **given)

    def visitor(self, role: Role) -> TestClient:
        """A browser in which somebody of a role has logged in."""
        client = self.guest()
        answer = log_in(client, role)
        assert answer.status_code == 303, answer.text
        return client


def log_in(client: TestClient, name: str, password: str = PASSWORD, **headers: str) -> Any:
    """What the gate answers to a name and password, from its own form."""
    data = {"csrf": token(client.get("/board/login").text), "name": name, "password": password}
    return client.post("/board/login", data=data, headers=headers)


def token(html: str) -> str:
    """What the forms of a page carry."""
    found = re.search(r'name="csrf" value="(\w+)"', html)
    assert found is not None
    return found[1]


def built(home: Path, said: list[Said] | None = None, **changes: Any) -> Town:
    """The town with its board; see `filled`."""
    filled(home, said, **changes)
    return opened(home, **changes)


def filled(home: Path, said: list[Said] | None = None, **changes: Any) -> None:
    """The home of the town with two open alerts, a digest of yesterday, its published file, and
    messages to label, on one of which two people differ. Takes two seconds; a copy takes none.
    """
    made = settings(home, **changes)
    prepared(made)
    texts = said if said is not None else spoken()
    with warehouse.opened(home) as connection:
        say(connection, texts)
        fill_words(connection)
        counted(connection)
        shown = tuple(r[0] for r in connection.execute("from mention limit 3").fetchall())
        told = [
            alert(1.5, severity="critical", message_ids=shown),
            alert(1.2, rule_id="negative_surge", scope="T09", message_ids=shown),
        ]
        notify.record(connection, told, settings=made, as_of=AS_OF)
        day = (AS_OF - timedelta(days=1)).date()
        page = digests.build(connection, settings=made, day=day, as_of=AS_OF)
        letter = digests.render(page, locale="fr")
        digests.save(home, page, letter, locale="fr")
    draw(home)
    publish.publish(home, made_at=AS_OF)
    for role in ROLES:
        store.put_account(home, role, role, hashed(), at=AS_OF)


def opened(home: Path, **changes: Any) -> Town:
    """The board over a home that is filled."""
    made, now = settings(home, **changes), [AS_OF]
    board = web.build(made, {}, {}, now=lambda: now[0])
    return Town(made, hooks.app(made, {}, now=lambda: now[0], board=board), now)


def draw(home: Path) -> None:
    """Messages to label, and a disagreement on one of them."""
    day = AS_OF.date()
    opening = partial(_opened, home)
    labelling.draw(opening, day=day, as_of=AS_OF, by="analyst")
    with warehouse.opened(home) as connection:
        [(task,)] = connection.execute(
            "select task_id from label_task where wanted_count = 2 order by task_id limit 1"
        ).fetchall()
        for who, tone in (("Ada", "negative"), ("Bo", "neutral")):
            answer = labels.Answer(tone=tone, topics=("T10",))
            labels.save(connection, task, answer, labeller=who, at=AS_OF)


def _opened(home: Path, is_read: bool) -> Any:
    return warehouse.opened(home, read_only=is_read)


def fill_words(connection: Any) -> None:
    """The tokens of each text, as a load would have stored them."""
    rows = connection.execute("select mention_id, title, text from mention").fetchall()
    for name, title, text in rows:
        found = words.read(text, title=title).stored
        connection.execute("update mention set words = ? where mention_id = ?", [found, name])


def spoken(count: int = 60) -> list[Said]:
    """Two days of messages on water, half of them negative, by as many people."""
    return [
        Said(
            at=AS_OF - HOUR * (n * 0.8 + 0.1),
            text=f"Coupure d'eau rue {n}, l'eau est trouble depuis hier",
            author=f"{n:064x}",
            sentiment="negative" if n % 2 else "neutral",
            topics=("T09",) if n % 3 else ("T01",),
            url="https://gazette.example/eau" if n % 5 == 0 else "https://m.example/@quidam/1",
            network="press" if n % 5 == 0 else "mastodon",
        )
        for n in range(count)
    ]


def with_proxy(home: Path) -> Town:
    """The town behind a proxy that it trusts."""
    return built(home, board=Board(trusted_proxies=("10.0.0.0/8",)))


TOML = """
[institution]
id = "valmorin"
name = "Valmorin"
kind = "commune"
legal_basis = "délibération 2026-1"

[[subjects]]
id = "eau"
label = "Eau"
purpose = "répondre aux habitants sur l'eau"
names = ["Valmorin"]
"""
