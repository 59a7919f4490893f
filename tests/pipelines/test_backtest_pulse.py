"""A replay asks few rules at few moments, and tells what asking all of them at all would."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pytest

from pipelines import (
    backtest_copy,
    backtest_mentions,
    backtest_pulse,
    backtest_rules,
    detect,
    warehouse,
)
from pipelines.alert import ENTER
from pipelines.backtest_copy import Copy
from pipelines.backtest_mentions import Replayed
from pipelines.settings import Settings, SourceBlock
from tests.pipelines.staged import prepared
from tests.pipelines.test_backtest_mentions import ordinary, people
from tests.pipelines.watched import Said, append, counted, crowd, say, settings

NOON = datetime(2026, 11, 19, 12, tzinfo=UTC)  # a Thursday
SINCE, UNTIL = NOON - timedelta(hours=15), NOON + timedelta(hours=12)
STEP = timedelta(minutes=30)
AN_HOUR = timedelta(hours=1)
PARIS = ZoneInfo("Europe/Paris")
SOURCES = ("silent_source", "source_drop")


def stream() -> list[Said]:
    """A rush of the angry across midnight, a threat on a step, a feed that comes back."""
    night = NOON.replace(hour=0)
    return [
        *ordinary(),
        *crowd(90, until=night + timedelta(minutes=40), minutes=70, sentiment="negative"),
        Said(at=NOON + AN_HOUR, text="Je vais vous brûler", risk="illicit suspected"),
        *_fed(),
    ]


def _fed() -> Iterator[Said]:
    """A feed that brings something every hour, but for the day before 22:00."""
    for hours in range(9 * 24):
        at = NOON + timedelta(hours=12, minutes=-13) - hours * AN_HOUR
        if not -39 * AN_HOUR < at - NOON < -14 * AN_HOUR:
            yield Said(at=at, text=f"Au conseil, {hours}", subject="ville", network="rss")


def _readings() -> pa.Table:
    """Both sources are read every hour of 30 days, but for one of them from noon to four."""
    names = ("payload", "post", "accepted", "rejected", "off_subject", "duplicate", "deleted")
    hours = [NOON + (n - 700) * AN_HOUR for n in range(720)]
    return pa.Table.from_pylist(
        [
            {"run_id": f"{name} {at}", "source_name": name, "source": name, "status": "ok"}
            | {"since_at": at, "until_at": at + AN_HOUR, "finished_at": at + AN_HOUR}
            | {f"{each}_count": 0 for each in names}
            | {"is_capped": False}
            for at in hours
            for name in ("mastodon", "rss")
            if name == "rss" or not NOON <= at < NOON + 4 * AN_HOUR
        ]
    )


def _heard() -> pa.Table:
    """What a source has brought by the hour: three, but for nothing from four in the morning on."""
    seconds = {"due": 3600, "read": 3600, "gap": 0, "filled": 0}
    counted = ("run", "failed", "waiting", "capped", "only", "timed")
    return pa.Table.from_pylist(
        [
            {"source_name": "mastodon", "source": "mastodon", "hour_at": NOON + n * AN_HOUR}
            | {f"{name}_seconds": value for name, value in seconds.items()}
            | {f"{name}_count": 0 for name in counted}
            | {"mention_count": 0 if n >= -8 else 3}
            for n in range(-600, 12)
        ]
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    blocks = tuple(SourceBlock(name=name, kind=name) for name in ("mastodon", "rss"))
    found = settings(tmp_path_factory.mktemp("home"), recipients=people(), sources=blocks)
    prepared(found)
    with warehouse.opened(found.home) as connection:
        say(connection, stream())
        append(connection, "intake", _readings())
        append(connection, "source_hour", _heard())
        counted(connection)
    return found


@pytest.fixture(scope="module")
def copy(made: Settings) -> Iterator[Copy]:
    with backtest_copy.copied(made, since=SINCE, until=UNTIL) as found:
        yield found


def replayed(copy: Copy, *, skips: bool) -> Replayed:
    """The replay of the product's rules."""
    return backtest_mentions.replay(
        copy, backtest_rules.present(), since=SINCE, until=UNTIL, step=STEP, skips=skips
    )


@pytest.mark.slow
def test_an_awkward_stream_tells_the_same_however_few_rules_are_asked(copy: Copy) -> None:
    plain, quick = (replayed(copy, skips=skips) for skips in (False, True))
    assert (quick.openings, quick.mails) == (plain.openings, plain.mails)
    assert {*SOURCES, "volume_surge", "threat"} <= {each.rule_id for each in plain.openings}
    assert {mail.kind for mail in plain.mails} >= {"firing", "escalation", "resolved"}
    assert quick.asked < 0.75 * plain.asked == 0.75 * plain.steps


@pytest.mark.parametrize("name", SOURCES)
def test_what_a_rule_about_sources_says_only_rises_within_an_hour(copy: Copy, name: str) -> None:
    """What `Within an hour: rises` promises of them."""
    seen: set[bool] = set()
    for hours in range(27):
        levels: dict[str, float] = {}
        for minutes in (0, 5, 30, 55):
            at = SINCE + timedelta(hours=hours, minutes=minutes)
            alerts = detect.evaluate(copy.connection, name, as_of=at)
            now = {alert.scope: alert.level for alert in alerts}
            assert all(now.get(scope, 0.0) >= level for scope, level in levels.items())
            levels = now
            seen.update(level >= ENTER for level in now.values())
    assert seen == {False, True}


@pytest.mark.parametrize("minutes", [7, 30, 90])  # of a step: an hour's last moment is its end
def test_a_rule_about_sources_is_due_wherever_it_enters(copy: Copy, minutes: int) -> None:
    step = timedelta(minutes=minutes)
    texts = backtest_rules.tried(None, ("silent_source.level=1.5",))
    chosen = {"silent_source": texts["silent_source"]}
    pulse = backtest_pulse.Pulse(copy.connection, chosen, step=step, zone=PARIS)
    assert pulse.rising == {"silent_source"}
    with warehouse.trying(chosen):
        for at in backtest_mentions.moments(SINCE, UNTIL, step):
            if not pulse.due(at):
                alerts = detect.evaluate(copy.connection, "silent_source", as_of=at)
                assert not any(alert.level >= ENTER for alert in alerts)


def test_only_what_the_rules_asked_read_is_made(copy: Copy) -> None:
    connection, at = copy.connection, NOON
    alone = detect.detect(connection, settings=copy.settings, as_of=at, names=SOURCES)
    every = detect.detect(connection, settings=copy.settings, as_of=at)
    assert alone == [alert for alert in every if alert.rule_id in SOURCES]
    with (
        detect.read(connection, as_of=at, zone=PARIS, wanted=("spread",)),
        pytest.raises(duckdb.CatalogException, match="signal"),
    ):
        connection.execute("from signal")
