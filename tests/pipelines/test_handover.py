"""At a change of shift, whoever comes hears once what is open; calm is not told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import alert_actions, handover, notify
from pipelines.settings import Recipient, Settings
from tests.pipelines.test_incidents import alert
from tests.pipelines.watched import empty, settings, shift

ANNE = Recipient(name="Anne", email="anne@v.example", role="moderator", gets=("alerts",))
BASILE = Recipient(name="Basile", email="basile@v.example", role="moderator", gets=("alerts",))
MIDNIGHT = datetime(2026, 11, 19, 23, tzinfo=UTC)  # in Paris, the 20th begins
BEFORE, AFTER = MIDNIGHT - timedelta(minutes=2), MIDNIGHT + timedelta(minutes=3)
ROTA = (
    shift(ANNE.email, "2026-11-19", "2026-11-19"),
    shift(BASILE.email, "2026-11-20", "2026-11-20"),
)


def town(**changes: Any) -> Settings:
    values: dict[str, Any] = {"recipients": (ANNE, BASILE), "rota": ROTA}
    return settings(Path("/nowhere"), **(values | changes))


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    made = empty()
    notify.record(made, [alert(1.5, severity="critical")], settings=town(), as_of=BEFORE)
    made.execute("delete from outbox")
    return made


def letters(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str]]:
    rows = connection.execute("select recipient, message from outbox order by recipient").fetchall()
    mails = [(who, message_from_bytes(message, policy=policy.default)) for who, message in rows]
    return [
        (who, str(mail["Subject"]), mail.get_body(("plain",)).get_content())  # type: ignore[union-attr]
        for who, mail in mails
    ]


def test_whoever_comes_hears_once_what_is_open(connection: duckdb.DuckDBPyConnection) -> None:
    counts = [handover.record(connection, settings=town(), as_of=AFTER) for _ in range(2)]
    assert counts == [1, 0]
    [(who, subject, text)] = letters(connection)
    assert who == BASILE.email
    assert subject == "[Vigie] RELÈVE · 1 alerte ouverte · Valmorin"
    assert "1. CRITIQUE · Eau" in text
    assert "personne ne s’en occupe" in text
    assert "L’astreinte précédente : Anne." in text


def test_who_has_it_in_hand_is_told(connection: duckdb.DuckDBPyConnection) -> None:
    [(incident_id,)] = connection.execute("select incident_id from incident").fetchall()
    alert_actions.acknowledge(connection, incident_id, actor="anne@v.example", at=BEFORE)
    handover.record(connection, settings=town(), as_of=AFTER)
    assert "prise en charge par anne@v.example" in letters(connection)[0][2]
    alert_actions.silence(
        connection,
        incident_id,
        actor="anne@v.example",
        reason="exercice",
        until=AFTER + timedelta(hours=2),
        at=BEFORE,
    )
    connection.execute("delete from outbox")
    handover.record(connection, settings=town(), as_of=AFTER)
    assert "en sourdine jusqu’au" in letters(connection)[0][2]


def test_nothing_open_or_nobody_new_is_not_told(connection: duckdb.DuckDBPyConnection) -> None:
    later = AFTER + timedelta(hours=3)
    assert handover.record(connection, settings=town(), as_of=later) == 0
    same = (shift(ANNE.email, "2026-11-19", "2026-11-20"),)
    assert handover.record(connection, settings=town(rota=same), as_of=AFTER) == 0
    connection.execute("update incident set state = 'resolved'")
    assert handover.record(connection, settings=town(), as_of=AFTER) == 0


def test_a_shift_that_nobody_takes_over_is_told_to_all_and_loudly(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    made = town(rota=ROTA[:1])
    assert handover.record(connection, settings=made, as_of=AFTER) == 2
    found = letters(connection)
    assert [who for who, *_ in found] == [ANNE.email, BASILE.email]
    assert "PERSONNE ne prend la suite" in found[0][2]
