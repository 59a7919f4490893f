"""From what rules say to mails: who hears what, in which thread, once, and when not."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest

from pipelines import detect, explanation, notify, warehouse
from pipelines.alert import Alert
from pipelines.settings import Mail, Settings
from tests.pipelines.postbox import listening
from tests.pipelines.staged import prepared
from tests.pipelines.test_explanation import WordModel
from tests.pipelines.test_incidents import alert
from tests.pipelines.watched import (
    AS_OF,
    MODERATOR,
    Said,
    crowd,
    empty,
    quiet_history,
    say,
    settings,
)

MINUTE = timedelta(minutes=1)
STEP = 5 * MINUTE


@pytest.fixture
def town() -> Settings:
    return settings(Path("/nowhere"))


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    return empty()


def recorded(
    connection: duckdb.DuckDBPyConnection,
    town: Settings,
    alerts: Iterable[Alert],
    at: datetime = AS_OF,
) -> notify.Recorded:
    return notify.record(connection, list(alerts), settings=town, as_of=at)


def mails(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, EmailMessage]]:
    """Kind and mail of every row of the outbox, in the order in which they go out."""
    rows = connection.execute(
        "select kind, message from outbox order by created_at, outbox_key"
    ).fetchall()
    return [
        (kind, cast("EmailMessage", message_from_bytes(message, policy=policy.default)))
        for kind, message in rows
    ]


def kinds(connection: duckdb.DuckDBPyConnection) -> list[str]:
    return [kind for kind, _ in mails(connection)]


def critical(level: float = 1.5, **changes: Any) -> Alert:
    return alert(level, severity="critical", **changes)


def test_a_surge_becomes_one_mail_to_the_person_on_call(tmp_path: Path) -> None:
    with listening() as box:
        mail = Mail(port=box.port, security="none", sender="vigie@valmorin.example")
        town = settings(tmp_path, mail=mail)
        prepared(town)
        with warehouse.opened(tmp_path) as connection:
            quiet_history(connection)
            say(connection, crowd(134, sentiment="negative"))
            alerts = detect.detect(connection, settings=town, as_of=AS_OF)
            notify.record(connection, alerts, settings=town, as_of=AS_OF)
            notify.record(connection, alerts, settings=town, as_of=AS_OF)
        for _ in range(2):
            notify.deliver(tmp_path, settings=town, secrets={}, now=AS_OF)
    assert box.recipients == [MODERATOR]
    [letter] = box.mails()
    subject = "[Vigie] CRITIQUE · Eau · 134 mentions en 1 h (attendu 17) · Valmorin"
    assert letter["Subject"] == subject


def test_the_same_moment_again_changes_no_row(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    tables = ("incident", "incident_event", "outbox")
    for _ in range(3):
        recorded(connection, town, [critical(), alert(subject_id="ville")])
        found = [connection.table(name).order("all").fetchall() for name in tables]
        assert [len(rows) for rows in found] == [2, 2, 1]
    assert recorded(connection, town, [critical()]).letter_count == 0


def test_an_incident_that_another_version_wrote_ends_and_alerts_go_on(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    recorded(connection, town, [critical()])
    connection.execute("update incident set evidence = '{}'")
    recorded(connection, town, [critical()], AS_OF + STEP)
    recorded(connection, town, [critical()], AS_OF + 2 * STEP)
    assert kinds(connection) == ["firing", "firing"]
    states = connection.execute("select state from incident order by opened_at").fetchall()
    assert states == [("resolved",), ("firing",)]


def test_an_incident_and_its_letter_are_there_together_or_not_at_all(
    connection: duckdb.DuckDBPyConnection, town: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def _breaks(*_: Any, **__: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(notify, "enqueue", _breaks)
    with pytest.raises(KeyboardInterrupt):
        recorded(connection, town, [critical()])
    assert connection.table("incident").fetchall() == []
    monkeypatch.undo()
    assert recorded(connection, town, [critical()]).letter_count == 1
    assert kinds(connection) == ["firing"]


def test_an_incident_runs_its_course_in_one_thread(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    recorded(connection, town, [critical(observed=40.0)])
    recorded(connection, town, [critical(observed=90.0)], AS_OF + 15 * MINUTE)
    recorded(connection, town, [], AS_OF + 20 * MINUTE)
    recorded(connection, town, [], AS_OF + 75 * MINUTE)
    found = mails(connection)
    assert [kind for kind, _ in found] == ["firing", "update", "resolved"]
    first, *rest = [mail for _, mail in found]
    assert first["References"] is None
    assert {mail["References"] for mail in rest} == {first["Message-ID"]}
    assert {mail["In-Reply-To"] for mail in rest} == {first["Message-ID"]}
    assert rest[-1]["Subject"] == (
        "[Vigie] TERMINÉ · Eau · Afflux de mentions, a duré 1 h 15 · Valmorin"
    )
    states = connection.execute(
        "select state_from, state_to from incident_event order by changed_at"
    ).fetchall()
    assert states == [("none", "firing"), ("firing", "cooling"), ("cooling", "resolved")]


def test_a_warning_that_was_never_told_is_not_resolved_by_mail(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    recorded(connection, town, [alert()])
    recorded(connection, town, [], AS_OF + STEP)
    assert kinds(connection) == []
    assert connection.table("incident").fetchall() == []
    events = connection.execute(
        "select state_to from incident_event order by changed_at"
    ).fetchall()
    assert events == [("pending",), ("ok",)]


def test_a_critical_incident_is_repeated_after_four_hours(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    for minutes in range(0, 8 * 60 + 1, 5):
        recorded(connection, town, [critical()], AS_OF + minutes * MINUTE)
    assert kinds(connection) == ["firing", "update", "update"]
    reasons = connection.execute("select reason from outbox order by created_at").fetchall()
    assert reasons == [("first",), ("repeat",), ("repeat",)]


NIGHT = datetime.fromisoformat("2026-11-21T02:00:00+01:00")


def test_a_warning_of_the_night_is_told_at_seven_as_it_then_stands(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    for minutes in range(0, 6 * 60, 5):
        observed = 40.0 + minutes
        recorded(connection, town, [alert(observed=observed)], NIGHT + minutes * MINUTE)
    [(kind, mail)] = mails(connection)
    assert kind == "firing"
    assert mail["Date"].datetime == NIGHT + timedelta(hours=5)
    body = mail.get_body(("plain",))
    assert body is not None
    assert "Ouverte le 21 nov. à 02:00, gardée pour le matin." in body.get_content()


def test_a_warning_that_came_and_went_in_the_night_is_one_mail_in_the_morning(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    for minutes in range(0, 6 * 60, 5):
        alerts = [alert()] if minutes < 60 else []
        recorded(connection, town, alerts, NIGHT + minutes * MINUTE)
    [(kind, mail)] = mails(connection)
    assert kind == "night"
    assert mail["Date"].datetime == NIGHT + timedelta(hours=5)
    assert mail["Subject"].startswith("[Vigie] CETTE NUIT · Eau · ")


def test_a_critical_alert_is_told_at_two_in_the_night(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    recorded(connection, town, [critical()], NIGHT)
    assert kinds(connection) == ["firing"]


def test_the_greater_incident_speaks_and_names_the_lesser(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    lesser = alert(rule_id="negative_surge", observed=30.0)
    for minutes in (0, 5, 10, 15):
        recorded(connection, town, [critical(), lesser], AS_OF + minutes * MINUTE)
    for minutes in range(20, 90, 5):
        recorded(connection, town, [], AS_OF + minutes * MINUTE)
    assert kinds(connection) == ["firing", "resolved"]
    assert len(connection.table("incident").fetchall()) == 2


def test_a_lesser_incident_that_outlives_the_greater_is_told(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    lesser = alert(rule_id="negative_surge", observed=30.0)
    for minutes in range(0, 90, 5):
        alerts = [critical(), lesser] if minutes < 20 else [lesser]
        recorded(connection, town, alerts, AS_OF + minutes * MINUTE)
    assert kinds(connection) == ["firing", "resolved"]
    assert "30 messages négatifs" in _plain(mails(connection)[1][1])


def test_a_critical_topic_is_not_silenced_by_a_warning(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    crisis = critical(rule_id="topic_surge", scope="T20")
    recorded(connection, town, [alert(), crisis])
    recorded(connection, town, [alert(), crisis], AS_OF + 2 * STEP)
    subjects = [mail["Subject"] for _, mail in mails(connection)]
    assert any("CRITIQUE · Eau : Crise et sécurité civile" in subject for subject in subjects)


def test_a_silent_source_is_told_to_the_operators(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    silent = alert(
        rule_id="silent_source",
        subject_id=None,
        scope="mastodon",
        observed=240.0,
        expected=180.0,
        low=None,
        high=None,
        score=None,
    )
    for minutes in (0, 10):
        recorded(connection, town, [silent], AS_OF + minutes * MINUTE)
    [(_, mail)] = mails(connection)
    assert mail["To"] == "exploitation@valmorin.example"
    assert mail["Subject"] == (
        "[Vigie] Avertissement · Source mastodon · rien depuis 4 h (toléré 3 h) · Valmorin"
    )


def test_a_storm_is_one_mail_that_names_every_alert(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    storm = [critical(scope=f"T{number:02d}", rule_id="topic_surge") for number in range(1, 20)]
    recorded(connection, town, storm)
    recorded(connection, town, storm, AS_OF + STEP)
    [(_, mail)] = mails(connection)
    assert "(+18 alertes)" in mail["Subject"]
    assert _plain(mail).count("CRITIQUE · Eau : ") == 18
    told = connection.execute("from alert_log").fetchall()
    assert len(told) == 19


def test_what_comes_after_a_mail_waits_a_quarter_of_an_hour_and_is_joined(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    recorded(connection, town, [critical()])
    more = [critical(), critical(subject_id="ville")]
    recorded(connection, town, more, AS_OF + STEP)
    assert len(mails(connection)) == 1
    more.append(critical(subject_id="voirie"))
    for minutes in (10, 15):
        recorded(connection, town, more, AS_OF + minutes * MINUTE)
    found = mails(connection)
    assert len(found) == 2
    assert "(+1 alerte)" in found[1][1]["Subject"]
    assert found[1][1]["References"] is None


def test_two_alerts_told_in_one_mail_go_on_and_end_in_its_thread(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    both = [critical(), critical(subject_id="ville")]
    recorded(connection, town, both)
    recorded(connection, town, both[:1], AS_OF + 20 * MINUTE)
    recorded(connection, town, both[:1], AS_OF + 80 * MINUTE)
    recorded(connection, town, [], AS_OF + 90 * MINUTE)
    recorded(connection, town, [], AS_OF + 140 * MINUTE)
    (_, first), *rest = [(k, m) for k, m in mails(connection) if k != "escalation"]
    assert [kind for kind, _ in rest] == ["resolved", "resolved"]
    assert {mail["References"] for _, mail in rest} == {first["Message-ID"]}


def _told_apart(connection: duckdb.DuckDBPyConnection, town: Settings, count: int) -> list[Alert]:
    """Warnings that have all been told in conversations of their own, a quarter apart."""
    alerts = [alert(subject_id=f"sujet-{n}") for n in range(1, count + 1)]
    for n in range(count):
        for minutes in (0, 10, 15):
            at = AS_OF - (count - n + 4) * 16 * MINUTE + minutes * MINUTE
            recorded(connection, town, alerts[: n + 1], at)
    return alerts


def test_nobody_gets_more_than_six_mails_about_warnings_an_hour_and_the_rest_follow(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    alerts = _told_apart(connection, town, 8)
    assert kinds(connection).count("firing") == 8
    worse = [replace(each, observed=400.0) for each in alerts]
    recorded(connection, town, worse)
    assert len(mails(connection)) == 8 + 6
    recorded(connection, town, worse, AS_OF + STEP)
    assert len(mails(connection)) == 8 + 6
    recorded(connection, town, worse, AS_OF + 61 * MINUTE)
    assert len(mails(connection)) == 8 + 8


def test_an_alert_that_flickers_is_called_unstable_once(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    for minutes in range(0, 12 * 60, 5):
        is_up = minutes % 80 < 10
        recorded(connection, town, [critical()] if is_up else [], AS_OF + minutes * MINUTE)
    found = kinds(connection)
    assert found.count("unstable") == 1
    assert found[-1] == "unstable"
    assert len(found) == 9


def test_an_earlier_moment_evaluated_late_un_sends_nothing(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    recorded(connection, town, [critical()])
    before = connection.table("incident").fetchall()
    recorded(connection, town, [], AS_OF - STEP)
    assert connection.table("incident").fetchall() == before
    assert kinds(connection) == ["firing"]


def _two_days(connection: duckdb.DuckDBPyConnection) -> None:
    quiet_history(connection, until=AS_OF)
    say(connection, crowd(60, until=AS_OF + 50 * MINUTE, text="Coupure {number}"))
    say(connection, crowd(90, until=AS_OF + 100 * MINUTE, text="Fuite {number}", network="bluesky"))


def _replayed(town: Settings, *, until: int) -> list[tuple[str, bytes]]:
    connection = empty()
    _two_days(connection)
    for minutes in range(0, until + 1, 10):
        at = AS_OF + minutes * MINUTE
        recorded(connection, town, detect.detect(connection, settings=town, as_of=at), at)
    rows: list[tuple[str, bytes]] = connection.execute(
        "select outbox_key, message from outbox order by created_at, outbox_key"
    ).fetchall()
    return rows


def test_a_replay_that_stops_earlier_sends_the_same_mails_up_to_then(town: Settings) -> None:
    whole, part = _replayed(town, until=240), _replayed(town, until=60)
    assert part
    assert len(whole) > len(part)
    assert whole[: len(part)] == part


def test_an_incident_of_a_rule_that_is_gone_ends_without_a_word_and_stops_nothing(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    gone = critical(rule_id="gone_rule")
    recorded(connection, town, [gone])
    recorded(connection, town, [critical()], AS_OF + STEP)
    recorded(connection, town, [critical()], AS_OF + 70 * MINUTE)
    assert kinds(connection) == ["firing"]
    states = connection.execute("select rule_id, state from incident order by rule_id").fetchall()
    assert states == [("gone_rule", "resolved"), ("volume_surge", "firing")]


def test_the_evidence_that_a_row_keeps_can_be_read_by_others(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    recorded(connection, town, [critical()])
    [(evidence,)] = connection.execute("select evidence from incident").fetchall()
    kept = json.loads(evidence)
    assert kept["alert"]["observed"] == 40.0
    assert kept["told"]["kind"] == "firing"


def _shown(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    [(kept,)] = connection.execute("select evidence from incident").fetchall()
    shown: list[dict[str, Any]] = json.loads(kept)["shown"]
    return shown


def _plain(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


@pytest.fixture
def weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explanation, "loader", lambda _: WordModel)


@pytest.mark.usefixtures("weighed")
def test_what_moved_the_tone_is_told_and_kept_as_it_was_when_it_fired(
    connection: duckdb.DuckDBPyConnection, town: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "La fuite est inadmissible rue Pasteur"
    say(connection, crowd(20, text=text, sentiment="negative"))
    recorded(connection, town, [critical()])
    [(_, mail)] = mails(connection)
    assert "mots qui pèsent : inadmissible" in _plain(mail)
    [first] = before = _shown(connection)
    [message] = first["messages"]
    assert (message["tone"], first["kind"]) == ("negative", "firing")
    assert message["words"] == [{"word": "inadmissible", "effect": 0.5}]
    # Afterwards the models are others and the texts have expired: what was told stays.
    monkeypatch.setattr(WordModel, "words", {"fuite": 0.5})
    connection.execute("update mention set text = ''")
    recorded(connection, town, [critical()], AS_OF + STEP)
    assert _shown(connection) == before


@pytest.mark.usefixtures("weighed")
def test_an_incident_keeps_what_its_first_and_its_last_letters_showed(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    say(connection, crowd(20, text="C'est inadmissible", minutes=10, sentiment="negative"))
    whole_day = critical(window_minutes=10_000)
    for number in range(notify.MOST_SHOWN + 3):
        recorded(connection, town, [whole_day], AS_OF + timedelta(hours=4 * number))
    times = [datetime.fromisoformat(each["at"]) for each in _shown(connection)]
    assert len(times) == notify.MOST_SHOWN
    assert times[0] == AS_OF
    assert times[-1] == AS_OF + timedelta(hours=4 * (notify.MOST_SHOWN + 2))


def test_a_model_that_cannot_be_loaded_does_not_hold_the_mail_back(
    connection: duckdb.DuckDBPyConnection,
    town: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def _absent() -> None:
        raise OSError("no weights here")

    monkeypatch.setattr(explanation, "loader", lambda _: _absent)
    say(connection, crowd(20, text="C'est inadmissible", sentiment="negative"))
    recorded(connection, town, [critical()])
    [(_, mail)] = mails(connection)
    assert "inadmissible" in _plain(mail)
    assert "qui pèsent" not in _plain(mail)
    assert _shown(connection) == []
    assert "alert.without_reasons reason=OSError" in caplog.text


def test_an_incident_of_a_version_that_kept_no_reasons_goes_on(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    recorded(connection, town, [critical()])
    connection.execute(
        "update incident set evidence = json_merge_patch(evidence, '{\"shown\": null}')"
    )
    recorded(connection, town, [critical()], AS_OF + STEP)
    assert kinds(connection) == ["firing"]


@pytest.mark.usefixtures("weighed")
def test_words_of_people_leave_an_incident_with_the_mails_that_quote_them(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    say(connection, crowd(20, text="C'est inadmissible", sentiment="negative"))
    recorded(connection, town, [critical()])
    warehouse.run(connection, "writes/expire_message", {"message_before": AS_OF - STEP})
    assert _shown(connection)
    warehouse.run(connection, "writes/expire_message", {"message_before": AS_OF})
    assert _shown(connection) == []
    recorded(connection, town, [critical()], AS_OF + STEP)
    assert connection.execute("select state from incident").fetchall() == [("firing",)]


@pytest.mark.usefixtures("weighed")
def test_words_of_an_erased_post_leave_the_incidents_that_may_quote_it(
    connection: duckdb.DuckDBPyConnection, town: Settings
) -> None:
    say(connection, crowd(20, text="C'est inadmissible", sentiment="negative"))
    recorded(connection, town, [critical()])
    connection.execute("create temp table touched_moment (published_at timestamptz)")
    for seen, is_kept in ((AS_OF + STEP, True), (AS_OF - STEP, False)):
        connection.execute(
            "create or replace temp table erased_key as select 'x' as mention_id, 'mastodon' as"
            " source, 'x' as native_id, $seen as published_at, $seen as first_seen_at",
            {"seen": seen},
        )
        warehouse.run(connection, "writes/erase_mention", {"reason": "test", "as_of": AS_OF})
        assert bool(_shown(connection)) == is_kept


def test_no_text_of_people_goes_to_the_log(
    connection: duckdb.DuckDBPyConnection, town: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    quiet_history(connection)
    secret = "Mme Untel habite au 3 rue des Lilas"
    say(connection, [*crowd(80), Said(at=AS_OF - MINUTE, text=secret)])
    alerts = detect.detect(connection, settings=town, as_of=AS_OF)
    recorded(connection, town, alerts)
    assert "Untel" not in caplog.text
    assert "incident.decided" in caplog.text


def test_a_failed_task_is_told_to_the_operator_without_becoming_markup(town: Settings) -> None:
    letter = notify.failure_letter(
        dag="watch",
        task="collect",
        run="20261120T102500Z",
        error="SourceError: <b>mastodon</b> answered 503",
        settings=town,
    )
    assert letter.subject == "[Vigie] PANNE · collect · Valmorin"
    assert "<b>mastodon</b> answered 503" in letter.text
    assert "&lt;b&gt;mastodon&lt;/b&gt; answered 503" in letter.html
    assert "vigie doctor" in letter.text
