"""How often rules were right, and the threshold that their judges would have wanted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from pipelines import notify, quality, warehouse
from pipelines.alert_actions import acknowledge, judge, take_back
from pipelines.quality import Judged
from tests.pipelines.test_incidents import alert
from tests.pipelines.watched import AS_OF, empty, settings

FIRST = datetime(2026, 11, 2, 9, tzinfo=UTC)  # a Monday


def judged(*levels: float, is_false: bool = False, is_right: bool = False) -> list[Judged]:
    return [
        Judged(
            incident_id=f"{is_false}{is_right}{n}{level}",
            rule_id="volume_surge",
            rule_version="1",
            opened_at=FIRST + timedelta(days=n),
            level=level,
            is_false=is_false,
            is_right=is_right,
        )
        for n, level in enumerate(levels)
    ]


def test_precision_is_of_those_judged_with_its_interval() -> None:
    told = [*judged(1, 1, 1, is_false=True), *judged(2, 2, 2, 2, 2, 2, is_right=True), *judged(1)]
    found = quality.precision(told)
    assert (found.told, found.judged, found.false) == (10, 9, 3)
    assert found.share == pytest.approx(2 / 3)
    assert (found.low, found.high) == pytest.approx((0.354, 0.879), abs=2e-3)


def test_nothing_judged_has_no_precision_and_any_may_be() -> None:
    found = quality.precision(judged(1, 1))
    assert (found.share, found.low, found.high) == (None, 0.0, 1.0)


def test_weeks_begin_on_monday() -> None:
    weeks = list(quality.by_week(judged(*[1.0] * 9, is_right=True)))
    assert [(day, found.told) for day, found in weeks] == [
        (date(2026, 11, 2), 7),
        (date(2026, 11, 9), 2),
    ]


def test_the_least_factor_that_spares_most_and_loses_no_right_one_is_proposed() -> None:
    told = [
        *judged(1.0, 1.1, 1.2, 2.5, is_false=True),
        *judged(1.5, 1.8, 2.0, 3.0, 3.0, 4.0, is_right=True),
        *judged(1.05, 1.9),
    ]
    found = quality.propose(told)
    assert found is not None
    assert found.factor == 1.25
    assert [a.level for a in found.spared] == [1.0, 1.1, 1.2]
    assert (found.lost, [a.level for a in found.unjudged]) == ((), [1.05])
    assert found.after.share == pytest.approx(6 / 7)


def test_nothing_is_proposed_that_would_lose_a_right_alert() -> None:
    told = [*judged(*[2.0] * 5, is_false=True), *judged(*[1.1] * 5, is_right=True)]
    assert quality.propose(told) is None


def test_nothing_is_proposed_on_few_judgements() -> None:
    assert quality.propose(judged(*[1.0] * 9, is_false=True)) is None


@given(
    st.lists(st.tuples(st.floats(0.6, 9), st.sampled_from("fru")), min_size=1, max_size=60),
)
def test_a_proposal_never_loses_a_right_alert(rows: Sequence[tuple[float, str]]) -> None:
    told = [a for level, k in rows for a in judged(level, is_false=k == "f", is_right=k == "r")]
    found = quality.propose(told)
    assert found is None or (found.spared and not found.lost and found.factor > 0)


def test_an_alert_taken_in_hand_is_right_unless_it_is_called_false() -> None:
    connection = empty()
    for name in ("a", "b", "c"):
        row = {"id": name, "at": AS_OF}
        connection.execute(
            "insert into incident values ($id, $id, 'threat', '1', 'eau', 'all', 'critical',"
            " 'resolved', $at, $at, $at, 1, null, '{}')",
            row,
        )
        connection.execute(
            "insert into alert_evidence values ($id, 1, $at, 'firing', 'first', 'x',"
            " '{\"level\": 1.5}', null, null, '[]', '{}', '{}')",
            row,
        )
    for name in ("a", "b"):
        connection.execute(
            "insert into incident_event values ($id, $at, 'firing', 'acked', '', 'x')",
            {"id": name, "at": AS_OF},
        )
    connection.execute(
        "insert into alert_label values ('l', 'b', 'threat', '1', null, 'false_alarm', null, '',"
        " 'x', $at)",
        {"at": AS_OF},
    )
    found = quality.read(connection, as_of=AS_OF + timedelta(days=1))
    assert [(a.incident_id, a.is_false, a.is_right, a.level) for a in found] == [
        ("a", False, True, 1.5),
        ("b", True, False, 1.5),
        ("c", False, False, 1.5),
    ]


def test_an_alert_counts_by_the_judgement_that_stands() -> None:
    connection = empty()
    alerts = [alert(1.5, severity="critical", scope=scope) for scope in ("all", "T01", "T02")]
    made = settings(Path("/nowhere"))
    notify.record(connection, alerts, settings=made, as_of=AS_OF)
    read = "select incident_id from incident order by scope"
    back, again, right = (name for (name,) in connection.execute(read).fetchall())
    for name in (back, again, right):
        judge(connection, name, "false_alarm", actor="x", at=AS_OF)
        take_back(connection, name, "false_alarm", actor="y", at=AS_OF)
    judge(connection, again, "false_alarm", actor="y", at=AS_OF)
    acknowledge(connection, right, actor="x", at=AS_OF + timedelta(hours=1))
    rows = quality.read(connection, as_of=AS_OF + timedelta(days=1))
    found = {a.incident_id: (a.is_false, a.is_right) for a in rows}
    assert found == {back: (False, False), again: (True, False), right: (False, True)}
    told = "select incident_id, acked_at is not null from alert_log order by scope"
    assert connection.execute(told).fetchall() == [(back, False), (again, True), (right, True)]
    asked = {"since": AS_OF, "until": AS_OF + timedelta(days=1), "as_of": AS_OF + timedelta(days=1)}
    digest = warehouse.run(connection, "queries/digest_incidents", asked).fetchall()
    assert {row[0]: (row[7] is not None, row[9]) for row in digest} == {
        back: (False, False),
        again: (True, True),
        right: (True, False),
    }
    asked = {"incident_name": None, "as_of": AS_OF + timedelta(days=1)}
    crisis = warehouse.run(connection, "queries/crisis_incident", asked).fetchall()
    assert {row[0]: row[7] is not None for row in crisis} == {back: False, right: True}


def test_an_acknowledgement_that_was_taken_back_counts_no_more_when_it_is_false_again() -> None:
    connection, minute = empty(), timedelta(minutes=1)
    made = settings(Path("/nowhere"))
    notify.record(connection, [alert(1.5, severity="critical")], settings=made, as_of=AS_OF)
    [(name,)] = connection.execute("select incident_id from incident").fetchall()
    first, back, again = (AS_OF + n * minute for n in (26, 28, 55))
    judge(connection, name, "false_alarm", actor="x", at=first)
    take_back(connection, name, "false_alarm", actor="y", at=back)
    judge(connection, name, "false_alarm", actor="x", at=again)

    def digest(as_of: datetime) -> list[Any]:
        asked = {"since": AS_OF, "until": AS_OF + timedelta(days=1), "as_of": as_of}
        return warehouse.run(connection, "queries/digest_incidents", asked).fetchall()

    def crisis(as_of: datetime) -> list[Any]:
        asked = {"incident_name": name, "as_of": as_of}
        return warehouse.run(connection, "queries/crisis_incident", asked).fetchall()

    assert connection.execute("select acked_at from alert_log").fetchall() == [(again,)]
    for as_of, acked_at in ((first, first), (back, None), (again, again)):
        assert [row[7] for row in digest(as_of)] == [acked_at]
        assert [row[7] for row in crisis(as_of)] == [acked_at]
    acknowledge(connection, name, actor="z", at=again + minute)
    take_back(connection, name, "false_alarm", actor="y", at=again + 2 * minute)
    assert connection.execute("select acked_at from alert_log").fetchall() == [(again + minute,)]
