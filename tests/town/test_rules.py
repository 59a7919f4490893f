"""The rules on twelve days of Valbrume, scored by the models that ship: quiet days and a crisis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pytest

from models.language import detect as languages
from pipelines import detect
from pipelines.alert import ENTER, Alert
from pipelines.mention import MENTION_SCHEMA
from pipelines.score import load_suite
from tests.pipelines.watched import Said, append, counted, empty, mention_row, score_row
from tests.town.life import Told, two_weeks

ZONE = ZoneInfo("Europe/Paris")
QUIET_ON = (24, 27, 29)  # of September: a weekday, a Sunday, a weekday
OURS = (
    *("claim_spreads", "call_to_gather", "threat", "service_outage", "questions_surge"),
    *("engagement_surge", "topic_surge", "negative_surge", "volume_surge"),
)


def _scored(told: list[Told]) -> Iterator[Said]:
    texts = [each.text for each in told]
    found = load_suite(tone="embedded").score(texts, languages(texts))
    for n, each in enumerate(told):
        yield Said(
            at=each.at,
            text=each.text,
            author=f"{each.author:064x}",
            subject="ville",
            network=each.network,
            is_own=each.is_own,
            sentiment=found.tone.labels[n],
            topics=tuple(found.found.topics[n]),
            acts=tuple(found.done.acts[n]),
            risk=found.done.risks[n],
            services=tuple(found.services[n]),
        )


def _loaded(extra: list[Said]) -> duckdb.DuckDBPyConnection:
    connection = empty()
    said = [*_scored(two_weeks()[0]), *extra]
    mentions = [mention_row(each, str(n)) for n, each in enumerate(said)]
    append(connection, "mention", pa.Table.from_pylist(mentions, schema=MENTION_SCHEMA))
    scores = [score_row(each, str(n)) for n, each in enumerate(said)]
    append(connection, "score", pa.Table.from_pylist(scores))
    _look(connection, two_weeks()[0])
    counted(connection)
    return connection


def _look(connection: duckdb.DuckDBPyConnection, told: list[Told]) -> None:
    """Each post is looked at a quarter of an hour after it, and after four hours."""
    keys = [
        mention_row(Said(at=told[n].at, text="", network=told[n].network), str(n))["mention_id"]
        for n in range(len(told))
    ]
    rows = [
        {"mention_id": key, "published_at": each.at, "counted_at": each.at + after}
        | {"like_count": each.likes // of, "reply_count": each.replies // of}
        | {"share_count": each.shares // of}
        for key, each in zip(keys, told, strict=True)
        for after, of in ((timedelta(minutes=15), 3), (timedelta(hours=4), 1))
    ]
    append(connection, "mention_metric", pa.Table.from_pylist(rows))


@pytest.fixture(scope="module")
def town() -> duckdb.DuckDBPyConnection:
    return _loaded([])


def entering(connection: duckdb.DuckDBPyConnection, at: datetime) -> list[Alert]:
    with detect.read(connection, as_of=at, zone=ZONE):
        alerts = [a for rule in OURS for a in detect.evaluate(connection, rule, as_of=at)]
    return [alert for alert in alerts if alert.level >= ENTER]


@pytest.mark.slow
def test_quiet_days_are_quiet(town: duckdb.DuckDBPyConnection) -> None:
    hours = [datetime(2026, 9, day, hour, tzinfo=UTC) for day in QUIET_ON for hour in range(5, 23)]
    assert [alert for at in hours for alert in entering(town, at)] == []


@pytest.mark.slow
def test_the_rumour_is_told_within_the_hour_and_is_critical_soon_after(
    town: duckdb.DuckDBPyConnection,
) -> None:
    begun = datetime(2026, 10, 1, 14, tzinfo=UTC)
    severities: dict[timedelta, str] = {}
    for minutes in range(0, 121, 15):
        for alert in entering(town, begun + timedelta(minutes=minutes)):
            if alert.rule_id == "claim_spreads":
                severities.setdefault(timedelta(minutes=minutes), alert.severity)
    assert min(severities) <= timedelta(minutes=60)
    assert severities[timedelta(minutes=120)] == "critical"


@pytest.mark.slow
def test_each_rule_speaks_of_what_it_is_for_on_a_quiet_day() -> None:
    at = datetime(2026, 9, 29, 15, tzinfo=UTC)
    call = "Rassemblement samedi à 14 h devant la mairie de Valbrume contre la fermeture de classe"
    said = [
        Said(at=at - timedelta(minutes=n), text=text, author=f"a{n:063x}", subject="ville", **more)
        for n in range(1, 13)
        for text, more in (
            (call, {"acts": ("gather",)}),
            (f"Toujours pas d'eau rue {n}", {"acts": ("complaint",), "services": ("water",)}),
            (f"Quand passe-t-on rue {n} ?", {"acts": ("question",), "services": ("waste",)}),
        )
    ]
    threat = {"acts": ("threat",), "risk": "illicit suspected"}
    said.append(
        Said(at=at - timedelta(minutes=3), text="On va tout brûler", subject="ville", **threat)  # type: ignore[arg-type]
    )
    found = Counter((a.rule_id, a.scope) for a in entering(_loaded(said), at))
    assert found == {
        ("call_to_gather", "all"): 1,
        ("threat", "risk:illicit"): 1,
        ("service_outage", "service:water"): 1,
        ("questions_surge", "question:waste"): 1,
        ("volume_surge", "all"): 1,  # of all of them together
    }
