"""How long a load takes: a million mentions at once, then 500 on a small and a large warehouse.

    python -m tests.bench.bench_load [--rows 1000000] [--small 10000] [--steps 9]

A step is what Airflow runs: open, merge 500 mentions (half of them known) with their scores,
commit, close with the checkpoint. Steps on the small and on the large warehouse take turns, so
that what else the machine does falls on both. Memory is the peak of a process of its own.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipelines import load, publish, warehouse
from pipelines.mention import MENTION_SCHEMA
from tests.pipelines.staged import settings

END = datetime(2026, 11, 20, tzinfo=UTC)
DAYS = 180

_TYPES = {
    "string": "varchar",
    "bool": "boolean",
    "int64": "bigint",
    "int32": "integer",
    "double": "double",
    "date32[day]": "date",
    "timestamp[us, tz=UTC]": "timestamptz",
}
_VALUES = {
    "mention_id": "md5('key' || i)",
    "source": "'mastodon'",
    "source_name": "'masto_' || (i % 4)",
    "network": "'mastodon'",
    "native_id": "'n' || i",
    "content_type": "'post'",
    "collected_via": "'search'",
    "subject_ids": "if(i % 3 = 0, ['tram', 'ville'], ['ville'])",
    "url": "'https://social.example/@x/' || i",
    "text": "'Le tram est en panne ' || md5('a' || i) || md5('b' || i) || md5('c' || i)",
    "text_truncated": "false",
    "text_hash": "md5('text' || i)",
    "lang": "'fr'",
    "published_at": "$start + to_microseconds(cast(i * $step as bigint))",
    "published_precision": "'second'",
    "published_clamped": "false",
    "first_seen_at": "$seen",
    "last_seen_at": "$seen",
    "metrics_at": "$seen",
    "author_key": "md5('a' || i % 50000) || md5('b' || i % 50000)",
    "author_kind": "'person'",
    "is_own": "i % 500 = 0",
    "like_count": "i % 17",
    "hashtags": "if(i % 4 = 0, ['tram'], [])",
    "mentioned_handles": "[]",
    "urls": "[]",
    "media_types": "[]",
    "visibility": "'public'",
    "optout": "false",
    "retention_until": "date '2026-12-20'",
    "raw_ref": "'landing/masto/2026-11-20/r.jsonl.zst#' || i",
    "connector_version": "'1'",
    "schema_version": "1",
    "run_id": "'r'",
}
_SCORES = """
    select
        md5('key' || i) as mention_id, 'models-1' as scorer_id, md5('text' || i) as text_hash,
        'fr' as lang, 0.8::float as p_negative, 0.1::float as p_neutral, 0.1::float as p_positive,
        ['negative', 'neutral', 'positive', 'undetermined'][i % 4 + 1] as sentiment,
        -0.7::float as sentiment_score,
        if(i % 5 < 2, ['T09'], []::varchar[]) as topics,
        if(i % 5 < 2, [0.9::float], []::float[]) as topic_p, []::varchar[] as subtopics,
        ['complaint'] as acts, [0.9::float] as act_p, 'contested' as risk, 0.1::float as p_irony,
        0.5::float as p_political, ['waste'] as aspects, $seen as scored_at
    from range($first, $end) as t (i)
"""


def write(folder: Path, rows: range, *, density: int, seen_at: datetime) -> load.Staged:
    """Staged mentions and scores number by number; `density` is how many lie in DAYS."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = ", ".join(
        f"cast({_VALUES.get(f.name, 'null')} as {_TYPES.get(str(f.type), 'varchar[]')}) as {f.name}"
        for f in MENTION_SCHEMA
    )
    given = {"first": rows.start, "end": rows.stop, "seen": seen_at}
    spread = {"start": END - timedelta(days=DAYS), "step": DAYS * 86_400e6 / density}
    staged = load.Staged(
        run_id=f"{seen_at:%Y%m%dT%H%M%SZ}",
        mentions=folder / "mentions.parquet",
        scores=folder / "scores.parquet",
    )
    mentions = f"select {columns} from range($first, $end) as t (i)"  # noqa: S608 - our own
    with warehouse.in_memory() as connection:
        connection.execute(
            f"copy ({mentions}) to '{staged.mentions}' (format parquet)", given | spread
        )
        connection.execute(f"copy ({_SCORES}) to '{staged.scores}' (format parquet)", given)
    return staged


def fill(home: Path, rows: int) -> None:
    """Make a warehouse of `rows` mentions, and tell how fast and with how much memory."""
    warehouse.prepare(settings(home))
    staged = write(home / "staging" / "fill", range(rows), density=rows, seen_at=END)
    started, cpu = time.perf_counter(), _cpu()
    with warehouse.opened(home) as connection:
        load.load(connection, staged, loaded_at=END)
    seconds = time.perf_counter() - started
    print(f"load     {_told(rows, seconds, _cpu() - cpu)}", flush=True)


def analyst(home: Path, rows: int) -> None:
    """Make the analysts' file, and tell how fast and with how much memory."""
    started, cpu = time.perf_counter(), _cpu()
    publish.publish(home, made_at=END)
    print(f"publish  {_told(rows, time.perf_counter() - started, _cpu() - cpu)}", flush=True)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _told(rows: int, seconds: float, cpu: float) -> str:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return (
        f"{rows:>9,} rows {seconds:6.1f} s {rows / seconds:9,.0f} rows/s "
        f"({cpu:.1f} s CPU), peak {peak:,.0f} MiB"
    )


def step(home: Path, number: int, rows: int) -> tuple[float, float]:
    """Wall and CPU seconds of one load of 500 mentions, half of them known, open to close."""
    first = rows - 250 + number * 250
    staged = write(
        home / "staging" / f"step{number}",
        range(first, first + 500),
        density=rows,
        seen_at=END + timedelta(minutes=5 * (number + 1)),
    )
    started, cpu = time.perf_counter(), _cpu()
    with warehouse.opened(home) as connection:
        load.load(connection, staged, loaded_at=END)
    return time.perf_counter() - started, _cpu() - cpu


def _alone(name: str, home: Path, rows: int) -> None:
    """Run `fill` or `analyst` in a process of its own, so that its memory can be told."""
    code = f"from tests.bench import bench_load; from pathlib import Path; bench_load.{name}(Path({str(home)!r}), {rows})"  # noqa: E501
    subprocess.run([sys.executable, "-c", code], check=True)


def _compare(clock: str, taken: list[list[float]]) -> None:
    """Print the medians on the small and on the large warehouse, and their ratio pair by pair."""
    small, large = (statistics.median(seconds) * 1000 for seconds in taken)
    ratios = sorted(big / little for little, big in zip(*taken, strict=True))
    print(
        f"500 more, {clock}: {small:.0f} ms on the small, {large:.0f} ms on the large; ratio "
        f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    )


def main() -> None:
    """Both tables, in a folder that is thrown away."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=9)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        homes = {rows: Path(folder) / str(rows) for rows in (options.small, options.rows)}
        for rows, home in homes.items():
            _alone("fill", home, rows)
        taken: dict[int, list[tuple[float, float]]] = {rows: [] for rows in homes}
        for number in range(options.steps):
            for rows, home in homes.items():
                taken[rows].append(step(home, number, rows))
        for place, clock in enumerate(("wall", "CPU")):
            _compare(clock, [[pair[place] for pair in pairs] for pairs in taken.values()])
        _alone("analyst", homes[options.rows], options.rows)


if __name__ == "__main__":
    main()
