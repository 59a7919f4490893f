"""One trouble of which several rules speak: who hears of it, how often, in which thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import alert_actions, rules
from pipelines.alert import Alert
from pipelines.errors import WarehouseError
from pipelines.settings import Recipient, Settings
from tests.pipelines.test_incidents import NOON, alert, decided, incident, told as known
from tests.pipelines.test_notify import critical, mails
from tests.pipelines.test_notify_states import MINUTE, Course, lived, told
from tests.pipelines.watched import AS_OF, MODERATOR, empty, settings, shift

SURGE = critical()
DANGER = critical(rule_id="topic_surge", scope="T20", observed=12.0)
CLAIM = critical(rule_id="claim_spreads", observed=22.0)
THREAT = critical(rule_id="threat", scope="risk:illicit", observed=1.0)


def _person(name: str, role: Any, *gets: Any) -> Recipient:
    return Recipient(name=name, email=f"{name}@valmorin.example", role=role, gets=gets)


@pytest.fixture
def town() -> Settings:
    """A town with somebody on call and a head."""
    people = (_person("astreinte", "moderator", "alerts"), _person("direction", "director"))
    rota = (shift(MODERATOR, "2026-01-01", "2027-12-31"),)
    return settings(Path("/nowhere"), recipients=people, rota=rota)


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    return empty()


def since(**starts: tuple[int, Alert]) -> Course:
    """What the rules say where each alert begins at its minute and lasts."""
    return lambda minute: [alert for start, alert in starts.values() if minute >= start]


def _taken(connection: duckdb.DuckDBPyConnection) -> Callable[[datetime], object]:
    def act(at: datetime) -> None:
        for (name,) in connection.execute("select incident_id from incident").fetchall():
            alert_actions.acknowledge(connection, name, actor="Claire", at=at)

    return act


def _beside(connection: duckdb.DuckDBPyConnection) -> list[tuple[int, list[str]]]:
    """Minute of each mail, and the rules of which it tells beside its first."""
    rows = connection.execute(
        "select outbox.created_at, list(incident.rule_id order by incident.rule_id)"
        " from outbox left join outbox_incident using (outbox_key)"
        " left join incident on incident.incident_id = outbox_incident.incident_id"
        " group by all order by outbox.created_at"
    ).fetchall()
    return [(int((at - AS_OF) / MINUTE), [r for r in some if r]) for at, some in rows]


def test_a_crisis_that_many_rules_see_is_one_page_one_escalation_one_reminder_and_one_end(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    course = since(surge=(0, SURGE), danger=(0, DANGER), claim=(60, CLAIM), more=(90, SURGE))
    lived(connection, town, lambda m: course(m) if m < 300 else [], until=400)
    assert told(connection) == [
        (0, "first", "astreinte"),
        (30, "escalation", "direction"),
        (240, "repeat", "astreinte"),
        (355, "resolved", "astreinte"),
    ]
    whole = ["claim_spreads", "volume_surge"]
    assert [beside for _, beside in _beside(connection)] == [
        ["volume_surge"],
        ["volume_surge"],
        whole,
        whole,
    ]
    (_, opening), *rest = mails(connection)
    assert {mail["References"] for kind, mail in rest if kind != "escalation"} == {
        opening["Message-ID"]
    }


def test_a_danger_is_told_at_once_though_the_surge_was_told_five_minutes_ago(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    lived(connection, town, since(surge=(0, SURGE), danger=(5, DANGER)), until=10)
    assert told(connection) == [(0, "first", "astreinte"), (5, "first", "astreinte")]
    assert _beside(connection)[1] == (5, ["volume_surge"])
    (_, opening), (_, second) = mails(connection)
    assert second["References"] == opening["Message-ID"]
    assert "Crise et sécurité civile" in second["Subject"]


def test_a_threat_is_told_at_once_whatever_was_told_and_escalates_by_itself(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    course = since(surge=(0, SURGE), danger=(0, DANGER), threat=(40, THREAT))
    lived(connection, town, course, until=80)
    assert told(connection) == [
        (0, "first", "astreinte"),
        (30, "escalation", "direction"),
        (40, "first", "astreinte"),
        (70, "escalation", "direction"),
    ]


def test_what_went_along_is_no_page_when_the_alert_that_told_it_is_over(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    def course(minute: int) -> list[Alert]:
        found = [DANGER] if minute < 40 else []
        return found + ([CLAIM] if 20 <= minute < 150 else [])

    lived(connection, town, course, until=300)
    assert told(connection) == [
        (0, "first", "astreinte"),
        (30, "escalation", "direction"),
        (205, "resolved", "astreinte"),
    ]
    assert _beside(connection)[-1] == (205, ["claim_spreads"])


def test_a_threat_speaks_for_nothing_else(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    lived(connection, town, since(threat=(0, THREAT), surge=(20, SURGE)), until=20)
    assert told(connection) == [(0, "first", "astreinte"), (20, "first", "astreinte")]


def test_another_subject_has_a_page_and_a_thread_of_its_own(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    elsewhere = critical(subject_id="ville")
    lived(connection, town, since(surge=(0, SURGE), other=(20, elsewhere)), until=20)
    assert told(connection) == [(0, "first", "astreinte"), (20, "first", "astreinte")]
    assert mails(connection)[1][1]["References"] is None


def test_what_somebody_has_in_hand_speaks_for_the_time_of_a_reminder(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    course = since(danger=(0, DANGER), claim=(60, CLAIM))
    lived(connection, town, course, until=280, acts={5: _taken(connection)})
    assert told(connection) == [
        (0, "first", "astreinte"),
        (240, "first", "astreinte"),
        (270, "escalation", "direction"),
    ]


def test_what_is_silenced_speaks_for_nothing(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    def hushed(at: datetime) -> None:
        [(name,)] = connection.execute("select incident_id from incident").fetchall()
        given: dict[str, Any] = {"actor": "Claire", "reason": "connu", "at": at}
        alert_actions.silence(connection, name, until=at + timedelta(hours=6), **given)

    course = since(danger=(0, DANGER), claim=(60, CLAIM))
    lived(connection, town, course, until=60, acts={5: hushed})
    assert told(connection) == [(0, "first", "astreinte"), (60, "first", "astreinte")]


def test_what_goes_along_need_not_be_told_again_until_it_has_doubled_since(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    def course(minute: int) -> list[Alert]:
        danger = replace(DANGER, observed=12.0 if minute < 60 else 30.0)
        surge = replace(SURGE, observed=40.0 if minute < 60 else 70.0 if minute < 120 else 90.0)
        return [surge, danger]

    lived(connection, town, course, until=180)
    at = [(minute, why) for minute, why, _ in told(connection)]
    assert at == [(0, "first"), (30, "escalation"), (60, "volume_doubled")]


def test_an_end_waits_for_what_goes_on_and_six_hours_at_most(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    def course(minute: int) -> list[Alert]:
        return [SURGE, DANGER] if minute < 20 else [SURGE]

    lived(connection, town, course, until=480, acts={5: _taken(connection)})
    assert told(connection) == [(0, "first", "astreinte"), (435, "resolved", "astreinte")]


def test_a_replay_that_stops_earlier_sends_the_same_mails_up_to_then(town: Settings) -> None:
    def replayed(until: int) -> list[tuple[Any, ...]]:
        connection = empty()
        course = since(surge=(0, SURGE), danger=(20, DANGER), claim=(60, CLAIM), x=(90, THREAT))
        lived(connection, town, lambda m: course(m) if m < 300 else [], until=until)
        lived(connection, town, lambda m: course(m) if m < 300 else [], until=until, first=until)
        return connection.execute(
            "select created_at, outbox_key, message from outbox order by created_at, outbox_key"
        ).fetchall()

    whole = replayed(400)
    for until in (60, 240, 360):
        assert replayed(until) == [row for row in whole if row[0] <= AS_OF + until * MINUTE]


@pytest.mark.parametrize(
    ("last", "now", "hours", "reason"),
    [
        (None, incident(severity="critical"), 1, "told_beside"),
        (known(), incident(severity="critical"), 1, "told_beside"),
        (known(kind="resolved"), incident(severity="critical"), 1, "told_beside"),
        (known(), incident(peak=alert(observed=90.0)), 1, "told_beside"),
        (None, incident(), 1, "first"),
    ],
)
def test_what_another_critical_alert_of_the_subject_tells_has_no_mail_of_its_own(
    last: Any, now: Any, hours: float, reason: str
) -> None:
    assert decided(last, now, hours=hours, is_spoken_for=True).reason == reason


def test_an_end_is_told_with_that_of_the_others() -> None:
    ended = incident(state="resolved", resolved_at=NOON)
    assert decided(known(), ended, hours=1, is_others_open=True).reason == "others_open"
    assert decided(known(), ended, hours=6, is_others_open=True).reason == "resolved"


def test_a_rule_that_brings_something_unheard_of_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from pipelines import warehouse

    text = warehouse.sql("alerts/threat").replace("-- Brings: threat", "-- Brings: joy")
    monkeypatch.setattr(warehouse, "sql", lambda _name: text)
    with pytest.raises(WarehouseError, match="write danger, threat"):
        rules.read("threat")
