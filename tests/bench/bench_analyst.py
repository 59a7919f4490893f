"""The analysts' file on many mentions: publishing, its size, every question, a reader meanwhile.

    python -m tests.bench.bench_analyst [--mentions 10000000] [--tries 5] [--home FOLDER]

The warehouse is filled by SQL with invented rows (no text of anybody), ninety days of them. Memory
is the process's peak; publishing and asking run in processes of their own, as in use.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from pipelines import analyst, contract, warehouse
from tests.pipelines.staged import settings

MADE = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
_PIECE = 1_000_000

_MENTIONS = """
insert into mention by name
select
    printf('%016x', hash(i)) as mention_id, 'mastodon' as source,
    ['masto', 'presse', 'forum', 'bluesky'][1 + i % 4] as source_name,
    ['mastodon', 'press', 'forum', 'bluesky', 'x'][1 + i % 5] as network,
    'n' || i as native_id, if(i % 5 = 1, 'article', 'post') as content_type,
    'search' as collected_via, if(i % 7 = 0, ['ville', 'tram'], ['ville']) as subject_ids,
    'le service ' || (hash(i) % 997) || ' ' || ['ferme', 'ouvre', 'tarde', 'avance'][1 + i % 4]
    || ' rue ' || (hash(i * 3) % 4999) || if(i % 3 = 0, ' encore', ' demain') || ' vu par '
    || (hash(i * 5) % 100000) as text, false as text_truncated,
    printf('%x', hash(if(i % 11 = 0, i % 5000, i))) as text_hash, 'fr' as lang,
    $made - to_seconds(cast(7776000.0 * (1 - i / $total) as bigint)) as published_at,
    'second' as published_precision, false as published_clamped, published_at as first_seen_at,
    published_at as last_seen_at, published_at as metrics_at,
    printf('%064x', hash(i % 200000)) as author_key, i % 2000 = 0 as is_own,
    if(i % 2000 = 1, 'n' || (i - 1), null) as root_native_id,
    if(i % 2000 = 0, 'n' || (i - 7), null) as parent_native_id,
    hash(i) % 50 as like_count, hash(i * 7) % 9 as reply_count, hash(i * 9) % 9 as share_count,
    if(i % 2 = 0, 1000, null) as view_count, [] as hashtags, [] as mentioned_handles, [] as urls,
    if(i % 3 = 0, ['image'], []) as media_types, 'public' as visibility, false as optout,
    date '2027-03-01' as retention_until, '1' as connector_version, 1 as schema_version,
    'r' as run_id, if(i % 40 = 0, timestamptz '2026-11-01', null) as edited_at,
    if(i % 4 = 0, ['commune:37261'], if(i % 4 = 1, ['commune:37122'], [])) as place_codes
from range($first, $last) as t (i)
"""
_SCORES = """
insert into score by name
select
    mention_id, ['old', 'new'][1 + (hash(mention_id) % 2)::bigint] as scorer_id, text_hash, lang,
    (hash(mention_id) % 1000) / 1000 as p_negative, (1 - p_negative) / 2 as p_neutral,
    p_neutral as p_positive,
    case when p_negative > 0.6 then 'negative' when p_negative > 0.3 then 'undetermined'
        else 'neutral' end as sentiment,
    0.5 - p_negative as sentiment_score,
    ['T' || lpad(cast(1 + hash(text_hash) % 20 as varchar), 2, '0')] as topics, [0.8] as topic_p,
    published_at as scored_at, published_at, [] as subtopics,
    [['complaint'], ['question'], ['claim'], ['praise'], []][
        1 + (hash(mention_id) % 5)::bigint
    ] as acts,
    [0.9] as act_p, ['information', 'contested', 'hostile'][
        1 + (hash(mention_id) % 3)::bigint
    ] as risk,
    0.1 as p_irony, 0.5 as p_political,
    [['water:negative'], ['roads'], ['transport']][1 + (hash(mention_id) % 3)::bigint] as aspects
from mention where run_id = 'r' and mention.published_at >= $since
"""
_COUNTS = """
insert into daily by name
select cast(timezone('Europe/Paris', published_at) as date) as day_on, 'ville' as subject_id,
    network, scope, count(*) as mention_count,
    count(*) filter (where sentiment != 'undetermined') as scored_count,
    count(*) filter (where sentiment = 'negative') as negative_count,
    count(*) filter (where sentiment = 'neutral') as neutral_count, 0 as positive_count,
    count(*) filter (where sentiment = 'undetermined') as undetermined_count,
    least(count(*), 200000) as author_count
from (
    select *, unnest(['all', topics[1]]) as scope from mention_scored where not is_own
) group by 1, 2, 3, 4;
insert into hourly by name
select hour_at, 'ville' as subject_id, 'all' as scope, count(*) as mention_count,
    count(*) as scored_count, 0 as negative_count, 0 as positive_count, count(*) as author_count
from mention_scored where not is_own group by 1;
insert into mention_metric by name
select mention_id, published_at, published_at + to_hours(unnest([1, 6, 24, 72])) as counted_at,
    unnest([2, 5, 9, 12]) as like_count
from mention where like_count = 12
"""


def fill(home: Path, count: int) -> None:
    """A warehouse of `count` invented mentions with scores, counts and looks."""
    warehouse.prepare(settings(home))
    with warehouse.opened(home) as connection:
        for first in range(0, count, _PIECE):
            last = min(first + _PIECE, count)
            values = {"made": MADE, "total": float(count), "first": first, "last": last}
            connection.execute(_MENTIONS, values)
        connection.execute(_SCORES, {"since": datetime(2020, 1, 1, tzinfo=UTC)})
        for statement in connection.extract_statements(_COUNTS):
            connection.execute(statement)


_PUBLISH = """
import resource, sys, time
from datetime import datetime
from pathlib import Path
from pipelines import publish
started = time.perf_counter()
path = publish.publish(Path(sys.argv[1]), made_at=datetime.fromisoformat(sys.argv[2]))
print(time.perf_counter() - started, path.stat().st_size,
    resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def published(home: Path) -> tuple[float, int, float]:
    """Seconds, bytes and peak MiB of publishing in a process of its own."""
    made = [sys.executable, "-c", _PUBLISH, str(home), MADE.isoformat()]
    done = subprocess.run(made, capture_output=True, text=True, check=True)
    seconds, size, peak = done.stdout.split()
    return float(seconds), int(size), float(peak)


def read_meanwhile(home: Path) -> tuple[int, float]:
    """How often the file could be read while it was published anew, and the longest wait."""
    made = [sys.executable, "-c", _PUBLISH, str(home), MADE.isoformat()]
    count, longest = 0, 0.0
    with subprocess.Popen(made, stdout=subprocess.DEVNULL) as publishing:
        while publishing.poll() is None:
            started = time.perf_counter()
            with analyst.opened(home) as connection:
                connection.execute("select count(*) from mention_public").fetchone()
            longest = max(longest, time.perf_counter() - started)
            count += 1
            time.sleep(0.05)
    if publishing.returncode:
        raise SystemExit("publishing failed while the file was being read")
    return count, longest


def asked(home: Path, tries: int) -> list[tuple[str, list[float], int]]:
    """Each question with the seconds of every try and its rows."""
    found = []
    with analyst.opened(home) as connection:
        for question in contract.questions():
            times, rows = [], 0
            for _ in range(tries):
                started = time.perf_counter()
                try:
                    rows = len(connection.execute(question.sql).fetchall())
                except duckdb.Error as error:
                    raise SystemExit(f"{question.name}: {error}") from error
                times.append(time.perf_counter() - started)
            found.append((question.name, times, rows))
            print(f"{question.name:24}{statistics.median(times):9.2f}{max(times):9.2f}{rows:8}",
                flush=True)  # fmt: skip
    return found


def main() -> None:
    """The table."""
    import resource

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mentions", type=int, default=10_000_000)
    parser.add_argument("--tries", type=int, default=5)
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        home = options.home or Path(folder)
        if not (home / warehouse.WAREHOUSE).exists():
            started = time.perf_counter()
            fill(home, options.mentions)
            print(f"warehouse filled in {time.perf_counter() - started:.0f} s,", end=" ")
            print(f"{(home / warehouse.WAREHOUSE).stat().st_size / 1e9:.2f} GB", flush=True)
        seconds, size, peak = published(home)
        print(f"published in {seconds:.1f} s, {size / 1e9:.2f} GB, peak {peak:,.0f} MiB")
        count, longest = read_meanwhile(home)
        print(f"read {count} times while publishing, never refused, longest {longest:.2f} s")
        print(f"{'question':24}{'p50 s':>9}{'worst s':>9}{'rows':>8}")
        found = asked(home, options.tries)
        times = sorted(second for _, each, _ in found for second in each)
        p95 = times[int(0.95 * (len(times) - 1))]
        print(f"{len(found)} questions: p50 {statistics.median(times):.2f} s, p95 {p95:.2f} s,")
        print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")


if __name__ == "__main__":
    main()
