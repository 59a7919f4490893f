"""Gaps: found when a reading fails or is cut, filled by the run that reads them, hour by hour."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipelines import gaps, load, run, spans, warehouse
from pipelines.mention import MENTION_SCHEMA, Mention, to_table
from tests.pipelines.staged import SEEN, checksums, intake, mention, one, prepared, settings, stage

NOON = SEEN.replace(hour=12, minute=0)
MINUTE = timedelta(minutes=1)


class Town:
    """A warehouse in which runs are loaded one after the other."""

    def __init__(self, home: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self.home, self.connection = home, connection

    def load(
        self,
        until: datetime,
        *,
        since: datetime,
        status: str = "ok",
        mentions: tuple[Mention, ...] = (),
        name: str | None = None,
        **changes: Any,
    ) -> None:
        """One run of one source block, as `run.load` hands it over."""
        run_id = name or run.run_id(until)
        at = changes.pop("finished_at", until)
        read = intake(
            run_id=run_id,
            since_at=since,
            until_at=until,
            status=status,
            finished_at=at,
            cursor={"at": run_id} if status == "ok" else None,
            **changes,
        )
        files = stage(self.home / "staging" / run_id, mentions, run_id=run_id, intakes=[read])
        load.load(self.connection, files, loaded_at=at)

    def outage(self, since: datetime, until: datetime, status: str = "failed") -> None:
        """Runs every five minutes that all fail, each from the last good reading on."""
        at = since
        while (at := at + 5 * MINUTE) <= until:
            self.load(at, since=since, status=status)

    def gaps(self) -> list[tuple[Any, ...]]:
        """Every gap: from, to, why, whether filled, by which run."""
        return self.connection.execute(
            "select since_at, until_at, reason, is_filled, filled_by from coverage_gap"
            " order by 1, 2"
        ).fetchall()

    def hours(self, columns: str) -> list[tuple[Any, ...]]:
        """Rows of the view `coverage` of the block that is read, by hour."""
        return self.connection.execute(
            f"select {columns} from coverage where source_name = 'masto' order by hour_at"  # noqa: S608
        ).fetchall()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    prepared(settings(tmp_path))
    with warehouse.opened(tmp_path) as connection:
        made = Town(tmp_path, connection)
        made.load(NOON, since=NOON - 60 * MINUTE)
        yield made


def test_an_outage_is_one_gap_that_grows_and_the_run_that_reads_it_fills_it(town: Town) -> None:
    end = NOON + 180 * MINUTE
    town.outage(NOON, end)
    assert town.gaps() == [(NOON, end, "failed", False, None)]
    assert town.hours("read_share, failed_count, gap_minutes")[1:] == [
        (0, 12, 60),
        (0, 12, 60),
        (0, 12, 60),
    ]
    back = end + 5 * MINUTE
    late = mention(1, published_at=NOON + 30 * MINUTE, last_seen_at=back)
    town.load(back, since=NOON, mentions=(late,))
    assert town.gaps() == [(NOON, end, "failed", True, run.run_id(back))]
    shares = town.hours("read_share, gap_minutes, filled_minutes")
    assert shares[1:4] == [(1, 0, 60)] * 3


def test_a_source_that_stays_away_for_a_year_costs_no_more_than_one_away_for_days(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[timedelta] = []
    windows_of = gaps.windows_of

    def told(connection: Any, span: tuple[datetime, datetime], **known: Any) -> Any:
        asked.append(span[1] - span[0])
        return windows_of(connection, span, **known)

    monkeypatch.setattr(gaps, "windows_of", told)
    town.load(NOON + timedelta(days=400), since=NOON, status="failed")
    assert max(asked) <= gaps.AWAY + 2 * gaps.HOUR  # not all that every source has read meanwhile
    (gap,) = town.gaps()
    assert gap[:3] == (NOON, NOON + timedelta(days=400), "failed")


def test_a_back_fill_fills_what_a_source_had_told_it_could_not_give(town: Town) -> None:
    lost = (NOON + 10 * MINUTE, NOON + 40 * MINUTE)
    town.load(NOON + 60 * MINUTE, since=NOON, gaps=(lost,), is_capped=True)
    assert town.gaps() == [(*lost, "told", False, None)]
    assert town.hours("read_share, gap_minutes, is_capped")[1] == (0.5, 30, True)
    at = NOON + 600 * MINUTE
    name = f"backfill-{run.run_id(at)}"
    town.load(lost[1], since=lost[0], name=name, finished_at=at)
    assert town.gaps() == [(*lost, "told", True, name)]
    assert town.hours("read_share, gap_minutes, filled_minutes")[1] == (1, 0, 30)
    found = gaps.gaps_of(town.connection, lost)
    assert [(g.found_by, g.filled_at) for g in found] == [(run.run_id(NOON + 60 * MINUTE), at)]


def test_a_gap_that_is_filled_in_part_is_split(town: Town) -> None:
    lost = (NOON, NOON + 60 * MINUTE)
    town.load(NOON + 60 * MINUTE, since=NOON, gaps=(lost,))
    still = (NOON + 20 * MINUTE, NOON + 30 * MINUTE)
    at = NOON + 120 * MINUTE
    town.load(
        lost[1], since=lost[0], name=f"backfill-{run.run_id(at)}", finished_at=at, gaps=(still,)
    )
    spread = [(s, u, is_filled) for s, u, _, is_filled, _ in town.gaps()]
    assert (NOON, still[0], True) in spread
    assert (still[1], lost[1], True) in spread
    assert (*still, False) in spread
    assert town.hours("gap_minutes")[1] == (10,)


def test_a_back_fill_that_fails_or_finds_less_takes_nothing_away(town: Town) -> None:
    for status, told in (("failed", ()), ("ok", ((NOON - 50 * MINUTE, NOON - 20 * MINUTE),))):
        at = NOON + (60 if told else 30) * MINUTE
        name = f"backfill-{run.run_id(at)}"
        town.load(
            NOON, since=NOON - 60 * MINUTE, name=name, finished_at=at, status=status, gaps=told
        )
    assert town.gaps() == []
    assert town.hours("read_share")[0] == (1,)


def test_a_recovery_that_says_what_is_lost_leaves_that_open(town: Town) -> None:
    end = NOON + 60 * MINUTE
    town.outage(NOON, end)
    lost = (NOON, NOON + 40 * MINUTE)
    town.load(end + 5 * MINUTE, since=NOON, gaps=(lost,))
    told = [(s, u, why, is_filled) for s, u, why, is_filled, _ in town.gaps()]
    assert (*lost, "told", False) in told
    assert (lost[1], end, "failed", True) in told
    assert town.hours("read_share, gap_minutes")[1] == (pytest.approx(1 / 3), 40)


def test_the_same_runs_loaded_again_in_any_order_change_nothing(town: Town) -> None:
    end = NOON + 30 * MINUTE
    town.outage(NOON, end)
    back, lost = end + 5 * MINUTE, (NOON + 5 * MINUTE, NOON + 10 * MINUTE)
    town.load(back, since=NOON, gaps=(lost,))
    at = back + 5 * MINUTE
    fill: dict[str, Any] = {"since": lost[0], "name": f"backfill-{run.run_id(at)}"}
    town.load(lost[1], finished_at=at, **fill)
    before = checksums(town.connection)
    town.load(lost[1], finished_at=at, **fill)
    town.load(back, since=NOON, gaps=(lost,))
    town.outage(NOON, end)
    assert checksums(town.connection) == before


def test_a_wait_is_a_gap_of_its_own_kind(town: Town) -> None:
    town.load(NOON + 5 * MINUTE, since=NOON, status="waiting")
    assert town.gaps() == [(NOON, NOON + 5 * MINUTE, "waiting", False, None)]
    assert town.hours("waiting_count, failed_count")[1] == (1, 0)


def test_lateness_is_told_by_hour_of_publication_and_history_is_not_late(town: Town) -> None:
    seen = NOON + 65 * MINUTE
    old = tuple(
        mention(n, published_at=NOON - (60 + n) * MINUTE, last_seen_at=seen) for n in range(1, 7)
    )
    news = tuple(
        mention(10 + n, published_at=NOON + n * MINUTE, last_seen_at=seen) for n in range(1, 7)
    )
    unknown = mention(
        30, published_at=NOON + 2 * MINUTE, published_precision="day", last_seen_at=seen
    )
    town.load(seen, since=NOON, mentions=(*old, *news, unknown))
    late = dict(town.hours("hour_at, late_p50_minutes"))
    assert late[NOON] == pytest.approx(61.5)
    assert late[NOON - 60 * MINUTE] is None


def test_one_post_that_two_blocks_hear_counts_once_for_each_and_alone_for_none(town: Town) -> None:
    both = [mention(1, published_at=NOON - MINUTE), mention(2, published_at=NOON - MINUTE)]
    again = mention(1, published_at=NOON - MINUTE, source_name="presse")
    town.load(NOON + 5 * MINUTE, since=NOON, mentions=tuple(both))
    town.load(NOON + 10 * MINUTE, since=NOON + 5 * MINUTE, mentions=(again,))
    found = town.connection.execute(
        "select source_name, mention_count, only_count from source_hour"
        " where hour_at = ? order by 1",
        [NOON - 60 * MINUTE],
    ).fetchall()
    assert found == [("masto", 2, 1), ("presse", 1, 0)]
    assert one(town.connection, "select count(*) from heard") == 3
    assert one(town.connection, "select count(*) from mention") == 2


def test_an_old_export_does_not_count_years_that_nobody_listened_to(town: Town) -> None:
    old = tuple(
        mention(n, published_at=NOON - timedelta(days=40 * n), last_seen_at=NOON)
        for n in range(1, 30)
    )
    town.load(NOON + 5 * MINUTE, since=NOON, mentions=old)
    assert one(town.connection, "select min(hour_at) from source_hour") == NOON - 60 * MINUTE
    assert one(town.connection, "select count(*) from heard") == 29


def test_scattered_hours_are_read_in_few_statements() -> None:
    hours = [NOON + timedelta(days=3 * n) for n in range(100)]
    groups = gaps._groups(hours)
    assert len(groups) == 10
    assert [hour for group in groups for hour in group] == hours
    assert all(group[-1] - group[0] < gaps.LONGEST for group in groups)
    assert len(gaps._groups(hours[:8])) == 8


def test_a_home_of_an_older_version_counts_its_hours_once(town: Town) -> None:
    before = town.hours("hour_at, read_share")
    town.connection.execute("delete from source_hour")
    town.load(NOON + 5 * MINUTE, since=NOON)
    assert town.hours("hour_at, read_share")[: len(before)] == before


def test_a_day_that_has_begun_to_expire_keeps_its_hours(town: Town) -> None:
    town.connection.execute("insert into frozen_day values (?, ?)", [NOON.date(), NOON])
    before = town.hours("hour_at, run_count")
    town.load(NOON + 5 * MINUTE, since=NOON)
    assert town.hours("hour_at, run_count") == before


def test_hours_and_spans_agree_on_what_was_read(town: Town) -> None:
    end = NOON + 45 * MINUTE
    town.outage(NOON, end)
    town.load(end + 5 * MINUTE, since=NOON, gaps=((NOON, NOON + 20 * MINUTE),))
    span = (NOON - 60 * MINUTE, NOON + 60 * MINUTE)
    read = gaps.read_spans(
        gaps.windows_of(town.connection, span), gaps.gaps_of(town.connection, span)
    )
    hours = one(town.connection, "select sum(read_seconds) from source_hour")
    assert spans.seconds(read) == hours
    assert all(before[1] < after[0] for before, after in pairwise(read))


def test_what_an_older_version_stored_is_taken_over() -> None:
    with duckdb.connect() as connection:
        for name in (n for n in warehouse.sql_names("migrations") if n < "0006"):
            connection.execute(warehouse.sql(f"migrations/{name}"))
        rows = to_table([mention(1), mention(2, is_own=True)], MENTION_SCHEMA)
        connection.register("given", rows.drop_columns(["place_codes"]))  # a later version's
        connection.execute("insert into mention by name select * from given")
        ends = {"since": NOON - 60 * MINUTE, "until": NOON, "cut": NOON - 30 * MINUTE}
        connection.execute(
            "insert into intake values ('r', 'masto', 'mastodon', $since, $until, 'ok', 1, 1, 1, 0,"
            " 0, 0, 0, true, $since, $cut, null, null, $until)",
            ends,
        )
        connection.execute(warehouse.sql("migrations/0006_coverage"))
        heard = connection.execute(
            "select source_name, is_timed, is_counted from heard order by published_at"
        ).fetchall()
        found = gaps.gaps_of(connection, (NOON - 60 * MINUTE, NOON))
        start = connection.execute("select source_name from source_start").fetchall()
    assert heard == [("masto", True, False), ("masto", True, True)]
    assert [(g.span, g.reason, g.found_by) for g in found] == [
        ((ends["since"], ends["cut"]), "told", "r")
    ]
    assert start == [("masto",)]
