"""The given/expected cases beside each rule: `sql/alerts/<rule>.toml`, run by `vigie rules test`.

A case gives rows and says which alerts the rule makes of them:

    [[case]]
    name = "what it shows"
    given = [{ … }]      # rows of `signal`; what is left out stands in `SIGNAL`
    acts = [{ … }]       # rows of `signal_act`
    spread = [{ … }]     # rows of `spread`
    engagement = [{ … }] # rows of `engagement`
    heard = [{ … }]      # days of a source: source, counts (mentions a day, the last one first)
    said = [{ … }]       # mentions: minutes (ago), text, author, acts, act_p, risk
    readings = [{ … }]   # of sources: source, from, to and every (minutes ago), accepted, status
    expected = [{ … }]   # one row an alert, by subject and scope; only the named columns count

Each case runs in a warehouse of its own, in memory, without any mention but its own.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from models.acts import ACTS
from pipelines import detect, rules, warehouse
from pipelines.errors import VigieError
from pipelines.mention import text_hash

AS_OF = datetime(2026, 11, 20, 10, 25, tzinfo=UTC)  # a Friday, 11:25 in Paris
ZONE = ZoneInfo("Europe/Paris")
SIGNAL: dict[str, Any] = {
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
    "negative_burst": None,
}
ACT = SIGNAL | {
    "scope": "act:gather",
    "mention_count": 1,
    "text_count": 1,
    "author_count": 1,
    "expected": 0.5,
    "low": 0.0,
    "high": 3.0,
    "day_mean": 8.0,
}
SPREAD: dict[str, Any] = {
    "window_minutes": 60,
    "subject_id": "eau",
    "spread_id": "s1",
    "is_claim": False,
    "is_call": False,
    "is_dated": False,
    "is_denial": False,
    "mention_count": 2,
    "text_count": 1,
    "author_count": 2,
    "window_count": 20,
    "place_count": 0,
    "danger_count": 0,
    "since_at": AS_OF - timedelta(minutes=40),
    "message_ids": ["m1"],
}
SAID: dict[str, Any] = {
    "minutes": 10,
    "text": "Un message",
    "author": "a1",
    "acts": [],
    "act_p": {},
    "risk": "information",
    "is_own": False,
}
ENGAGEMENT: dict[str, Any] = {
    "subject_id": "eau",
    "gained_count": 40.0,
    "expected": 20.0,
    "low": 0.0,
    "high": 60.0,
    "score": 0.5,
    "top_share": 0.3,
    "message_count": 8,
    "message_ids": ["m1"],
    "is_warming_up": False,
}
_DEFAULTS = {
    "signal": SIGNAL,
    "signal_act": ACT,
    "spread": SPREAD,
    "engagement": ENGAGEMENT,
}
_GIVEN = {
    "signal": "given",
    "signal_act": "acts",
    "spread": "spread",
    "engagement": "engagement",
}
_KEYS = {"name", "said", "readings", "heard", "expected", *_GIVEN.values()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a case: `trouble` is None where the rule says what is expected."""

    rule: str
    case: str
    trouble: str | None


def cases(rule: str) -> list[dict[str, Any]]:
    """The cases of a rule; VigieError where there are none, or the file cannot be read."""
    name = f"sql/alerts/{rule}.toml"
    try:
        text = (files("sql") / "alerts" / f"{rule}.toml").read_text(encoding="utf-8")
        found: list[dict[str, Any]] = tomllib.loads(text)["case"]
    except FileNotFoundError as error:
        raise VigieError(f"{rule} has no cases: write {name} beside the rule") from error
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise VigieError(f"{name} cannot be read ({error}): compare it with another") from error
    for case in found:
        if unknown := sorted(case.keys() - _KEYS):
            raise VigieError(
                f"{name} names {unknown[0]!r}, which a case has not: choose of "
                f"{', '.join(sorted(_KEYS))}"
            )
    return found


def run(rule: str) -> list[Outcome]:
    """Every case of a rule."""
    return [
        Outcome(rule=rule, case=str(case.get("name")), trouble=trouble(rule, case))
        for case in cases(rule)
    ]


def trouble(rule: str, case: Mapping[str, Any]) -> str | None:
    """What a rule says that a case does not expect; None where they agree."""
    with closing(empty()) as connection:
        give(connection, case)
        alerts = detect.evaluate(connection, rule, as_of=AS_OF)
    said = sorted(map(asdict, alerts), key=lambda row: (row["subject_id"] or "", row["scope"]))
    wanted = case["expected"]
    if len(said) != len(wanted):
        levels = ", ".join(f"{row['scope']} {row['level']:.2f}" for row in said)
        return f"{len(wanted)} alerts expected, {len(said)} made ({levels or 'none'})"
    wrong = (_wrong(row, expected) for row, expected in zip(said, wanted, strict=True))
    return next(filter(None, wrong), None)


def _wrong(row: Mapping[str, Any], expected: Mapping[str, Any]) -> str | None:
    for name, value in expected.items():
        if name not in row:
            return f"an alert has no column {name!r}"
        if not _are_equal(row[name], value):
            return f"{name}: {value!r} expected, {row[name]!r} found"
    return None


def _are_equal(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, float) and isinstance(found, (int, float)):
        return math.isclose(found, wanted, abs_tol=1e-3)
    return bool(list(found) == wanted if isinstance(wanted, list) else found == wanted)


def empty() -> duckdb.DuckDBPyConnection:
    """A warehouse in memory with every table and view, and nothing in them."""
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    warehouse.migrate(connection)
    warehouse.create_views(connection)
    return connection


def give(connection: duckdb.DuckDBPyConnection, case: Mapping[str, Any]) -> None:
    """Put the rows of a case where rules read them."""
    for name, schema in _schemas().items():
        rows = [_DEFAULTS[name] | row for row in case.get(_GIVEN[name], ())]
        connection.register(name, pa.Table.from_pylist(rows, schema=schema))
    for name in sorted(
        {"mastodon", "presse"}
        | {r["source"] for key in ("readings", "heard") for r in case.get(key, ())}
    ):
        connection.execute("insert into source_block values ($name, 'x', 5, 180)", {"name": name})
    for reading in case.get("readings", ()):
        for minutes in range(reading["to"], reading["from"] + 1, reading["every"]):
            _read(connection, reading, minutes)
    for days in case.get("heard", ()):
        _hear(connection, days)
    for number, row in enumerate(case.get("said", ())):
        _say(connection, SAID | row, number)


@cache
def _schemas() -> Mapping[str, pa.Schema]:
    """The schemas of what rules read as their makers make them, so that no case invents a column;
    of a warehouse without a row, once for all cases."""
    with closing(empty()) as connection, detect.read(connection, as_of=AS_OF, zone=ZONE):
        asked = {name: f"from {name} limit 0" for name in detect.TABLES}
        return {n: connection.execute(sql).to_arrow_table().schema for n, sql in asked.items()}


def _read(connection: duckdb.DuckDBPyConnection, reading: Mapping[str, Any], minutes: int) -> None:
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


def _hear(connection: duckdb.DuckDBPyConnection, days: Mapping[str, Any]) -> None:
    """The hours of a source, each day's mentions in its first hour, all read whole."""
    last = AS_OF.replace(minute=0)
    for day, count in enumerate(days["counts"]):
        for hour in range(24):
            row = {"source": days["source"], "at": last - timedelta(hours=24 * day + 24 - hour)}
            connection.execute(
                "insert into source_hour select $source, 'x', $at, 3600, 3600, 0, 0, 12, 0, 0, 0,"
                " $count, $count, 0, null, null",
                row | {"count": count if hour == 0 else 0},
            )


def _say(connection: duckdb.DuckDBPyConnection, said: Mapping[str, Any], number: int) -> None:
    at = AS_OF - timedelta(minutes=said["minutes"])
    row = {
        "id": f"m{number}",
        "at": at,
        "text": said["text"],
        "hash": text_hash(said["text"]),
        "author": said["author"],
        "is_own": said["is_own"],
    }
    connection.execute(
        "insert into mention by name select $id as mention_id, 'x' as source, 'x' as source_name,"
        " 'x' as network, $id as native_id, 'post' as content_type, 'search' as collected_via,"
        " ['eau'] as subject_ids, $text as text, false as text_truncated, $hash as text_hash,"
        " $at as published_at, 'second' as published_precision, false as published_clamped,"
        " $at as first_seen_at, $at as last_seen_at, $author as author_key, $is_own as is_own,"
        " [] as hashtags, [] as mentioned_handles, [] as urls, [] as media_types,"
        " 'public' as visibility, false as optout, cast($at as date) + 30 as retention_until,"
        " '1' as connector_version, 1 as schema_version, 'x' as run_id",
        row,
    )
    scored = {"id": row["id"], "at": at, "hash": row["hash"], "risk": said["risk"]}
    chances: Sequence[float] = [said["act_p"].get(act, 0.0) for act in ACTS]
    connection.execute(
        "insert into score by name select $id as mention_id, 'x' as scorer_id,"
        " $hash as text_hash, 'neutral' as sentiment, [] as topics, [] as topic_p,"
        " $at as scored_at, $at as published_at, $acts as acts, $act_p as act_p, $risk as risk,"
        " [] as aspects",
        scored | {"acts": list(said["acts"]), "act_p": list(chances)},
    )


def names(only: Sequence[str]) -> list[str]:
    """The rules named in `only`, or all; VigieError for one that is not there."""
    known = rules.names()
    if unknown := sorted(set(only) - set(known)):
        raise VigieError(f"there is no rule {unknown[0]!r}: choose of {', '.join(known)}")
    return list(only) or known
