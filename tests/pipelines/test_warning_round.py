"""At 08:00 and 18:00 one letter says where the warnings stand: once, and no news twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
from pydantic import ValidationError

from pipelines import alert_actions, notify, warning_round
from pipelines.alert import Alert
from pipelines.settings import Alerts, Recipient, Settings
from tests.pipelines.test_incidents import alert
from tests.pipelines.watched import MODERATOR, empty, settings, shift

PARIS = ZoneInfo("Europe/Paris")
MINUTE = timedelta(minutes=1)
OTHER, OPERATOR = "autre@v.example", "exploitation@v.example"
DAY = datetime(2026, 11, 20, tzinfo=PARIS)  # a Friday
NOBODY: tuple[Alert, ...] = ()


def person(email: str, role: str, *gets: str) -> Recipient:
    return Recipient(name=email, email=email, role=role, gets=gets)  # type: ignore[arg-type]


def town(locale: str = "fr") -> Settings:
    """A town with one person on call, another who gets alerts too, and an operator."""
    people = (
        person(MODERATOR, "moderator", "alerts"),
        person(OTHER, "analyst", "alerts"),
        person(OPERATOR, "operator", "failures"),
    )
    made = settings(
        Path("/nowhere"),
        recipients=people,
        rota=(shift(MODERATOR, "2026-01-01", "2027-12-31"),),
    )
    who = made.institution.model_copy(update={"locale": locale})
    return made.model_copy(update={"institution": who})


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    return empty()


def lived(
    connection: duckdb.DuckDBPyConnection,
    course: Callable[[datetime], Iterable[Alert]],
    *,
    since: datetime,
    until: datetime,
    made: Settings | None = None,
) -> None:
    """What the rules say at each five minutes, by the local clock, and the rounds that fall due."""
    at, found = since.astimezone(UTC), made or town()
    while at <= until.astimezone(UTC):
        notify.record(connection, list(course(at.astimezone(PARIS))), settings=found, as_of=at)
        warning_round.record(connection, settings=found, as_of=at)
        at += 5 * MINUTE


def rounds(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str]]:
    """Local time, reader and subject of every letter of a round."""
    rows = connection.execute(
        "select created_at, recipient, message from outbox where kind = 'warnings'"
        " order by created_at, recipient"
    ).fetchall()
    return [
        (
            f"{at.astimezone(PARIS):%d %H:%M}",
            to.partition("@")[0],
            str(message_from_bytes(message, policy=policy.default)["Subject"]),
        )
        for at, to, message in rows
    ]


def texts(connection: duckdb.DuckDBPyConnection, reader: str, form: str = "plain") -> list[str]:
    rows = connection.execute(
        "select message from outbox where kind = 'warnings' and recipient = $reader"
        " order by created_at",
        {"reader": reader},
    ).fetchall()
    mails = (message_from_bytes(message, policy=policy.default) for (message,) in rows)
    return [mail.get_body((form,)).get_content() for mail in mails]  # type: ignore[union-attr]


def always(*alerts: Alert) -> Callable[[datetime], Iterable[Alert]]:
    return lambda _: alerts


def test_at_eight_and_at_eighteen_whoever_gets_alerts_reads_where_the_warnings_stand(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    def course(at: datetime) -> tuple[Alert, ...]:
        brief = (alert(subject_id="ville"),) if at.hour in (12, 13) else NOBODY
        return (alert(), *brief)

    lived(connection, course, since=DAY + 15 * MINUTE * 20, until=DAY + timedelta(hours=19))
    found = rounds(connection)
    assert [(at, who) for at, who, _ in found] == [
        ("20 08:00", "autre"),
        ("20 18:00", "astreinte"),
        ("20 18:00", "autre"),
    ]
    assert found[0][2] == "[Vigie] POINT DE 08:00 · 1 avertissement en cours · Valmorin"
    text = texts(connection, OTHER)[1]
    assert text.index("EN COURS") < text.index("Eau") < text.index("TERMINÉS DEPUIS")
    assert text.index("TERMINÉS DEPUIS") < text.index("Ville")
    assert "le 20 nov. à 12:00" in text.replace("\u202f", " ") or "20 nov. à 12:00" in text


def test_who_was_told_at_seven_of_the_night_is_not_told_again_at_eight(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    night = alert(subject_id="ville")

    def course(at: datetime) -> tuple[Alert, ...]:
        new = (alert(scope="T01", rule_id="topic_surge"),) if at.hour >= 7 and at.minute else NOBODY
        return (night, *new) if at.day == 21 or at.hour < 3 else NOBODY

    lived(connection, course, since=DAY, until=DAY + timedelta(hours=9))
    [(_, reason)] = connection.execute(
        "select recipient, reason from outbox where kind <> 'warnings'"
    ).fetchall()
    assert reason == "held_for_morning"
    assert [(at, who) for at, who, _ in rounds(connection)] == [("20 08:00", "autre")]


def test_what_is_new_is_told_and_what_a_mail_told_is_counted(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    def course(at: datetime) -> tuple[Alert, ...]:
        surge, held = alert(), alert(rule_id="negative_surge")
        return (surge, held) if at.hour >= 7 else NOBODY

    lived(connection, course, since=DAY + 6 * 60 * MINUTE, until=DAY + timedelta(hours=9))
    [told] = texts(connection, MODERATOR)
    assert "dit par une alerte plus large" in told
    assert "1 avertissement de plus : vous en avez eu un courriel depuis 06:00" in told
    assert "de plus" not in texts(connection, OTHER)[0]


def test_nothing_is_written_where_there_is_no_warning(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    lived(
        connection,
        always(alert(severity="critical")),
        since=DAY + timedelta(hours=7),
        until=DAY + timedelta(hours=9),
    )
    assert rounds(connection) == []
    assert connection.execute("select warning_count from warning_round").fetchall() == [(0,)]


def test_a_round_is_made_once_whatever_starts_again(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    lived(
        connection, always(alert()), since=DAY + timedelta(hours=5), until=DAY + timedelta(hours=8)
    )
    before = rounds(connection)
    assert len(before) == 1
    at = (DAY + timedelta(hours=8)).astimezone(UTC)
    for later in (0, 0, 5, 60, 300):
        assert warning_round.record(connection, settings=town(), as_of=at + later * MINUTE) == 0
    assert rounds(connection) == before


def test_a_round_that_broke_off_is_made_whole_by_the_next_evaluation(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    lived(
        connection,
        always(alert()),
        since=DAY + timedelta(hours=5),
        until=DAY + timedelta(hours=7, minutes=55),
    )

    def broken(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    at = (DAY + timedelta(hours=8)).astimezone(UTC)
    with monkeypatch.context() as patch:
        patch.setattr(warning_round, "enqueue", broken)
        with pytest.raises(KeyboardInterrupt):
            warning_round.record(connection, settings=town(), as_of=at)
    assert connection.table("warning_round").fetchall() == []
    assert warning_round.record(connection, settings=town(), as_of=at + 5 * MINUTE) == 1


def test_a_round_that_nothing_ran_for_is_made_within_six_hours_and_then_left(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    eight = (DAY + timedelta(hours=8)).astimezone(UTC)
    assert warning_round.due(town(), as_of=eight + timedelta(hours=5, minutes=55)) == eight
    assert warning_round.due(town(), as_of=eight + timedelta(hours=6)) is None
    assert warning_round.due(town(), as_of=eight - MINUTE) is None


@pytest.mark.parametrize("day", ["2026-10-25", "2027-03-28"])
def test_on_the_days_when_the_clocks_change_there_are_two_rounds_by_the_local_clock(
    connection: duckdb.DuckDBPyConnection, day: str
) -> None:
    start = datetime.fromisoformat(day).replace(tzinfo=PARIS)
    lived(
        connection,
        always(alert(rule_id="topic_surge", scope="T01")),
        since=start - timedelta(hours=1),
        until=start + timedelta(days=1),
    )
    times = [at for at, who, _ in rounds(connection) if who == "autre"]
    assert times == [f"{start:%d} 08:00", f"{start:%d} 18:00"]


def test_on_a_holiday_there_is_none_and_the_next_tells_of_all_since(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    christmas = datetime(2026, 12, 25, tzinfo=PARIS)

    def course(at: datetime) -> tuple[Alert, ...]:
        return (alert(),) if at.day == 25 and 9 <= at.hour < 12 else NOBODY

    lived(
        connection,
        course,
        since=christmas - timedelta(hours=7),
        until=christmas + timedelta(hours=33),
    )
    assert [(at, who) for at, who, _ in rounds(connection)] == [("26 08:00", "autre")]
    assert "25 déc. à 09:00" in texts(connection, OTHER)[0]


def test_what_flaps_is_held_silent_or_not_mailed_is_named_so(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    silent = alert(subject_id="ville")

    def course(at: datetime) -> tuple[Alert, ...]:
        minutes = at.hour * 60 + at.minute
        is_up = minutes % 100 < 20
        return (*((alert(),) if is_up else NOBODY), silent)

    nine = DAY + timedelta(hours=8, minutes=5)
    lived(connection, course, since=nine, until=nine + timedelta(minutes=30))
    [(name,)] = connection.execute(
        "select incident_id from incident where subject_id = 'ville'"
    ).fetchall()
    alert_actions.silence(
        connection,
        name,
        actor="anne",
        reason="exercice",
        until=nine + timedelta(days=1),
        at=nine + timedelta(minutes=30),
    )
    lived(connection, course, since=nine + timedelta(minutes=35), until=DAY + timedelta(hours=18))
    text = texts(connection, OTHER)[-1]
    assert "instable : pas d’autre courriel" in text
    assert "1 avertissement de plus, en sourdine ou pendant un événement prévu." in text
    assert "Ville" not in text


def test_a_source_that_is_silent_is_told_to_operators(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    silent = alert(
        rule_id="silent_source", subject_id=None, scope="mastodon", observed=240.0, expected=180.0,
        low=None, high=None, score=None,
    )  # fmt: skip
    lived(
        connection, always(silent), since=DAY + timedelta(hours=2), until=DAY + timedelta(hours=18)
    )
    assert {who for _, who, _ in rounds(connection)} == {"exploitation"}


def test_a_round_is_english_where_asked_and_escapes_names(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    made = town("en")
    subjects = tuple(s.model_copy(update={"label": hostile}) for s in made.subjects)
    made = made.model_copy(update={"subjects": subjects})
    lived(
        connection,
        always(alert()),
        since=DAY + timedelta(hours=5),
        until=DAY + timedelta(hours=8),
        made=made,
    )
    assert rounds(connection)[0][2] == "[Vigie] WARNINGS AT 08:00 · 1 warning open · Valmorin"
    [html] = texts(connection, OTHER, "html")
    assert "<img" not in html
    assert "&lt;img" in html
    assert 'lang="en"' in html


def test_a_long_round_is_cut_and_says_so(connection: duckdb.DuckDBPyConnection) -> None:
    many = [alert(subject_id=f"s{n}", rule_id="topic_surge", scope="T01") for n in range(75)]
    lived(
        connection, always(*many), since=DAY + timedelta(hours=7, minutes=30),
        until=DAY + timedelta(hours=8),
    )  # fmt: skip
    text = texts(connection, OTHER)[0]
    assert text.count("Incident ") == 60
    assert "et 15 avertissements de plus" in text


def test_times_of_rounds_are_those_of_the_day() -> None:
    assert [at.hour for at in Alerts().warnings_at] == [8, 18]
    assert Alerts(warnings_at=()).warnings_at == ()
    for wrong in ("06:59", "22:00"):
        with pytest.raises(ValidationError, match="07:00:00"):
            Alerts(warnings_at=(wrong,))  # type: ignore[arg-type]


def test_where_no_time_is_set_there_is_no_round(connection: duckdb.DuckDBPyConnection) -> None:
    made = town().model_copy(update={"alerts": Alerts(warnings_at=())})
    lived(
        connection, always(alert()), since=DAY + timedelta(hours=7),
        until=DAY + timedelta(hours=8, minutes=30), made=made,
    )  # fmt: skip
    assert rounds(connection) == []


def test_a_round_says_what_was_not_heard(connection: duckdb.DuckDBPyConnection) -> None:
    since = DAY + timedelta(hours=5)
    lived(connection, always(alert()), since=since, until=DAY + timedelta(hours=8))
    [(message,), *_] = connection.execute(
        "select message from outbox where kind = 'warnings'"
    ).fetchall()
    mail = message_from_bytes(message, policy=policy.default)
    for kind in ("plain", "html"):
        part = mail.get_body((kind,))
        assert part is not None
        assert "ce qui a été entendu" in part.get_content().lower()
