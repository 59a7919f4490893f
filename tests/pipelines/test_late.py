"""What is heard too late for its own window is told all the same, as late, and once."""

from __future__ import annotations

from datetime import datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import detect, late, notify
from pipelines.settings import Settings
from tests.pipelines.watched import AS_OF, Said, crowd, empty, quiet_history, say, settings

MINUTE = timedelta(minutes=1)
HOUR = 60 * MINUTE
TOWN = settings(Path("/nowhere"))
PAST = AS_OF - 3 * HOUR


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    made = empty()
    quiet_history(made)
    ran(made, AS_OF - 5 * MINUTE)
    return made


def ran(connection: duckdb.DuckDBPyConnection, at: datetime) -> None:
    """Note that a run ended at a moment."""
    connection.execute(
        "insert into intake (run_id, source_name, source, since_at, until_at, status,"
        " payload_count, post_count, accepted_count, rejected_count, off_subject_count,"
        " duplicate_count, deleted_count, is_capped, finished_at)"
        " values ('r', 'mastodon', 'mastodon', $at, $at, 'ok', 0, 0, 0, 0, 0, 0, 0, false, $at)",
        {"at": at},
    )


def heard(connection: duckdb.DuckDBPyConnection, said: list[Said], at: datetime) -> None:
    """Mentions that are loaded by the run that ends at `at`, whenever they were published."""
    say(connection, said)
    for each in said:
        connection.execute(
            "update mention set first_seen_at = $at where published_at = $published",
            {"at": at, "published": each.at},
        )


def threat(at: datetime) -> Said:
    return Said(
        at=at, text="Je vais tout brûler à la mairie", acts=("threat",), risk="illicit suspected"
    )


def evaluated(
    connection: duckdb.DuckDBPyConnection, at: datetime = AS_OF, town: Settings = TOWN
) -> None:
    """An evaluation as a run does it."""
    alerts = detect.detect(connection, settings=town, as_of=at)
    found = late.alerts(connection, settings=town, as_of=at)
    past = [(each.alert, each.at) for each in found]
    notify.record(connection, alerts, settings=town, as_of=at, late=past)


def mails(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str]]:
    rows = connection.execute("select reason, message from outbox order by created_at").fetchall()
    found = [(why, message_from_bytes(m, policy=policy.default)) for why, m in rows]
    return [
        (why, str(mail["Subject"]), mail.get_body(("plain",)).get_content())  # type: ignore[union-attr]
        for why, mail in found
    ]


def test_a_threat_that_is_heard_three_hours_late_is_told_as_late(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    heard(connection, [threat(PAST)], AS_OF - MINUTE)
    evaluated(connection)
    [(why, subject, text)] = mails(connection)
    assert why == "first"
    assert subject.startswith("[Vigie] CRITIQUE · Eau")
    assert "ENTENDU EN RETARD : cela s’est passé dans l’heure qui finit le 20 nov. à 08:30" in text
    assert "Je vais tout brûler" in text
    assert "de 07:30 à 08:30" in text


def test_the_same_moment_again_and_the_moments_after_tell_nothing_more(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    heard(connection, [threat(PAST)], AS_OF - MINUTE)
    tables = ("incident", "incident_event", "outbox")
    found = []
    for _ in range(2):
        evaluated(connection)
        found.append([connection.table(name).order("all").fetchall() for name in tables])
    assert found[0] == found[1]
    for minutes in (5, 10):
        ran(connection, AS_OF + (minutes - 5) * MINUTE)
        evaluated(connection, AS_OF + minutes * MINUTE)
    assert len(mails(connection)) == 1


def test_what_was_told_in_its_time_is_not_told_again_as_late(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    heard(connection, [threat(PAST - 2 * MINUTE)], PAST)
    evaluated(connection, PAST)
    assert len(mails(connection)) == 1
    heard(connection, [threat(PAST - 3 * MINUTE)], AS_OF - MINUTE)
    assert late.alerts(connection, settings=TOWN, as_of=AS_OF) == ()


def test_a_surge_that_is_heard_late_is_told_where_it_is_critical(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    heard(connection, crowd(200, until=PAST, sentiment="negative"), AS_OF - MINUTE)
    [one] = late.alerts(connection, settings=TOWN, as_of=AS_OF)
    assert (one.alert.rule_id, one.alert.severity) == ("volume_surge", "critical")
    assert PAST - 5 * MINUTE < one.at <= PAST + 5 * MINUTE


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        (crowd(3, until=PAST), AS_OF - MINUTE),  # too few to ask again
        ([threat(AS_OF - 30 * MINUTE)], AS_OF - MINUTE),  # not late: the window of now sees it
        ([threat(AS_OF - 30 * HOUR)], AS_OF - MINUTE),  # history
        ([threat(PAST)], AS_OF - 10 * MINUTE),  # the run before heard it
        ([threat(PAST)], AS_OF + MINUTE),  # not heard yet
    ],
)
def test_nothing_is_asked_again_where_nothing_came_late(
    connection: duckdb.DuckDBPyConnection, said: list[Said], seen: datetime
) -> None:
    heard(connection, said, seen)
    assert late.moments(connection, as_of=AS_OF) == []


def test_the_first_run_reads_the_past_and_tells_none_of_it() -> None:
    connection = empty()
    heard(connection, [threat(PAST)], AS_OF - MINUTE)
    assert late.moments(connection, as_of=AS_OF) == []


def test_a_late_incident_takes_its_course_and_ends(connection: duckdb.DuckDBPyConnection) -> None:
    heard(connection, [threat(PAST)], AS_OF - MINUTE)
    evaluated(connection)
    for minutes in range(5, 75, 5):
        notify.record(connection, [], settings=TOWN, as_of=AS_OF + minutes * MINUTE)
    states: list[Any] = connection.execute("select state from incident").fetchall()
    assert states == [("resolved",)]
    assert mails(connection)[-1][0] == "resolved"
