"""What one evaluation costs at many subjects, and what it costs as history grows:

    python -m tests.bench.bench_signals [--subjects 100 1000] [--days 30 90] [--all-active]

An invented warehouse on disk, opened as in service (800 MB for DuckDB): mentions of the last 30
days and hours of the whole history, some mentions with topics, acts, a service. Most subjects
are quiet (lognormal, median 1.5 mentions a day, a few hundred a day at most), five are in a burst;
with `--all-active` every subject has 60 a day. Prints seconds of `detect.detect` and the peak
memory of its process, of the first tick of a day and of a later one.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipelines import detect, warehouse
from tests.pipelines.watched import settings

AS_OF = datetime(2026, 11, 20, 10, 25, tzinfo=UTC)
KEPT_DAYS = 30  # of mentions, as the template of vigie.toml keeps them
BURSTS = 5
BURST_MENTIONS = 80

_RATES = """
create temp table rate as
select
    'c' || lpad(cast(n as varchar), 5, '0') as subject_id,
    if($is_active, 60.0, least(exp(0.4 + 1.6 * z), 400.0)) as a_day
from (
    select n, sqrt(-2 * ln(random() + 1e-9)) * cos(6.283185 * random()) as z
    from range($subjects) as r (n)
)
"""
# Counts by hour: near enough Poisson for a cost; by day twice as many as by night.
_HOURS = """
create temp table said_hour as
select
    subject_id,
    $as_of - to_hours(cast(h as integer)) - interval 25 minute as hour_at,
    cast(floor(a_day / 24 * (1 + 0.6 * sin(h / 24 * 6.283185)) * -ln(random() + 1e-9) + random())
        as integer) as mention_count
from rate, range(1, $hours) as r (h)
"""
_HOURLY = """
insert into hourly
select hour_at, subject_id, scope, greatest(mention_count // share, 1), mention_count // share,
    mention_count // share // 4, 0, mention_count
from said_hour, (values ('all', 1), ('T09', 6), ('T12', 8), ('act:question', 8),
    ('act:claim', 12), ('service:roads', 15)) as s (scope, share)
where mention_count > 0 and (share = 1 or random() * share < mention_count)
order by hour_at
"""
_SAID = """
create temp table said as
select subject_id, hour_at + to_microseconds(cast(random() * 3.5e9 as bigint)) as said_at
from said_hour, range(mention_count) as r (n)
where hour_at >= $as_of - to_days($kept)
union all
select subject_id, $as_of - to_microseconds(cast(random() * 2.4e9 as bigint)) as said_at
from (select subject_id from rate order by a_day desc offset 20 limit $bursts), range($burst)
"""
_MENTION = """
insert into mention by name
select
    md5(cast(row_number() over (order by said_at) as varchar)) as mention_id, 'x' as source,
    'x' as source_name, 'mastodon' as network, 'n' as native_id, 'post' as content_type,
    'search' as collected_via, [subject_id] as subject_ids,
    'Un message de la commune ' || number as text,
    false as text_truncated, md5(number) as text_hash, said_at as published_at,
    'second' as published_precision, false as published_clamped, said_at as first_seen_at,
    said_at as last_seen_at, said_at as metrics_at,
    md5(cast(cast(random() * 1e6 as integer) as varchar)) as author_key,
    false as is_own, cast(random() * 3 as integer) as like_count,
    cast(random() * 2 as integer) as share_count, 0 as reply_count,
    [] as hashtags, [] as mentioned_handles, [] as urls, [] as media_types,
    'public' as visibility, false as optout, cast(said_at as date) + 30 as retention_until,
    '1' as connector_version, 1 as schema_version, 'x' as run_id
from (select *, cast(cast(random() * 1e7 as integer) as varchar) as number from said)
order by said_at
"""
_SCORE = """
insert into score by name
select mention_id, 'x' as scorer_id, text_hash,
    ['negative', 'neutral', 'positive', 'undetermined'][1 + cast(floor(random() * 4) as integer)]
        as sentiment,
    if(random() < 0.3, [['T09'], ['T12']][1 + cast(floor(random() * 2) as integer)], []) as topics,
    [] as topic_p, published_at as scored_at, published_at,
    if(random() < 0.3,
        [['question'], ['claim'], ['complaint']][1 + cast(floor(random() * 3) as integer)], [])
        as acts,
    [] as act_p, 'information' as risk, if(random() < 0.2, ['roads'], []) as aspects
from mention order by published_at
"""


def fill(home: Path, *, subjects: int, days: int, is_active: bool) -> int:
    """Make the warehouse; the number of mentions in it."""
    home.mkdir(parents=True, exist_ok=True)
    given = {"subjects": subjects, "is_active": is_active, "hours": days * 24, "as_of": AS_OF}
    given |= {"kept": KEPT_DAYS, "bursts": BURSTS, "burst": BURST_MENTIONS}
    with warehouse.opened(home) as connection:
        warehouse.migrate(connection)
        warehouse.create_views(connection)
        connection.execute("select setseed(0.5)")
        for text in (_RATES, _HOURS, _HOURLY, _SAID, _MENTION, _SCORE):
            (statement,) = connection.extract_statements(text)
            names = statement.named_parameters
            connection.execute(statement, {name: given[name] for name in names} or None)
        connection.execute("insert into source_block values ('x', 'x', 5, 180)")
        row = connection.execute("select count(*) from mention").fetchone()
    return int(row[0]) if row else 0


def measure(home: str, minutes: int, pipe: multiprocessing.connection.Connection) -> None:
    """Seconds, peak of memory in MiB and number of alerts of one evaluation, into a pipe."""
    made = settings(Path(home))
    at = AS_OF + timedelta(minutes=minutes)
    with warehouse.opened(Path(home)) as connection:
        begun = time.perf_counter()
        alerts = detect.detect(connection, settings=made, as_of=at, keeps=True)
        seconds = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    pipe.send((seconds, peak, len(alerts)))


def tick(home: Path, minutes: int) -> tuple[float, float, int]:
    """One evaluation in a process of its own, so that its peak of memory is its own."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    child = context.Process(target=measure, args=(str(home), minutes, there))
    child.start()
    there.close()  # so that a child that fails is an end, not a wait
    found: tuple[float, float, int] = here.recv()
    child.join()
    return found


def main() -> None:
    """Print the table."""
    logging.disable(logging.WARNING)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subjects", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--days", type=int, nargs="+", default=[30, 90, 365])
    parser.add_argument("--all-active", action="store_true")
    asked = parser.parse_args()
    print(f"{'subjects':>9}{'days':>6}{'mentions':>11}{'first s':>9}{'next s':>8}{'MiB':>7} alerts")
    for subjects in asked.subjects:
        for days in asked.days:
            with tempfile.TemporaryDirectory() as folder:
                home = Path(folder)
                count = fill(home, subjects=subjects, days=days, is_active=asked.all_active)
                first, after = tick(home, 0), tick(home, 5)
            peak = max(first[1], after[1])
            row = f"{subjects:>9,}{days:>6}{count:>11,}{first[0]:>9.1f}{after[0]:>8.1f}{peak:>7.0f}"
            print(f"{row}{first[2]:>7}", flush=True)


if __name__ == "__main__":
    main()
