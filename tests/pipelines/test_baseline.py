"""What is expected now: rhythm, silence, crises, clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import nbinom, poisson

from pipelines import baseline
from pipelines.baseline import HISTORY_HOURS, Window
from tests.pipelines.watched import AS_OF, Said, crowd, empty, quiet_history, say

PARIS = ZoneInfo("Europe/Paris")
Floats = NDArray[np.float64]


def signals(connection: duckdb.DuckDBPyConnection, as_of: datetime = AS_OF) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = baseline.signals(connection, as_of=as_of, zone=PARIS).to_pylist()
    return rows


def signal(
    connection: duckdb.DuckDBPyConnection, *, minutes: int = 60, scope: str = "all"
) -> dict[str, Any]:
    [row] = [
        row
        for row in signals(connection)
        if (row["window_minutes"], row["scope"], row["subject_id"]) == (minutes, scope, "eau")
    ]
    return row


def learnt(counts: Floats, as_of: datetime = AS_OF) -> tuple[baseline.Rates, Floats, Floats]:
    rows = counts[None, :]
    usable = np.ones_like(rows)
    return baseline.rates(rows, usable, baseline.clock(as_of, PARIS)), rows, usable


def test_an_even_rhythm_is_expected_to_go_on() -> None:
    counts = np.random.default_rng(3).poisson(16, HISTORY_HOURS).astype(float)
    found, rows, usable = learnt(counts)
    window = Window(until=AS_OF, minutes=60, zone=PARIS)
    assert baseline.window_mean(found, window)[0] == pytest.approx(16, abs=2)
    variance = baseline.window_variance(found, rows, usable, window)[0]
    assert 14 < variance < 26
    quarter = Window(until=AS_OF, minutes=15, zone=PARIS)
    assert baseline.window_mean(found, quarter)[0] == pytest.approx(4, abs=0.7)
    day = Window(until=AS_OF, minutes=1440, zone=PARIS)
    assert baseline.window_mean(found, day)[0] == pytest.approx(24 * 16, rel=0.05)


def test_night_and_noon_and_the_week_end_each_have_their_rate() -> None:
    hours = baseline.clock(AS_OF, PARIS)
    local, is_free = hours.kind % 24, hours.kind >= 24
    counts = np.where(local < 7, 1.0, 20.0) * np.where(is_free, 0.5, 1.0)
    found, _, _ = learnt(counts)
    noon, night, sunday = found.rate[0, 12], found.rate[0, 3], found.rate[0, 24 + 12]
    assert noon == pytest.approx(20, rel=0.1)
    assert night == pytest.approx(1, rel=0.2)
    assert sunday == pytest.approx(10, rel=0.25)


def test_one_wild_hour_of_the_past_hardly_moves_what_is_expected() -> None:
    calm = np.random.default_rng(3).poisson(16, HISTORY_HOURS).astype(float)
    wild = calm.copy()
    wild[-24 * 7 - 1] = 900.0
    window = Window(until=AS_OF, minutes=60, zone=PARIS)
    means = [baseline.window_mean(learnt(counts)[0], window)[0] for counts in (calm, wild)]
    assert means[1] == pytest.approx(means[0], rel=0.1)


def test_an_hour_without_a_row_is_a_zero_and_not_unknown() -> None:
    connection = empty()
    hour = {"hour_at": AS_OF - timedelta(days=27), "count": 1}
    connection.execute(
        "insert into hourly values (date_trunc('hour', $hour_at), 'eau', 'all', $count,"
        " 0, 0, 0, 1)",
        hour,
    )
    say(connection, crowd(15))
    found = signal(connection)
    assert found["expected"] < 0.1
    assert found["score"] > 10
    assert not found["is_warming_up"]


def test_the_hours_before_the_first_reading_are_not_silence() -> None:
    connection = empty()
    quiet_history(connection, days=5, rate=16)
    connection.execute(
        "insert into hourly values ($old, 'eau', 'all', 1, 1, 0, 0, 1)",
        {"old": (AS_OF - timedelta(days=20)).replace(minute=0)},
    )
    connection.execute(
        "insert into intake select 'r', 'm', 'm', $since, $until, 'ok', 0, 0, 0, 0, 0, 0, 0,"
        " false, null, null, null, null, $until",
        {"since": AS_OF - timedelta(days=5), "until": AS_OF - timedelta(days=4)},
    )
    say(connection, crowd(16))
    assert signal(connection)["expected"] == pytest.approx(16, rel=0.2)


def test_the_hours_of_an_incident_stay_out_of_what_is_expected() -> None:
    connection = empty()
    quiet_history(connection)
    say(connection, crowd(16))
    loud = {"since": AS_OF - timedelta(days=2), "until": AS_OF - timedelta(days=1)}
    connection.execute(
        "update hourly set mention_count = 60 where hour_at between $since and $until", loud
    )
    before = signal(connection)["expected"]
    connection.execute(
        "insert into incident values ('i', 'f', 'volume_surge', '1', 'eau', 'all', 'critical',"
        " 'resolved', $since, $until, $until, 60, 9, '{}')",
        loud,
    )
    after = signal(connection)["expected"]
    assert after == pytest.approx(16, rel=0.1)
    assert after < before


def test_an_incident_that_fills_most_of_the_month_is_the_new_level() -> None:
    connection = empty()
    quiet_history(connection)
    say(connection, crowd(16))
    connection.execute(
        "insert into incident values ('i', 'f', 'volume_surge', '1', 'eau', 'all', 'critical',"
        " 'firing', $since, $until, null, 60, 9, '{}')",
        {"since": AS_OF - timedelta(days=25), "until": AS_OF},
    )
    assert signal(connection)["expected"] == pytest.approx(16, rel=0.2)


@pytest.mark.parametrize(("days", "is_new"), [(1, True), (2, True), (4, False)])
def test_a_subject_warms_up_for_three_days(days: int, is_new: bool) -> None:
    connection = empty()
    quiet_history(connection, days=days, rate=3)
    say(connection, crowd(5))
    assert signal(connection)["is_warming_up"] is is_new


def test_five_hundred_mentions_end_the_warming_up_after_a_day() -> None:
    connection = empty()
    quiet_history(connection, days=2, rate=16)
    say(connection, crowd(5))
    assert not signal(connection)["is_warming_up"]


def test_a_day_that_brings_more_than_all_before_is_a_collection_that_begins() -> None:
    """Ten strays a day for five days, then a hundred in an hour; two weeks of them are known."""
    for days, is_new in ((5, True), (15, False)):
        connection = empty()
        quiet_history(connection, days=days, rate=10 / 24)
        say(connection, crowd(100))
        assert signal(connection)["is_warming_up"] is is_new


def test_a_crisis_after_days_of_history_is_no_beginning() -> None:
    connection = empty()
    quiet_history(connection, days=5, rate=12)
    say(connection, crowd(700, minutes=600))
    assert not signal(connection)["is_warming_up"]


def _not_read(connection: duckdb.DuckDBPyConnection, first: int, last: int) -> dict[str, datetime]:
    """Nothing was heard from `first` to `last` hours ago, and nobody read."""
    span = {
        "since": AS_OF.replace(minute=0) - timedelta(hours=first),
        "until": AS_OF.replace(minute=0) - timedelta(hours=last),
    }
    connection.execute("delete from hourly where hour_at >= $since and hour_at < $until", span)
    return span


@pytest.mark.parametrize("scope", ["all", "T20"])
def test_hours_that_nobody_read_are_unknown_and_not_zeros(scope: str) -> None:
    """A collector is away for a day and a half; once the gap is filled, its hours were silent."""
    connection = empty()
    quiet_history(connection, days=4, rate=200, scopes=("all", "T20"))
    say(connection, crowd(16, topics=("T20",)))
    usual = signal(connection, minutes=1440, scope=scope)
    span = _not_read(connection, 60, 24)
    silent = signal(connection, minutes=1440, scope=scope)
    gap = "insert into gap values ('mastodon', $since, $until, 'failed', 'r', $until, null, null)"
    connection.execute(gap, span)
    unread = signal(connection, minutes=1440, scope=scope)
    assert unread["expected"] == pytest.approx(usual["expected"], rel=0.1)
    assert silent["expected"] < 0.9 * unread["expected"]
    connection.execute("update gap set filled_by = 'r', filled_at = $until", {"until": AS_OF})
    assert signal(connection, minutes=1440, scope=scope) == silent


def test_a_gap_of_a_source_that_brings_little_leaves_the_hours_as_they_are() -> None:
    connection = empty()
    quiet_history(connection)
    say(connection, crowd(16))
    before = signal(connection)
    connection.execute(
        "insert into gap values ('presse', $since, $until, 'failed', 'r', $until, null, null)",
        {"since": AS_OF - timedelta(days=9), "until": AS_OF - timedelta(days=2)},
    )
    assert signal(connection) == before


def test_an_hour_read_in_part_teaches_nothing_unless_most_are_such() -> None:
    usable = np.ones((1, HISTORY_HOURS))
    unread = np.zeros((1, HISTORY_HOURS))
    unread[0, :100], unread[0, 100:200] = 0.25, 0.75
    kept = baseline._without_gaps(usable, unread)
    assert kept[0].tolist() == [0.0] * 200 + [1.0] * (HISTORY_HOURS - 200)
    unread[0, 200:] = 0.25
    kept = baseline._without_gaps(usable, unread)
    assert kept[0].tolist() == [1.0] * 100 + [0.0] * 100 + [1.0] * (HISTORY_HOURS - 200)


@pytest.mark.parametrize(
    ("end", "repeated"),
    [("2026-10-27T12:00", 2), ("2027-03-30T12:00", 0), ("2026-11-20T12:00", 1)],
)
def test_the_days_of_23_and_25_hours_are_those_they_are(end: str, repeated: int) -> None:
    as_of = datetime.fromisoformat(end).replace(tzinfo=PARIS)
    hours = baseline.clock(as_of, PARIS)
    assert len(hours.kind) == HISTORY_HOURS
    change = {2: "2026-10-25", 0: "2027-03-28", 1: "2026-11-15"}[repeated]
    instants = [hours.start + timedelta(hours=i) for i in range(HISTORY_HOURS)]
    twos = [at for at in instants if f"{at.astimezone(PARIS):%Y-%m-%d %H}" == f"{change} 02"]
    assert len(twos) == repeated


def test_the_rhythm_follows_the_clock_of_people_across_its_change() -> None:
    as_of = datetime(2026, 11, 3, 8, 0, tzinfo=UTC)
    hours = baseline.clock(as_of, PARIS)
    counts = np.where(hours.kind % 24 == 8, 50.0, 2.0)
    found, _, _ = learnt(counts, as_of)
    winter = Window(until=datetime(2026, 11, 3, 8, 0, tzinfo=UTC), minutes=60, zone=PARIS)
    assert baseline.window_mean(found, winter)[0] > 25
    summer = Window(until=datetime(2026, 11, 3, 7, 0, tzinfo=UTC), minutes=60, zone=PARIS)
    assert baseline.window_mean(found, summer)[0] < 15


def test_the_score_is_the_tail_of_the_negative_binomial() -> None:
    for observed, mean, spread in ((30, 16.0, 1.8), (5, 0.3, 2.5), (100, 16.0, 3.0)):
        size = mean / (spread - 1)
        chance = nbinom.sf(observed - 1, size, size / (size + mean))
        got = baseline.tail_score(np.array([observed]), np.array([mean]), np.array([mean * spread]))
        assert got[0] == pytest.approx(-np.log10(chance), rel=1e-6)
    got = baseline.tail_score(np.array([30]), np.array([16.0]), np.array([16.0]))
    assert got[0] == pytest.approx(-np.log10(poisson.sf(29, 16)), rel=1e-6)


def test_the_score_of_nothing_is_nothing_and_that_of_the_unheard_of_is_finite() -> None:
    got = baseline.tail_score(np.array([0, 10**6]), np.array([5.0, 1e-3]), np.array([5.0, 1e-3]))
    assert got[0] == 0
    assert got[1] == baseline.SCORE_LIMIT


def test_the_wilson_interval_is_the_published_one() -> None:
    low, high = baseline.wilson(np.array([8.0, 0.0]), np.array([10.0, 0.0]), z=1.96)
    assert (low[0], high[0]) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert (low[1], high[1]) == (0.0, 1.0)


def test_copies_count_once_in_shares_and_each_in_the_volume() -> None:
    connection = empty()
    quiet_history(connection)
    say(connection, crowd(30, text="La même phrase", sentiment="negative"))
    say(connection, crowd(10, text="Une autre, la {number}", network="bluesky"))
    found = signal(connection)
    assert (found["mention_count"], found["text_count"]) == (40, 11)
    assert found["negative_share"] == pytest.approx(1 / 11)


def test_what_the_institution_posts_itself_does_not_count() -> None:
    connection = empty()
    quiet_history(connection)
    say(connection, crowd(30, is_own=True))
    assert signals(connection) == []


def test_a_post_that_is_only_dated_counts_in_the_day_and_not_in_the_hour() -> None:
    connection = empty()
    quiet_history(connection)
    say(connection, crowd(6, precision="day"))
    assert [row["window_minutes"] for row in signals(connection)] == [1440]


def test_a_medium_is_one_voice_by_its_site() -> None:
    connection = empty()
    quiet_history(connection)
    say(connection, [Said(at=AS_OF - timedelta(minutes=i + 1), text=f"{i}") for i in range(5)])
    assert signal(connection)["author_count"] == 1


def test_nothing_published_later_changes_what_a_moment_says() -> None:
    connection = empty()
    quiet_history(connection)
    say(connection, crowd(20))
    before = signals(connection)
    say(connection, crowd(50, until=AS_OF + timedelta(hours=2), network="bluesky", topics=("T10",)))
    later = AS_OF.replace(minute=0)
    connection.execute(
        "insert into hourly values ($at, 'eau', 'all', 900, 0, 0, 0, 1)", {"at": later}
    )
    assert signals(connection) == before


def test_counting_some_subjects_at_a_time_counts_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = empty()
    for subject in ("eau", "ecole", "voirie", "ville"):
        said = [
            Said(at=AS_OF - timedelta(minutes=7 * n), subject=subject, text=f"{subject} {n}")
            for n in range(12)
        ]
        say(connection, said)
    whole = signals(connection)
    monkeypatch.setattr(baseline, "AT_ONCE", 7)
    assert signals(connection) == whole
    assert len({row["subject_id"] for row in whole}) == 4


@pytest.mark.parametrize("is_first_laid_last", [True, False])
def test_a_text_counts_in_the_tone_of_its_first_message(is_first_laid_last: bool) -> None:
    """However its copies lie in the table; a title is read too, so that tones of a text differ."""
    connection = empty()
    said = [
        Said(at=AS_OF - timedelta(minutes=n), text="Fermée", sentiment=tone)
        for n, tone in ((50, "negative"), (20, "positive"), (10, "positive"))
    ]
    said += crowd(4)
    for each in reversed(said) if is_first_laid_last else said:
        say(connection, [each])
    assert signal(connection)["negative_count"] == 1
