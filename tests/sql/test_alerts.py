"""Each rule of sql/alerts: rows given, rows expected, and the contract that all of them keep."""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pytest

from pipelines import detect, rules, surge
from pipelines.alert import COLUMNS, Alert
from pipelines.errors import WarehouseError
from tests.pipelines.watched import AS_OF, crowd, empty, quiet_history, say

PARIS = ZoneInfo("Europe/Paris")
CASES = Path(__file__).parent / "alerts"
DEFAULTS: dict[str, Any] = {
    "window_minutes": 60,
    "subject_id": "eau",
    "scope": "all",
    "mention_count": 16,
    "text_count": 16,
    "author_count": 16,
    "scored_count": 16,
    "negative_count": 4,
    "message_ids": ["m1"],
    "negative_message_ids": ["m2"],
    "expected": 16.0,
    "low": 8.0,
    "high": 26.0,
    "score": 0.3,
    "day_mean": 384.0,
    "negative_share": 0.25,
    "negative_share_low": 0.12,
    "negative_share_high": 0.45,
    "negative_share_expected": 0.25,
    "topic_share": 0.05,
    "topic_share_low": 0.01,
    "topic_share_high": 0.1,
    "topic_share_expected": 0.05,
    "is_warming_up": False,
    "burst": None,
    "is_flood": False,
}


def cases() -> list[Any]:
    return [
        pytest.param(path.stem, case, id=f"{path.stem}: {case['name']}")
        for path in sorted(CASES.glob("*.toml"))
        for case in tomllib.loads(path.read_text(encoding="utf-8"))["case"]
    ]


def signal_of(connection: duckdb.DuckDBPyConnection) -> pa.Schema:
    """The schema of `signal` as it is made, so that no case invents a column."""
    made = surge.signals(connection, as_of=AS_OF, zone=PARIS)
    schema: pa.Schema = made.schema
    return schema


def given(connection: duckdb.DuckDBPyConnection, case: dict[str, Any]) -> None:
    rows = [DEFAULTS | row for row in case.get("given", ())]
    connection.register("signal", pa.Table.from_pylist(rows, schema=signal_of(connection)))
    for name in ("mastodon", "presse"):
        connection.execute("insert into source_block values ($name, 'x', 5, 180)", {"name": name})
    for reading in case.get("readings", ()):
        for minutes in range(reading["to"], reading["from"] + 1, reading["every"]):
            read(connection, reading, minutes)


def read(connection: duckdb.DuckDBPyConnection, reading: dict[str, Any], minutes: int) -> None:
    until = AS_OF - timedelta(minutes=minutes)
    row = {
        "run_id": f"{until:%Y%m%dT%H%M%SZ}",
        "source": reading["source"],
        "since": until - timedelta(minutes=5),
        "until": until,
        "status": reading.get("status", "ok"),
        "accepted": reading["accepted"],
    }
    connection.execute(
        "insert into intake select $run_id, $source, 'x', $since, $until, $status, $accepted,"
        " $accepted, $accepted, 0, 0, 0, 0, false, null, null, null, null, $until",
        row,
    )


@pytest.mark.parametrize(("rule", "case"), cases())
def test_the_rule_says(rule: str, case: dict[str, Any]) -> None:
    connection = empty()
    given(connection, case)
    said = [asdict(alert) for alert in detect.evaluate(connection, rule, as_of=AS_OF)]
    said.sort(key=lambda row: (row["subject_id"] or "", row["scope"]))
    wanted = case["expected"]
    assert len(said) == len(wanted)
    for row, expected in zip(said, wanted, strict=True):
        found = {name: row[name] for name in expected}
        assert found == {
            name: pytest.approx(value, abs=1e-3) if isinstance(value, float) else value
            for name, value in expected.items()
        }


def test_every_rule_has_its_cases() -> None:
    assert sorted(path.stem for path in CASES.glob("*.toml")) == rules.names()


@pytest.mark.parametrize("rule", rules.names())
def test_a_rule_returns_alerts_under_its_own_name_and_version(rule: str) -> None:
    connection = empty()
    quiet_history(connection, scopes=("all", "T20"))
    say(connection, crowd(120, sentiment="negative", topics=("T20",)))
    given(
        connection,
        {"readings": [{"source": "presse", "every": 60, "from": 9000, "to": 600, "accepted": 1}]},
    )
    connection.unregister("signal")
    connection.register("signal", surge.signals(connection, as_of=AS_OF, zone=PARIS))
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
    given(connection, {})
    assert detect.evaluate(connection, rule, as_of=AS_OF) == []


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
