"""What people do about an incident: once, logged with who and why, and never by accident."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import alert_actions, notify
from pipelines.alert_actions import ActionError, Contradiction
from tests.pipelines.test_incidents import alert
from tests.pipelines.watched import AS_OF, empty, settings

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
WHO = "Claire Astreinte"


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    """A warehouse with one critical incident that fires."""
    made = empty()
    notify.record(made, [alert(severity="critical")], settings=town(), as_of=AS_OF)
    return made


def town() -> Any:
    return settings(Path("/nowhere"))


def only(connection: duckdb.DuckDBPyConnection) -> str:
    [(name,)] = connection.execute("select incident_id from incident").fetchall()
    return str(name)


def logged(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str]]:
    """State, person and reason of every line of the log but those of the rules."""
    return connection.execute(
        "select state_to, actor, reason from incident_event where actor <> 'rule'"
        " order by changed_at, state_to"
    ).fetchall()


def silenced(connection: duckdb.DuckDBPyConnection, **changes: Any) -> bool:
    given = {"actor": WHO, "reason": "travaux annoncés", "until": AS_OF + DAY, "at": AS_OF}
    return alert_actions.silence(connection, only(connection), **(given | changes)).is_new


def test_an_acknowledgement_counts_once_and_keeps_who_came_first(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    name = only(connection)
    first = alert_actions.acknowledge(connection, name, actor=WHO, at=AS_OF, reason="j'appelle")
    again = alert_actions.acknowledge(connection, name, actor="Un autre", at=AS_OF + MINUTE)
    assert (first.is_new, again.is_new) == (True, False)
    assert logged(connection) == [("acked", WHO, "j'appelle")]
    [row] = connection.execute("from incident_ack").fetchall()
    assert (row[0], row[2]) == (name, WHO)


def test_a_silence_holds_until_its_end_and_is_made_once(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    assert silenced(connection)
    assert not silenced(connection, at=AS_OF + MINUTE)
    [held] = alert_actions.silences(connection, as_of=AS_OF + DAY - MINUTE)
    assert (held.actor, held.reason, held.until_at) == (WHO, "travaux annoncés", AS_OF + DAY)
    assert alert_actions.silences(connection, as_of=AS_OF + DAY) == ()
    assert logged(connection) == [("silenced", WHO, "travaux annoncés")]


def test_another_silence_takes_the_place_of_the_one_before(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    silenced(connection)
    assert silenced(connection, until=AS_OF + 2 * DAY, at=AS_OF + MINUTE)
    [held] = alert_actions.silences(connection, as_of=AS_OF + 2 * MINUTE)
    assert held.until_at == AS_OF + 2 * DAY


def test_a_silence_can_be_ended_and_what_held_then_is_still_known(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    silenced(connection)
    ended = [
        alert_actions.unsilence(connection, only(connection), actor=WHO, at=AS_OF + 5 * MINUTE)
        for _ in range(2)
    ]
    assert [done.is_new for done in ended] == [True, False]
    assert alert_actions.silences(connection, as_of=AS_OF + 6 * MINUTE) == ()
    assert len(alert_actions.silences(connection, as_of=AS_OF + 4 * MINUTE)) == 1
    assert [state for state, *_ in logged(connection)] == ["silenced", "unsilenced"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"actor": " \u202e "}, "say who acts"),
        ({"actor": "x" * 200}, "say who acts"),
        ({"actor": " rule"}, "no person did"),
        ({"actor": "vigie.toml"}, "no person did"),
        ({"reason": " "}, "needs a reason"),
        ({"reason": "x" * 501}, "500 characters"),
        ({"until": AS_OF}, "is over"),
        ({"until": AS_OF + 7 * DAY + MINUTE}, "within seven days"),
    ],
)
def test_a_silence_needs_a_person_a_reason_and_an_end_within_seven_days(
    connection: duckdb.DuckDBPyConnection, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ActionError, match=said):
        silenced(connection, **changes)
    assert logged(connection) == []


def test_a_judgement_is_a_row_with_who_when_and_of_which_version(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    name = only(connection)
    given: dict[str, Any] = {"actor": WHO, "at": AS_OF, "mention_id": "m1", "better": "neutral"}
    done = [
        alert_actions.judge(connection, name, "wrong_tone", note="ironie", **given)
        for _ in range(2)
    ]
    assert [each.is_new for each in done] == [True, False]
    [row] = connection.execute("select * exclude (label_id) from alert_label").fetchall()
    *row, at = row
    assert row == [name, "volume_surge", "1", "m1", "wrong_tone", "neutral", "ironie", WHO]
    assert at == AS_OF
    assert logged(connection) == [("wrong_tone", WHO, "ironie")]


def test_who_calls_an_alert_false_has_it_in_hand(connection: duckdb.DuckDBPyConnection) -> None:
    alert_actions.judge(connection, only(connection), "false_alarm", actor=WHO, at=AS_OF)
    assert [state for state, *_ in logged(connection)] == ["acked", "false"]


def standing(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str | None, str]]:
    judged = alert_actions.judgements(connection, only(connection))
    return [(each.verdict, each.better, each.actor) for each in judged]


def test_a_judgement_taken_back_counts_no_more_and_the_log_keeps_both(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    name = only(connection)
    alert_actions.judge(connection, name, "false_alarm", actor=WHO, at=AS_OF)
    done = [
        alert_actions.take_back(
            connection, name, "false_alarm", actor="Bo", at=AS_OF + MINUTE, note="mauvaise ligne"
        )
        for _ in range(2)
    ]
    assert [each.is_new for each in done] == [True, False]
    assert standing(connection) == []
    assert [(state, who) for state, who, _ in logged(connection)] == [
        ("acked", WHO),
        ("false", WHO),
        ("not_false", "Bo"),
        ("unacked", "Bo"),
    ]
    verdicts = connection.execute("select verdict from alert_label order by labelled_at").fetchall()
    assert verdicts == [("false_alarm",), ("not_false_alarm",)]


def test_an_alert_in_hand_before_it_was_called_false_stays_so(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    name = only(connection)
    alert_actions.acknowledge(connection, name, actor=WHO, at=AS_OF)
    alert_actions.judge(connection, name, "false_alarm", actor=WHO, at=AS_OF + MINUTE)
    alert_actions.take_back(connection, name, "false_alarm", actor=WHO, at=AS_OF + 2 * MINUTE)
    assert connection.execute("select acked_by from incident_ack").fetchall() == [(WHO,)]


@pytest.mark.parametrize("is_all", [False, True], ids=["one", "all"])
@pytest.mark.parametrize("wait", [0 * MINUTE, MINUTE])
@pytest.mark.parametrize("who", [WHO, "Bo"])
def test_who_takes_in_hand_what_was_called_false_has_it_also_when_that_is_taken_back(
    connection: duckdb.DuckDBPyConnection, is_all: bool, wait: timedelta, who: str
) -> None:
    name = only(connection)
    alert_actions.judge(connection, name, "false_alarm", actor=WHO, at=AS_OF)

    def take() -> int:
        given: dict[str, Any] = {"actor": who, "at": AS_OF + wait}
        if is_all:
            return alert_actions.acknowledge_all(connection, [name], **given)
        return alert_actions.acknowledge(connection, name, **given).is_new

    assert [take(), take()] == [1, 0]
    alert_actions.judge(connection, name, "false_alarm", actor="Al", at=AS_OF + 2 * MINUTE)
    alert_actions.take_back(connection, name, "false_alarm", actor=WHO, at=AS_OF + 3 * MINUTE)
    assert connection.execute("select acked_by from incident_ack").fetchall() == [(who,)]
    told = [(state, actor) for state, actor, _ in logged(connection)]
    assert told == [
        ("acked", WHO),
        ("false", WHO),
        ("acked", who),
        ("false", "Al"),
        ("not_false", WHO),
    ]


def test_the_last_of_several_judgements_stands_also_within_one_instant(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    name = only(connection)
    given: dict[str, Any] = {"actor": WHO, "at": AS_OF}
    for _ in range(3):
        assert alert_actions.judge(connection, name, "false_alarm", **given).is_new
        assert standing(connection) == [("false_alarm", None, WHO)]
        assert alert_actions.take_back(connection, name, "false_alarm", **given).is_new
        assert standing(connection) == []
    alert_actions.judge(connection, name, "wrong_tone", better="neutral", **given)
    alert_actions.judge(connection, name, "wrong_tone", better="positive", **given)
    assert standing(connection) == [("wrong_tone", "positive", WHO)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("false_alarm", None), ("wrong_tone", "neutral")),
        (("false_alarm", None), ("wrong_topic", "T09")),
        (("wrong_tone", "neutral"), ("false_alarm", None)),
    ],
)
def test_a_judgement_against_one_that_stands_is_refused_until_that_is_taken_back(
    connection: duckdb.DuckDBPyConnection, first: Any, second: Any
) -> None:
    name, given = only(connection), {"actor": WHO, "at": AS_OF}

    def judge(verdict: Any, better: str | None, message: str | None = None) -> None:
        more: dict[str, Any] = {"better": better, "mention_id": message, **given}
        alert_actions.judge(connection, name, verdict, **more)

    judge(*first)
    with pytest.raises(Contradiction, match="vigie alerts take-back") as raised:
        judge(*second)
    assert "vigie alerts take-back" in raised.value.told("fr")
    assert [verdict for verdict, *_ in standing(connection)] == [first[0]]
    judge("wrong_topic", "T09", "m1")  # of one message, an alert may be false by its topic
    alert_actions.take_back(connection, name, first[0], actor=WHO, at=AS_OF)
    judge(*second)


def test_a_tone_and_a_topic_may_both_be_wrong(connection: duckdb.DuckDBPyConnection) -> None:
    name = only(connection)
    for verdict, better in (("wrong_tone", "neutral"), ("wrong_topic", "T09")):
        alert_actions.judge(connection, name, verdict, better=better, actor=WHO, at=AS_OF)  # type: ignore[arg-type]
    assert len(standing(connection)) == 2


def test_what_is_said_of_one_message_is_taken_back_by_itself(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    name = only(connection)
    given: dict[str, Any] = {"actor": WHO, "at": AS_OF}
    for message in (None, "m1", "m2"):
        alert_actions.judge(
            connection, name, "wrong_tone", better="neutral", mention_id=message, **given
        )
    assert alert_actions.take_back(connection, name, "wrong_tone", mention_id="m1", **given).is_new
    judged = alert_actions.judgements(connection, name)
    assert [each.mention_id for each in judged] == [None, "m2"]


@pytest.mark.parametrize(
    ("verdict", "changes", "said"),
    [
        ("true", {}, "no verdict 'true': choose one of false-alarm, wrong-tone, wrong-topic"),
        ("false_alarm", {"mention_id": "m1"}, "of the whole alert: name no message"),
        ("wrong_tone", {"better": "angry"}, "which tone is right: one of negative, "),
        ("wrong_tone", {}, "which tone is right"),
        ("wrong_topic", {"better": "T" * 200}, "which topic is right"),
        ("wrong_topic", {"better": "neutral"}, "which topic is right"),
        ("false_alarm", {"better": "neutral"}, "no tone or topic to put right"),
        ("wrong_tone", {"better": "neutral", "mention_id": "m" * 200}, "longer than any"),
    ],
)
def test_a_judgement_that_is_none_is_refused(
    connection: duckdb.DuckDBPyConnection, verdict: Any, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ActionError, match=said):
        alert_actions.judge(connection, only(connection), verdict, actor=WHO, at=AS_OF, **changes)


def test_an_incident_that_is_none_is_named_with_what_to_do(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    with pytest.raises(ActionError, match=r"no incident 'nope'.*vigie alerts list"):
        alert_actions.acknowledge(connection, "nope", actor=WHO, at=AS_OF)


def test_an_action_is_there_with_its_line_in_the_log_or_not_at_all(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def _breaks(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(alert_actions, "_log", _breaks)
    with pytest.raises(KeyboardInterrupt):
        silenced(connection)
    assert alert_actions.silences(connection, as_of=AS_OF) == ()


def test_words_of_a_person_are_one_plain_line(connection: duckdb.DuckDBPyConnection) -> None:
    alert_actions.acknowledge(
        connection, only(connection), actor="Cl\u202eaire\n", at=AS_OF, reason="vu\r\nBcc: x\x1b[2J"
    )
    assert logged(connection) == [("acked", "Claire", "vu Bcc: x[2J")]
