"""A backtest over many mentions: seconds, moments asked, peak memory.

    python -m tests.bench.bench_backtest [--mentions 1000000] [--days 28]

An invented warehouse: a rhythm of day and night, a third negative, topics, claims, complaints about
services, a twentieth copied, and a crisis of three hours on the tenth day before the end.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipelines import backtest_copy, backtest_mentions, backtest_rules, warehouse
from tests.pipelines.watched import counted, settings

UNTIL = datetime(2026, 11, 20, tzinfo=UTC)
MENTIONS = """
create temp table said as
select
    range as number,
    hash(range) as dice,
    -- minutes before the end; two of three by day
    to_timestamp(
        epoch($until) - 60 * (
            1440.0 * (hash(range, 1) % $days)
            + if(hash(range, 2) % 10 < 8, 300 + hash(range, 3) % 960, hash(range, 3) % 1440)
            + (hash(range, 4) % 60000) / 60000.0
        )
    ) as said_at
from range($mentions)
union all
select
    range + 2 * $mentions,
    hash(range, 9),
    to_timestamp(epoch($until) - 86400 * 10 + (hash(range, 10) % 10800))
from range($mentions // ($days * 3))
"""
FILL = (
    """
insert into mention by name
select
    'm' || number as mention_id, 'file' as source, 'exports' as source_name, 'x' as network,
    'm' || number as native_id, 'post' as content_type, 'search' as collected_via,
    ['ville'] as subject_ids,
    'Rue ' || (dice % if(number % 20 = 0, 500, 1000000)) || ' : travaux au ' || (dice % 97)
        || ', on attend depuis ' || (dice % 89) || ' jours, merci' as text,
    false as text_truncated,
    md5(cast(dice % if(number % 20 = 0, 500, 1000000) as varchar)) as text_hash,
    said_at as published_at, 'second' as published_precision, false as published_clamped,
    said_at as first_seen_at, said_at as last_seen_at, 'a' || (dice % 20000) as author_key,
    false as is_own, [] as hashtags, [] as mentioned_handles, [] as urls, [] as media_types,
    'public' as visibility, false as optout, cast(said_at as date) + 60 as retention_until,
    '1' as connector_version, 1 as schema_version, 'x' as run_id
from said order by said_at
""",
    """
insert into score by name
select
    'm' || number as mention_id, 'x' as scorer_id, '' as text_hash,
    if(number > 2 * $mentions or dice % 3 = 0, 'negative', 'neutral') as sentiment,
    if(dice % 5 = 0, ['T0' || (1 + dice % 9)], []) as topics, [] as topic_p, said_at as scored_at,
    said_at as published_at,
    if(dice % 25 = 0, ['claim'], if(dice % 6 = 0, ['complaint'], [])) as acts,
    [0.0, 0, 0, 0, 0, 0, 0, 0] as act_p, 'information' as risk,
    if(dice % 12 = 0, ['water'], []) as aspects
from said order by said_at
""",
)


def fill(home: Path, mentions: int, days: int) -> None:
    """The warehouse of an invented town."""
    with warehouse.opened(home) as connection:
        given = {"mentions": mentions, "days": days, "until": UNTIL}
        connection.execute(MENTIONS, given)
        connection.execute(FILL[0])
        connection.execute(FILL[1], {"mentions": mentions})
        counted(connection)


def main() -> None:
    """Fill, replay, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mentions", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=28)
    options = parser.parse_args()
    since = UNTIL - timedelta(days=options.days)
    with tempfile.TemporaryDirectory() as folder:
        made = settings(Path(folder))
        warehouse.prepare(made)
        fill(made.home, options.mentions, options.days)
        started = time.perf_counter(), time.process_time()
        with backtest_copy.copied(made, since=since, until=UNTIL) as copy:
            print(f"copied in {time.perf_counter() - started[0]:.0f} s", flush=True)
            found = backtest_mentions.replay(
                copy, backtest_rules.present(), since=since, until=UNTIL
            )
        wall, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{options.mentions:,} mentions, {found.steps} moments, {found.asked} asked:"
        f" {wall:.0f} s, {cpu:.0f} s of processor, {peak:.0f} MiB"
    )
    for each in found.openings:
        print(f"  {each.fired_at:%d %b %H:%M} {each.rule_id} {each.scope} {each.severity}")


if __name__ == "__main__":
    main()
