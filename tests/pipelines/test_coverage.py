"""What was read over a span, as known then; what is missing; recall; planted posts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipelines import canaries, coverage, coverage_words, run, warehouse, wording
from pipelines.coverage import Coverage, SourceCover
from pipelines.settings import Canary
from tests.pipelines.staged import SEEN, mention, prepared, settings
from tests.pipelines.test_gaps import Town

PARIS = ZoneInfo("Europe/Paris")
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NOON = SEEN.replace(hour=12, minute=0)
CANARY = Canary(
    id="matin", word="veillevalbrume7f3k", daily_at=time(9, 0), sources=("masto", "presse")
)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    """Ten days read hour by hour, two posts of `masto` and six of `presse` in each."""
    prepared(settings(tmp_path, canaries=(CANARY,)))
    with warehouse.opened(tmp_path) as connection:
        made = Town(tmp_path, connection)
        since = NOON - timedelta(days=10)
        made.load(since + HOUR, since=since)
        made.load(since + HOUR, since=since, source_name="presse", name="first-presse")
        number = iter(range(1, 10_000))
        posts = tuple(
            mention(
                next(number),
                published_at=since + hour * HOUR + minute * MINUTE,
                last_seen_at=since + (hour + 1) * HOUR,
                source_name=name,
            )
            for hour in range(1, 240)
            for name, minutes in (("masto", (5, 35)), ("presse", range(3, 60, 10)))
            for minute in minutes
        )
        made.load(NOON, since=since + HOUR, mentions=posts)
        made.load(NOON, since=since + HOUR, source_name="presse", name=f"{run.run_id(NOON)}-p")
        yield made


def _between(town: Town, since: datetime, until: datetime, as_of: datetime | None = None) -> Any:
    return coverage.between(
        town.connection, since=since, until=until, as_of=as_of or until, zone=PARIS
    )


def _masto(found: Coverage) -> SourceCover:
    return next(source for source in found.sources if source.name == "masto")


def _read_presse(town: Town, since: datetime, until: datetime, posts: int = 0) -> None:
    """The other source reads on, and hears as many posts."""
    step = (until - since) / max(posts, 1)
    heard = tuple(
        mention(90_000 + n, published_at=since + step * n, last_seen_at=until, source_name="presse")
        for n in range(posts)
    )
    town.load(
        until, since=since, source_name="presse", name=f"{run.run_id(until)}-p", mentions=heard
    )


def test_a_day_that_was_read_is_whole_and_its_lateness_is_known(town: Town) -> None:
    found = _between(town, NOON - timedelta(days=1), NOON)
    assert found.is_whole
    assert (found.unheard_count, found.unheard_share) == (0, 0)
    assert _masto(found).read_share == 1
    assert _masto(found).mention_count == 48
    assert _masto(found).usual_count == pytest.approx(48, rel=0.02)
    assert _masto(found).late_p50 == pytest.approx(40, abs=16)


def test_what_is_missing_follows_the_pace_that_the_others_kept(town: Town) -> None:
    end = NOON + 3 * HOUR
    town.outage(NOON, end)
    _read_presse(town, NOON, end, posts=90)  # five times its usual eighteen
    masto = _masto(_between(town, NOON, end))
    assert masto.unread == ((NOON, end),)
    assert masto.state == "late"
    assert masto.usual_unheard == pytest.approx(6, rel=0.05)
    assert masto.unheard_count == pytest.approx(30, rel=0.1)


def test_a_gap_that_is_filled_later_was_open_when_it_was_told(town: Town) -> None:
    end = NOON + 3 * HOUR
    town.outage(NOON, end)
    _read_presse(town, NOON, end)
    town.load(end + 5 * MINUTE, since=NOON)
    then = _masto(_between(town, NOON, end))
    later = _masto(_between(town, NOON, end, end + 6 * MINUTE))
    assert (then.is_whole, later.is_whole) == (False, True)
    assert [g.filled_by for g in then.gaps] == [None]
    assert [g.filled_by for g in later.gaps] == [run.run_id(end + 5 * MINUTE)]


def test_what_the_next_run_will_read_is_no_gap(town: Town) -> None:
    soon = NOON + 10 * MINUTE
    assert _between(town, NOON - HOUR, soon).is_whole


def test_a_day_of_the_past_is_judged_by_its_own_readings(town: Town) -> None:
    town.outage(NOON, NOON + 2 * HOUR)
    found = _between(town, NOON - timedelta(days=1), NOON - HOUR, NOON + 2 * HOUR)
    assert found.is_whole
    spoken = wording.words("fr", PARIS, name="coverage")
    assert coverage_words.troubles(_masto(found), found, spoken) == []


def test_a_day_long_ago_is_not_judged_by_the_weeks_since(town: Town) -> None:
    found = _between(town, NOON - timedelta(days=1), NOON, NOON + timedelta(days=60))
    assert (_masto(found).state, _masto(found).read_share) == ("ok", 1)
    spoken = wording.words("fr", PARIS, name="coverage")
    assert coverage_words.troubles(_masto(found), found, spoken) == []


def test_before_a_source_was_set_up_nothing_was_due(town: Town) -> None:
    start = NOON - timedelta(days=10)
    found = _masto(_between(town, start - timedelta(days=1), start, NOON))
    assert (found.due, found.read_share, found.is_whole) == ((), None, True)


def test_without_a_week_of_history_nobody_says_how_much_is_missing(tmp_path: Path) -> None:
    prepared(settings(tmp_path))
    with warehouse.opened(tmp_path) as connection:
        made = Town(tmp_path, connection)
        made.load(NOON, since=NOON - timedelta(days=2))
        made.outage(NOON, NOON + 3 * HOUR)
        found = _between(made, NOON, NOON + 3 * HOUR)
    assert found.unheard_count is None
    assert found.missing_share is None
    spoken = wording.words("en", PARIS, name="coverage")
    assert "too short to say" in str(coverage_words.effect(found, spoken))


# --- recall


def _overlapping(town: Town, first: int, both: int, second: int) -> None:
    """Posts of the hour before NOON that `masto`, both, or `presse` heard."""
    at = NOON - 90 * MINUTE
    only = [mention(50_000 + n, published_at=at, last_seen_at=NOON) for n in range(first + both)]
    other = [
        mention(50_000 + first + n, published_at=at, last_seen_at=NOON, source_name="presse")
        for n in range(both + second)
    ]
    town.load(NOON, since=NOON - HOUR, mentions=(*only, *other), name="overlap")


def test_two_sources_of_one_network_tell_how_much_both_missed(town: Town) -> None:
    _overlapping(town, first=40, both=60, second=20)
    (found,) = coverage.overlaps(town.connection, since=NOON - 2 * HOUR, until=NOON, as_of=NOON)
    assert (found.network, found.first, found.second) == ("mastodon", "masto", "presse")
    assert found.recall is not None
    counts = (found.recall.first_count, found.recall.second_count, found.recall.both_count)
    assert counts == (102, 86, 60)  # with what each heard of that hour anyway
    assert found.recall.low < found.recall.share < found.recall.high < 1


def test_an_hour_that_one_of_them_did_not_read_is_no_part_of_the_estimate(town: Town) -> None:
    _overlapping(town, first=40, both=60, second=20)
    hour = (NOON - 90 * MINUTE).replace(minute=0)
    town.connection.execute(
        "update source_hour set read_seconds = 1800 where hour_at = ? and source_name = 'presse'",
        [hour],
    )
    assert coverage.overlaps(town.connection, since=NOON - 2 * HOUR, until=NOON, as_of=NOON) == []


def test_one_article_under_two_keys_is_one_by_its_address(town: Town) -> None:
    at, link = NOON - 90 * MINUTE, "https://journal.example/a/{}"
    posts = [
        mention(
            60_000 + 100 * place + n,
            published_at=at,
            last_seen_at=NOON,
            source_name=name,
            source=name,
            network="press",
            url=link.format(n),
        )
        for place, name in enumerate(("masto", "presse"))
        for n in range(20)
    ]
    town.load(NOON, since=NOON - HOUR, mentions=tuple(posts), name="articles")
    found = coverage.overlaps(town.connection, since=NOON - 2 * HOUR, until=NOON, as_of=NOON)
    assert [(o.network, o.both_count) for o in found] == [("press", 20)]


def test_sources_that_share_too_little_say_nothing(town: Town) -> None:
    _overlapping(town, first=40, both=5, second=20)
    (found,) = coverage.overlaps(town.connection, since=NOON - 2 * HOUR, until=NOON, as_of=NOON)
    assert found.recall is None
    assert coverage_words.recalls([found], wording.words("fr", PARIS, name="coverage")) == []


# --- canaries

NINE = SEEN.replace(hour=8, minute=0)  # nine o'clock in Paris


def _plant(town: Town, heard_at: datetime, **changes: Any) -> None:
    text = "Bonjour la ville, #VeilleValbrume7F3K du matin"
    values = {"published_at": NINE + 2 * MINUTE, "text": text, "is_own": True}
    post = mention(70_000, last_seen_at=heard_at, **values | changes)
    town.load(heard_at, since=NINE, mentions=(post,), name=f"plant-{heard_at:%H%M}")


def _planted(town: Town, as_of: datetime) -> list[tuple[str, str, float | None]]:
    found = canaries.plantings(
        town.connection, [CANARY], since=NINE - HOUR, until=NINE + HOUR, as_of=as_of, zone=PARIS
    )
    return [(p.source_name, p.state, p.late_minutes) for p in found]


def test_a_planted_post_is_heard_by_one_source_and_missed_by_the_other(town: Town) -> None:
    _plant(town, NINE + 10 * MINUTE)
    assert _planted(town, NINE + 20 * MINUTE) == [
        ("masto", "heard", 8),
        ("presse", "awaited", None),
    ]
    assert _planted(town, NINE + 2 * HOUR)[1] == ("presse", "missed", None)
    assert _planted(town, NINE + 5 * MINUTE)[0] == ("masto", "awaited", None)


def test_a_planted_post_is_known_by_its_address_too(town: Town) -> None:
    town.connection.execute("update canary set word = null, url = 'https://valbrume.example/c'")
    _plant(town, NINE + 10 * MINUTE, text="Bonjour", url="https://www.valbrume.example/c/")
    assert _planted(town, NINE + 2 * HOUR)[0] == ("masto", "heard", 8)


def test_a_post_that_is_heard_again_was_heard_when_it_first_was(town: Town) -> None:
    _plant(town, NINE + 10 * MINUTE)
    _plant(town, NINE + 40 * MINUTE)
    assert _planted(town, NINE + 2 * HOUR)[0] == ("masto", "heard", 8)


def test_a_canary_may_be_planted_at_moments_of_its_own() -> None:
    once = Canary(id="c", word="veillevalbrume7f3k", planted_at=(NINE,), sources=("masto",))
    inside = canaries.moments(once, since=NINE, until=NINE + HOUR, zone=PARIS)
    assert list(inside) == [NINE]
    assert not list(canaries.moments(once, since=NINE + HOUR, until=NOON, zone=PARIS))
    daily = canaries.moments(CANARY, since=NINE - timedelta(days=2), until=NOON, zone=PARIS)
    assert [at.hour for at in daily] == [8, 8, 8]


@pytest.mark.parametrize("locale", ["fr", "en"])
def test_every_text_of_coverage_can_be_said(town: Town, locale: str) -> None:
    spoken = wording.words(locale, PARIS, name="coverage")
    town.outage(NOON, NOON + HOUR)
    _read_presse(town, NOON, NOON + HOUR, posts=9)
    _plant(town, NINE + 10 * MINUTE)
    found = _between(town, NOON - timedelta(days=2), NOON + HOUR)
    planted = canaries.plantings(
        town.connection, [CANARY], since=NINE, until=NOON, as_of=NOON, zone=PARIS
    )
    said = [
        coverage_words.headline(found, spoken),
        str(coverage_words.effect(found, spoken)),
        str(coverage_words.lateness(found, spoken)),
        *coverage_words.planted(planted, spoken),
        *(t for s in found.sources for t in coverage_words.troubles(s, found, spoken)),
    ]
    assert len(said) >= 6
    assert not [line for line in said if "{" in line or "None" in line]


def test_of_fewer_than_five_posts_no_lateness_is_told(town: Town) -> None:
    found = _between(town, NOON - 2 * HOUR, NOON)  # four posts of masto, twelve of presse
    late = {source.name: source.late_p50 for source in found.sources}
    assert late["masto"] is None
    assert late["presse"] is not None
