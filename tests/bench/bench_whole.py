"""A million mentions from a file to DuckDB: rows a second and peak memory by step; then one
five-minute window on a small and on a large warehouse.

    python -m tests.bench.bench_whole [--rows 1000000] [--window-runs 5]

Each step runs in a process of its own, as Airflow runs it; memory is that process's peak.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipelines import privacy
from tests.pipelines import valbrume
from tests.town.life import PHRASES, _said

SOURCE = """
[[sources]]
name = "exports"
kind = "file"
path = "inbox/*.csv"
preset = "none"

[sources.columns]
native_id = "id"
published_at = "date"
text = "texte"
like_count = "likes"
"""
UNTIL = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)


def write_export(path: Path, rows: int, *, first: int, until: datetime, days: float) -> None:
    """An export of `rows` invented posts, spread evenly over the `days` before `until`."""
    dice = random.Random(first)
    themes = PHRASES["themes"]
    step = timedelta(days=days) / max(rows, 1)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "date", "texte", "likes"])
        for number in range(rows):
            tone = dice.choice(("negative", "neutral", "positive"))
            text = _said(dice, dice.choice(dice.choice(themes)[tone]), tone)
            text = text if "albrume" in text else f"Valbrume : {text}"
            at = until - step * (rows - number)
            writer.writerow([first + number, f"{at:%Y-%m-%dT%H:%M:%SZ}", text, number % 50])


def new_home(folder: Path) -> Path:
    """An empty home with one `file` source."""
    (folder / "inbox").mkdir(parents=True)
    (folder / "vigie.toml").write_text(valbrume.toml(SOURCE, role="moderator"), encoding="utf-8")
    privacy.new_key(folder)
    return folder


def step(home: Path, code: str) -> tuple[float, float]:
    """Wall seconds and peak MiB of one step in a process of its own."""
    program = (
        "from datetime import *\nfrom pathlib import Path\nfrom pipelines import run\n"
        f"house = run.house(Path({str(home)!r}))\n{code}"
    )
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", program])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {code}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def steps(home: Path, until: datetime) -> dict[str, tuple[float, float]]:
    """Every step of one run; wall seconds and peak MiB by step."""
    name = f"{until:%Y%m%dT%H%M%SZ}"
    at = f"datetime.fromisoformat({until.isoformat()!r})"
    codes = {
        "plan": f"run.plan(house, since={at}, until={at})",
        "collect": f"run.collect(house, {name!r}, 'exports')",
        "accept": f"run.accept(house, {name!r})",
        "score": f"run.score(house, {name!r})",
        "load": f"run.load(house, {name!r})",
        "alert": f"run.alert(house, as_of={at})",
    }
    return {label: step(home, code) for label, code in codes.items()}


def bulk(home: Path, rows: int) -> None:
    """Print the table of one large export."""
    write_export(home / "inbox" / "all.csv", rows, first=0, until=UNTIL, days=27)
    print(f"{'step':10}{'seconds':>10}{'rows/s':>12}{'peak MiB':>10}")
    total = 0.0
    for label, (seconds, peak) in steps(home, UNTIL).items():
        total += seconds
        print(f"{label:10}{seconds:10.1f}{rows / seconds:12,.0f}{peak:10,.0f}", flush=True)
    print(f"{'all':10}{total:10.1f}{rows / total:12,.0f}")


def window(home: Path, number: int) -> float:
    """Seconds of a five-minute window of 500 mentions, every step in its own process."""
    until = UNTIL + timedelta(minutes=5 * number)
    path = home / "inbox" / f"window-{number}.csv"
    write_export(path, 500, first=10**8 + number * 1000, until=until, days=5 / 1440)
    return sum(seconds for seconds, _ in steps(home, until).values())


def main() -> None:
    """Both tables, in a folder that is thrown away."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--window-runs", type=int, default=5)
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        small, large = new_home(Path(folder) / "small"), new_home(Path(folder) / "large")
        bulk(large, options.rows)
        print("small warehouse")
        bulk(small, 10_000)
        pairs = [
            (window(small, number), window(large, number))
            for number in range(1, options.window_runs + 1)
        ]
        ratios = sorted(large / small for small, large in pairs)
        seconds = [statistics.median(pair[place] for pair in pairs) for place in (0, 1)]
        print(f"five-minute window: {seconds[0]:.1f} s on 10,000 rows, ", end="")
        print(f"{seconds[1]:.1f} s on {options.rows:,}; ", end="")
        print(f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
