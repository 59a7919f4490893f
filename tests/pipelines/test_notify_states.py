"""Silences, acknowledgements, escalation, planned events, sources unread, clocks: who hears."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import alert_actions, detect, handover, notify, rule_cases
from pipelines.alert import Alert
from pipelines.settings import Channel, Event, Recipient, Settings
from tests.pipelines.test_incidents import alert
from tests.pipelines.test_notify import critical, kinds, mails
from tests.pipelines.watched import AS_OF, MODERATOR, empty, settings, shift

MINUTE = timedelta(minutes=1)
HOUR = 60 * MINUTE
SECOND, HEAD = "second@valmorin.example", "direction@valmorin.example"


def person(email: str, role: Any, *gets: Any) -> Recipient:
    return Recipient(name=email, email=email, role=role, gets=gets)


@pytest.fixture
def town() -> Settings:
    """A town with somebody on call, a second and a head of communication."""
    people = (
        person(MODERATOR, "moderator", "alerts"),
        person(SECOND, "moderator", "alerts"),
        person(HEAD, "director", "digest"),
        person("exploitation@valmorin.example", "operator", "failures"),
    )
    rota = (shift(MODERATOR, "2026-01-01", "2027-12-31"),)
    return settings(Path("/nowhere"), recipients=people, rota=rota)


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    return empty()


Course = Callable[[int], Iterable[Alert]]


def lived(
    connection: duckdb.DuckDBPyConnection,
    town: Settings,
    course: Course,
    *,
    since: datetime = AS_OF,
    until: int,
    first: int = 0,
    acts: Mapping[int, Callable[[datetime], object]] | None = None,
) -> None:
    """Evaluate every five minutes what the rules say at each; people act after an evaluation."""
    for minute in range(first, until + 1, 5):
        at = since + minute * MINUTE
        notify.record(connection, list(course(minute)), settings=town, as_of=at)
        if acts and minute in acts:
            acts[minute](at)


def told(
    connection: duckdb.DuckDBPyConnection, since: datetime = AS_OF
) -> list[tuple[int, str, str]]:
    """Minute, reason and first word of the reader of every mail."""
    rows = connection.execute(
        "select created_at, reason, recipient from outbox order by created_at, recipient"
    ).fetchall()
    return [(int((at - since) / MINUTE), why, to.partition("@")[0]) for at, why, to in rows]


def only(connection: duckdb.DuckDBPyConnection) -> str:
    [(name,)] = connection.execute("select distinct incident_id from incident").fetchall()
    return str(name)


def logged(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    return connection.execute(
        "select state_to, actor from incident_event order by changed_at, state_to"
    ).fetchall()


def always(*alerts: Alert) -> Course:
    return lambda _: alerts


def acked(connection: duckdb.DuckDBPyConnection) -> Callable[[datetime], object]:
    return lambda at: alert_actions.acknowledge(
        connection, only(connection), actor="Claire", at=at + MINUTE
    )


def silenced(connection: duckdb.DuckDBPyConnection, hours: float) -> Callable[[datetime], object]:
    return lambda at: alert_actions.silence(
        connection,
        only(connection),
        actor="Claire",
        reason="travaux annoncés",
        until=at + hours * HOUR,
        at=at,
    )


# --- escalation and acknowledgement


def test_a_critical_alert_that_nobody_takes_goes_to_the_second_and_to_the_head(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    lived(connection, town, always(critical()), until=120)
    assert told(connection) == [
        (0, "first", "astreinte"),
        (15, "escalation", "second"),
        (30, "escalation", "direction"),
    ]
    _, *rest = [mail for _, mail in mails(connection)]
    assert "SANS RÉPONSE" in rest[0]["Subject"]
    assert all(mail["References"] for mail in rest)


@pytest.mark.parametrize(("minute", "count"), [(0, 1), (10, 1), (15, 2), (25, 2), (30, 3)])
def test_an_escalation_stops_when_somebody_has_it_in_hand(
    connection: duckdb.DuckDBPyConnection, town: Settings, minute: int, count: int
) -> None:
    lived(connection, town, always(critical()), until=200, acts={minute: acked(connection)})
    assert len(told(connection)) == count


def test_rules_that_ran_late_tell_the_second_and_the_head_at_once(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    for minute in (0, 40, 45):
        at = AS_OF + minute * MINUTE
        notify.record(connection, [critical()], settings=town, as_of=at)
    assert told(connection)[1:] == [(40, "escalation", "direction"), (40, "escalation", "second")]


def test_nobody_beside_who_is_on_call_is_told_of_a_warning(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    lived(connection, town, always(alert()), until=120)
    assert told(connection) == [(10, "first", "astreinte")]


def test_an_incident_that_is_over_escalates_no_more(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    lived(connection, town, lambda m: [critical()] if m < 5 else [], until=200)
    reasons = [why for _, why, _ in told(connection)]
    assert reasons == ["first", "escalation", "escalation", "resolved"]


def test_without_a_second_the_head_is_told_at_half_an_hour(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    people = tuple(r for r in town.recipients if r.email != SECOND)
    alone = town.model_copy(update={"recipients": people})
    lived(connection, alone, always(critical()), until=60)
    assert told(connection)[1:] == [(30, "escalation", "direction")]


def test_reminders_end_with_an_acknowledgement_and_begin_again_when_it_gets_worse(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    def course(minute: int) -> list[Alert]:
        return [alert() if minute < 16 * 60 else critical()]

    start = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
    acts = {30: acked(connection)}
    lived(connection, town, course, since=start, until=16 * 60 + 15, acts=acts)
    reasons = [why for _, why, _ in told(connection, start)]
    assert reasons == ["first", "severity_up", "escalation"]
    assert ("unacked", "rule") in logged(connection)


def test_what_begins_anew_has_to_be_taken_in_hand_anew(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    def course(minute: int) -> list[Alert]:
        return [] if 10 <= minute < 90 else [critical()]

    lived(connection, town, course, until=110, acts={0: acked(connection)})
    reasons = [why for _, why, _ in told(connection)]
    assert reasons == ["first", "resolved", "back_again", "escalation"]


# --- silences and planned events


def test_a_silence_holds_mails_and_not_the_record(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    acts = {0: silenced(connection, 2)}
    lived(connection, town, always(critical()), until=110, acts=acts)
    assert told(connection) == [(0, "first", "astreinte")]
    assert connection.execute("select state from incident").fetchall() == [("firing",)]


def test_what_still_fires_when_a_silence_ends_is_told_and_escalates(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    def course(minute: int) -> list[Alert]:
        return [alert() if minute < 30 else critical()]

    acts = {0: silenced(connection, 1)}
    lived(connection, town, course, until=80, acts=acts)
    assert told(connection) == [(60, "first", "astreinte"), (75, "escalation", "second")]
    assert ("not_silenced", "rule") in logged(connection)


def test_what_came_and_went_under_a_silence_is_not_told(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    acts = {0: silenced(connection, 4)}
    lived(connection, town, lambda m: [alert()] if m < 60 else [], until=400, acts=acts)
    assert told(connection) == []


def _planned(town: Settings, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "label": "Soirée électorale",
        "start": datetime(2026, 11, 20, 11, 0),  # noqa: DTZ001 - the institution's clock
        "end": datetime(2026, 11, 20, 14, 0),  # noqa: DTZ001
    }
    return town.model_copy(update={"events": (Event(**(values | changes)),)})


def test_a_planned_event_holds_the_mails_of_its_subjects_and_is_in_the_log(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    planned = _planned(town, subjects=("eau",))
    both = always(critical(), critical(subject_id="ville"))
    lived(connection, planned, both, until=10)
    [(_, mail)] = mails(connection)
    assert "Ville" in mail["Subject"]
    lines = connection.execute(
        "select actor, reason from incident_event where state_to = 'planned'"
    ).fetchall()
    assert lines == [("vigie.toml", "Soirée électorale")]


def test_after_a_planned_event_what_goes_on_is_told(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    lived(connection, _planned(town), always(critical()), until=160)
    assert told(connection) == [(155, "first", "astreinte")]


def test_a_danger_to_people_is_told_during_a_planned_event(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    crisis = critical(rule_id="topic_surge", scope="T20")
    lived(connection, _planned(town), always(critical(), crisis), until=0)
    [(_, mail)] = mails(connection)
    assert "Crise" in mail["Subject"]


def test_a_source_that_stops_is_told_during_a_planned_event(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    lived(connection, _planned(town), always(_silent()), until=10)
    assert told(connection) == [(10, "first", "exploitation")]


# --- sources that are not read


def _silent() -> Alert:
    return alert(rule_id="silent_source", subject_id=None, scope="mastodon", score=None)


def _fewer() -> Alert:
    return alert(rule_id="source_drop", subject_id=None, scope="mastodon", score=None)


def _reads(
    connection: duckdb.DuckDBPyConnection, at: datetime, *, status: str = "ok", capped: bool = False
) -> None:
    """The source mastodon is read at `at`, well or not; it is the only one that brings anything."""
    connection.execute("delete from source_block; delete from source_hour")
    connection.execute("insert into source_block values ('mastodon', 'mastodon', 5, 180)")
    connection.execute(
        "insert into intake (run_id, source_name, source, since_at, until_at, status,"
        " payload_count, post_count, accepted_count, rejected_count, off_subject_count,"
        " duplicate_count, deleted_count, is_capped, finished_at) values"
        " ('r', 'mastodon', 'mastodon', $at - interval 5 minutes, $at, $status, 0, 0, 0, 0, 0, 0,"
        " 0, $capped, $at)",
        {"at": at, "status": status, "capped": capped},
    )
    connection.execute(
        "insert into source_hour select 'mastodon', 'mastodon', $at - interval 30 hours, 3600,"
        " 3600, 0, 0, 12, 0, 0, 0, 100, 0, 100, 1, 1",
        {"at": at},
    )


def test_no_data_is_not_calm(connection: duckdb.DuckDBPyConnection, town: Settings) -> None:
    """The source stops after half an hour: nothing is said to be over until it is read again."""
    for minute in range(0, 301, 5):
        at = AS_OF + minute * MINUTE
        is_read = minute < 30 or minute >= 200
        _reads(connection, at, status="ok" if is_read else "failed")
        found = [critical()] if minute < 30 else []
        notify.record(connection, found, settings=town, as_of=at)
    ended = [minute for minute, why, _ in told(connection) if why == "resolved"]
    assert ended == [255]  # an hour after the last moment at which it was not read
    states = [state for state, _ in logged(connection)]
    assert "no_data" in states
    assert "not_no_data" in states


@pytest.mark.parametrize(
    ("status", "capped", "count"), [("ok", False, 1), ("failed", False, 0), ("ok", True, 0)]
)
def test_that_a_source_brings_less_is_not_told_while_it_is_late_or_cut_short(
    connection: duckdb.DuckDBPyConnection, town: Settings, status: str, capped: bool, count: int
) -> None:
    _reads(connection, AS_OF - HOUR)
    for minute in range(0, 31, 5):
        at = AS_OF + minute * MINUTE
        _reads(connection, at, status=status, capped=capped)
        notify.record(connection, [_fewer()], settings=town, as_of=at)
    assert len(told(connection)) == count
    assert ("inhibited" in [state for state, _ in logged(connection)]) == (count == 0)


def test_an_alert_without_a_baseline_says_so_beside_its_state(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    lived(connection, town, always(critical(is_warming_up=True)), until=0)
    assert ("warming_up", "rule") in logged(connection)


# --- groups


def test_what_begins_while_readers_stay_connected_waits_for_its_like(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    """Live runs every ten seconds: the letter leaves half a minute after the first."""
    connection.execute("insert into source_block values ('mastodon', 'mastodon', 5, 180)")
    for second in range(0, 61, 10):
        at = AS_OF + timedelta(seconds=second)
        _reads(connection, at - timedelta(seconds=10))
        found = [critical()] if second < 20 else [critical(), critical(subject_id="ville")]
        notify.record(connection, found, settings=town, as_of=at)
    [(at, _, _)] = {(a, b, c) for a, b, c in _sent(connection)}
    assert at == AS_OF + timedelta(seconds=30)
    [(_, mail)] = mails(connection)
    assert "(+1 alerte)" in mail["Subject"]


def _sent(connection: duckdb.DuckDBPyConnection) -> list[tuple[datetime, str, str]]:
    return connection.execute("select created_at, reason, recipient from outbox").fetchall()


def test_who_had_too_many_mails_gets_the_rest_when_there_is_room(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    pair = (MODERATOR, SECOND)
    rota = tuple(shift(email, "2026-11-20", "2026-11-20") for email in pair)
    two = town.model_copy(update={"rota": rota})
    for n in range(6):
        connection.execute(
            "insert into outbox values (?, 'other', 'update', 'x', 'email', ?, 'm', 'x', ?, 0, ?,"
            " ?, null, null)",
            [f"k{n}", MODERATOR, AS_OF - 30 * MINUTE - timedelta(seconds=n), AS_OF, AS_OF],
        )
    lived(connection, two, always(alert()), until=60)
    found = [each for each in told(connection) if each[1] != "x"]
    assert found == [(10, "first", "second"), (30, "rest", "astreinte")]


# --- clocks


@pytest.mark.parametrize(
    "night",
    [datetime(2027, 3, 27, 21, 30, tzinfo=UTC), datetime(2026, 10, 24, 20, 30, tzinfo=UTC)],
)
def test_a_warning_of_the_night_in_which_clocks_change_is_told_at_seven(
    connection: duckdb.DuckDBPyConnection, town: Settings, night: datetime
) -> None:
    lived(connection, town, always(alert()), since=night, until=12 * 60)
    [(at, reason, _), *_] = _sent(connection)
    local = at.astimezone(town.institution.zone)
    assert (reason, local.hour, local.minute) == ("first", 7, 0)


@pytest.mark.parametrize(
    ("night", "hours"),
    [
        (datetime(2027, 3, 27, 22, 0, tzinfo=UTC), 4),
        (datetime(2026, 10, 24, 22, 0, tzinfo=UTC), 4),
        (datetime(2026, 11, 21, 22, 0, tzinfo=UTC), 4),
    ],
)
def test_a_reminder_comes_after_hours_that_passed_not_after_hours_of_the_clock(
    connection: duckdb.DuckDBPyConnection, town: Settings, night: datetime, hours: int
) -> None:
    lived(connection, town, always(critical()), since=night, until=5 * 60)
    repeats = [at for at, why, _ in _sent(connection) if why == "repeat"]
    assert repeats == [night + hours * HOUR]


def test_a_warning_that_came_and_went_on_a_holiday_is_told_the_morning_after(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    """8 and 9 May 2024: two holidays running; the morning is that of the tenth."""
    start = datetime(2024, 5, 7, 21, 0, tzinfo=UTC)
    two = town.model_copy(update={"rota": ()})
    lived(connection, two, lambda m: [alert()] if m < 60 else [], since=start, until=57 * 60)
    moments = {at.astimezone(town.institution.zone) for at, _, _ in _sent(connection)}
    [at] = moments
    assert (at.day, at.hour, at.minute) == (10, 7, 0)
    assert set(kinds(connection)) == {"night"}


# --- flapping


def test_what_flaps_is_told_once_more_and_then_not_until_it_has_been_calm_for_twelve_hours(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    def course(minute: int) -> list[Alert]:
        is_up = minute % 80 < 10 if minute < 480 else minute in (480 + 8 * 60, 480 + 22 * 60)
        return [critical()] if is_up else []

    acts = {minute: acked(connection) for minute in range(0, 480, 80)}
    lived(connection, town, course, until=480 + 22 * 60 + 30, acts=acts)
    reasons = [(m, why) for m, why, _ in told(connection) if why != "escalation"]
    assert reasons[-2:] == [(320, "unstable"), (480 + 22 * 60, "first")]


def test_what_flaps_and_becomes_critical_is_told(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    def course(minute: int) -> list[Alert]:
        if minute >= 600:
            return [critical()]
        return [alert()] if minute % 80 < 15 else []

    start = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
    lived(connection, town, course, since=start, until=600)
    reasons = [why for _, why, _ in told(connection, start)]
    assert reasons[-2:] == ["unstable", "severity_up"]


# --- a replay that stops earlier


def _replayed(town: Settings, until: int) -> list[tuple[Any, ...]]:
    """Every mail of a day in which much happens and people act, up to a minute."""
    connection = empty()

    def course(minute: int) -> list[Alert]:
        hour = minute // 60
        found = [critical()] if hour in (1, 2, 9) else []
        found += [alert(subject_id="ville")] if hour in (2, 3, 4, 11, 12, 22) else []
        found += [alert(rule_id="topic_surge", scope="T09")] if minute % 90 < 20 else []
        return found + ([_silent()] if hour in (5, 6) else [])

    def hushed(at: datetime) -> None:
        for (name,) in connection.execute(
            "select incident_id from incident where scope = 'T09'"
        ).fetchall():
            given: dict[str, Any] = {"actor": "Claire", "reason": "connu", "at": at}
            alert_actions.silence(connection, name, until=at + 3 * HOUR, **given)

    def taken(at: datetime) -> None:
        for (name,) in connection.execute(
            "select incident_id from incident where severity = 'critical'"
        ).fetchall():
            alert_actions.acknowledge(connection, name, actor="Claire", at=at)

    acts = {80: taken, 200: hushed, 560: taken}
    lived(connection, town, course, until=until, acts=acts)
    return connection.execute(
        "select created_at, outbox_key, reason, recipient, message_id, message from outbox"
        " order by created_at, outbox_key"
    ).fetchall()


def test_a_day_replayed_to_an_hour_and_to_its_end_gives_the_same_mails_until_then(
    town: Settings,
) -> None:
    whole = _replayed(town, 24 * 60)
    assert len({reason for _, _, reason, *_ in whole}) >= 5
    for hour in (2, 5, 12):
        until = AS_OF + hour * HOUR
        assert _replayed(town, hour * 60) == [row for row in whole if row[0] <= until]


def test_what_goes_by_a_chat_or_to_a_telephone_counts_for_whoever_reads_it(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    """Six letters an hour about warnings, however they come; by two ways at once one is one."""
    phone = Channel(name="portable", kind="sms", address_env="VIGIE_PORTABLE")
    ways: list[tuple[str, ...]] = [("portable",), ("email", "portable")]
    for channels in ways:
        made = town.model_copy(
            update={
                "channels": (phone,),
                "recipients": tuple(
                    r.model_copy(update={"channels": channels}) if r.email == MODERATOR else r
                    for r in town.recipients
                ),
            }
        )
        connection.execute("delete from outbox; delete from incident")
        alerts = [alert(subject_id=f"sujet-{n}") for n in range(1, 9)]
        for n in range(8):
            for minutes in (0, 10, 15):
                at = AS_OF - (12 - n) * 16 * MINUTE + minutes * MINUTE
                notify.record(connection, alerts[: n + 1], settings=made, as_of=at)
        before = connection.execute("select count(*) from outbox").fetchone()
        worse = [replace(each, observed=400.0) for each in alerts]
        notify.record(connection, worse, settings=made, as_of=AS_OF)
        after = connection.execute("select count(*) from outbox").fetchone()
        assert before is not None
        assert after is not None
        assert before[0] == 8 * len(channels)
        assert after[0] - before[0] == 6 * len(channels)


@pytest.mark.parametrize(
    ("locale", "words"), [("fr", "PERSONNE D’ASTREINTE"), ("en", "NOBODY ON CALL")]
)
def test_that_nobody_is_on_call_stands_in_the_subject_of_every_letter_but_the_last(
    connection: duckdb.DuckDBPyConnection, town: Settings, locale: str, words: str
) -> None:
    who = town.institution.model_copy(update={"locale": locale})
    past = (shift(MODERATOR, "2026-01-01", "2026-01-02"),)
    town = town.model_copy(update={"institution": who, "rota": past})
    lived(connection, town, lambda minute: [critical()] if minute < 30 else [], until=110)
    subjects = {kind: mail["Subject"] for kind, mail in mails(connection)}
    assert words in subjects["firing"]
    assert words in subjects["escalation"]
    assert words not in subjects["resolved"]
    assert words in _plain_subject(town)


def test_a_warning_of_the_day_that_ends_before_its_mail_could_leave_is_not_told_as_of_the_night(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    for n in range(12):
        at = AS_OF + (40 * MINUTE if n % 2 else 0 * MINUTE) - timedelta(seconds=n)
        connection.execute(
            "insert into outbox values (?, 'other', 'update', 'x', 'email', ?, 'm', 'x', ?, 0, ?,"
            " ?, null, null)",
            [f"k{n}", MODERATOR, at, at, at],
        )
    lived(connection, town, lambda minute: [alert()] if minute < 20 else [], until=150)
    changes = connection.execute("select state_to from incident_event order by changed_at")
    assert changes.fetchall() == [("pending",), ("firing",), ("cooling",), ("resolved",)]
    assert [why for _, why, _ in told(connection) if why != "x"] == []


def _plain_subject(town: Settings) -> str:
    """The subject at the change of shift after which nobody is on call."""
    return handover.letter((), (), settings=town, changed_at=AS_OF).subject


def _spoken(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """The rules of which letters were made."""
    rows = connection.execute(
        "select rule_id from incident where incident_id in"
        " (select incident_id from outbox union select incident_id from outbox_incident)"
    )
    return {rule for (rule,) in rows.fetchall()}


def test_of_a_source_that_answers_with_nothing_one_rule_speaks(town: Settings) -> None:
    """Sixty mentions a day, then none for 26 hours: both rules see it, one letter leaves."""
    connection = empty()
    read = {"source": "mastodon", "every": 60}
    rule_cases.give(
        connection,
        {
            "readings": [
                read | {"from": 20160, "to": 1560, "accepted": 3},
                read | {"from": 1500, "to": 0, "accepted": 0},
            ],
            "heard": [{"source": "mastodon", "counts": [0, *[60] * 28]}],
        },
    )
    at = rule_cases.AS_OF
    names = ("source_drop", "silent_source")
    found = [a for name in names for a in detect.evaluate(connection, name, as_of=at)]
    assert [(a.rule_id, a.level >= 1) for a in found] == [(name, True) for name in names]
    for minute in range(0, 16, 5):
        notify.record(connection, found, settings=town, as_of=at + minute * MINUTE)
    assert _spoken(connection) == {"source_drop"}


@pytest.mark.parametrize("status", ["failed", "ok"])
def test_a_source_that_is_not_read_is_told_to_be_silent_whatever_it_brought_less(
    connection: duckdb.DuckDBPyConnection, town: Settings, status: str
) -> None:
    _reads(connection, AS_OF - HOUR)
    for minute in range(0, 31, 5):
        at = AS_OF + minute * MINUTE
        _reads(connection, at, status=status)
        notify.record(connection, [_fewer(), _silent()], settings=town, as_of=at)
    assert _spoken(connection) == {"silent_source" if status == "failed" else "source_drop"}


def test_a_source_that_brings_less_speaks_for_no_other(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    other = replace(_silent(), scope="presse")
    for minute in range(0, 31, 5):
        at = AS_OF + minute * MINUTE
        _reads(connection, at)
        notify.record(connection, [_fewer(), other], settings=town, as_of=at)
    assert _spoken(connection) == {"source_drop", "silent_source"}
