"""Each rule of sql/alerts: the cases beside it, and the contract that all of them keep."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipelines import detect, rule_cases, rules
from pipelines.alert import COLUMNS, Alert
from pipelines.errors import VigieError, WarehouseError
from tests.pipelines.watched import AS_OF, Said, crowd, empty, quiet_history, say

PARIS = ZoneInfo("Europe/Paris")
CASES = [
    pytest.param(rule, case, id=f"{rule}: {case['name']}")
    for rule in rules.names()
    for case in rule_cases.cases(rule)
]


@pytest.mark.parametrize(("rule", "case"), CASES)
def test_the_rule_says(rule: str, case: dict[str, Any]) -> None:
    assert rule_cases.trouble(rule, case) is None


@pytest.mark.parametrize("rule", rules.names())
def test_every_rule_has_cases_that_speak_and_cases_that_are_quiet(rule: str) -> None:
    spoken = [bool(case["expected"]) for case in rule_cases.cases(rule)]
    assert set(spoken) == {True, False}


def _everything() -> list[Said]:
    rumour = "URGENT ne buvez plus l'eau du robinet, elle est contaminée, faites tourner à tous"
    call = "Rassemblement samedi à 14 h devant la mairie contre la fermeture de la piscine"
    return [
        *crowd(120, sentiment="negative", topics=("T20",)),
        *crowd(20, text=rumour, acts=("claim",), network="bluesky"),
        *crowd(20, text=call, acts=("gather",), network="lemmy"),
        *crowd(2, text="On va vous brûler", acts=("threat",), risk="illicit suspected"),
        *crowd(90, text="Plus d'eau rue {number}", acts=("complaint",), services=("water",)),
        *crowd(20, text="Quand rue {number} ?", acts=("question",), services=("waste",)),
    ]


@pytest.mark.parametrize("rule", rules.names())
def test_a_rule_returns_alerts_under_its_own_name_and_version(rule: str) -> None:
    connection = empty()
    quiet_history(connection, scopes=("all", "T20"))
    say(connection, _everything())
    reading = {"source": "presse", "every": 60, "from": 9000, "to": 600, "accepted": 1}
    heard = {"source": "mastodon", "counts": [3, *[60] * 28]}
    rule_cases.give(connection, {"readings": [reading], "heard": [heard]})
    connection.execute(
        "insert into mention_metric select mention_id, published_at, published_at, 9, 9, 9, 0, 0"
        " from mention"
    )
    with detect.read(connection, as_of=AS_OF, zone=PARIS):
        alerts = detect.evaluate(connection, rule, as_of=AS_OF)
    assert alerts
    for alert in alerts:
        assert isinstance(alert, Alert)
        assert (alert.rule_id, alert.rule_version) == (rule, rules.read(rule).version)
        assert alert.level >= 0.6
        assert isinstance(json.loads(alert.parameters), dict)
        assert len(alert.message_ids) <= 3


@pytest.mark.parametrize("rule", rules.names())
def test_a_rule_says_nothing_of_an_empty_warehouse(rule: str) -> None:
    connection = empty()
    rule_cases.give(connection, {})
    assert detect.evaluate(connection, rule, as_of=AS_OF) == []


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_two_calls_that_as_many_repeat_the_same_one_is_told(order: tuple[int, int]) -> None:
    call = {"is_call": True, "is_dated": True, "author_count": 6, "mention_count": 6}
    calls = [call | {"spread_id": name, "message_ids": [name]} for name in "ab"]
    connection = empty()
    rule_cases.give(connection, {"spread": [calls[place] for place in order]})
    [alert] = detect.evaluate(connection, "call_to_gather", as_of=AS_OF)
    assert alert.message_ids == ("a",)


def test_what_was_published_at_the_moment_or_later_is_not_read() -> None:
    connection = empty()
    quiet_history(connection, scopes=("all",))
    say(connection, [Said(at=AS_OF, text="On va", acts=("threat",), risk="illicit suspected")])
    with detect.read(connection, as_of=AS_OF, zone=PARIS):
        assert detect.evaluate(connection, "threat", as_of=AS_OF) == []


def test_a_rule_with_other_columns_is_named_with_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipelines.warehouse.sql", lambda _: "select 1 as rule_id, 2 as oops")
    with pytest.raises(WarehouseError, match=r"sql/alerts/new\.sql .* oops"):
        detect.evaluate(empty(), "new", as_of=AS_OF)


def test_a_rule_with_a_value_that_no_alert_has_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = ", ".join(f"'x' as {name}" for name in COLUMNS)
    monkeypatch.setattr("pipelines.warehouse.sql", lambda _: f"select {columns}")
    with pytest.raises(WarehouseError, match=r"sql/alerts/new\.sql returns a row that is no Alert"):
        detect.evaluate(empty(), "new", as_of=AS_OF)


def test_a_case_that_fails_says_what_was_expected_and_what_was_found() -> None:
    [case] = [c for c in rule_cases.cases("threat") if c["name"] == "one threat is enough"]
    wrong = case | {"expected": [{"severity": "warning"}]}
    told = rule_cases.trouble("threat", wrong)
    assert told == "severity: 'warning' expected, 'critical' found"
    assert rule_cases.trouble("threat", case | {"expected": []}) == (
        "0 alerts expected, 1 made (risk:illicit 1.00)"
    )


def test_a_case_with_a_word_that_means_nothing_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tomllib.loads", lambda _: {"case": [{"name": "x", "givn": []}]})
    with pytest.raises(VigieError, match="names 'givn'"):
        rule_cases.cases("threat")


def test_a_rule_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(VigieError, match="there is no rule 'oops': choose of call_to_gather"):
        rule_cases.names(["oops"])


def test_the_defaults_of_a_case_are_columns_of_what_rules_read() -> None:
    connection = empty()
    with detect.read(connection, as_of=AS_OF, zone=PARIS):
        for name, row in (("signal", rule_cases.SIGNAL), ("spread", rule_cases.SPREAD)):
            assert set(row) == set(connection.execute(f"from {name}").to_arrow_table().schema.names)
    assert set(asdict(_alert())) == set(COLUMNS)


def _alert() -> Alert:
    connection = empty()
    rule_cases.give(connection, rule_cases.cases("threat")[0])
    return detect.evaluate(connection, "threat", as_of=AS_OF)[0]
