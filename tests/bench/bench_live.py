"""A firehose on loopback heard by `vigie listen`, judged through Airflow, the reader killed twice.

    python -m tests.bench.bench_live [--seconds 600] [--rate 500] [--share 0.02] [--version 2]

A Jetstream of so many events a second, of which a share names the town, in a process of its own;
`vigie up` with Airflow's scheduler, triggerer and executor on a fresh home; `kill -9` of the reader
at a third and at two thirds. At the end: how many posts were lost or stand twice, whether edits and
deletions arrived, the time from publication to the end of the task that loaded the scored mention,
and the memory of the processes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import psutil

from pipelines import listening, privacy
from tests.pipelines import valbrume
from tests.pipelines.sources.bluesky_network import SECOND
from tests.pipelines.sources.firehose import FIRST

BOOT_SECONDS = 600.0
DRAIN_SECONDS = 900.0


@contextmanager
def _firehose(options: argparse.Namespace, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A firehose in a process of its own that begins when it is given a line."""
    words = [sys.executable, "-m", "tests.pipelines.sources.firehose"]
    words += ["--truth", str(folder / "truth.json"), "--rate", str(options.rate)]
    words += ["--seconds", str(options.seconds), "--share", str(options.share)]
    words += ["--wait", "--quiet-seconds", str(DRAIN_SECONDS + 30)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _begin(firehose: subprocess.Popen[str]) -> None:
    assert firehose.stdin is not None
    firehose.stdin.write("\n")
    firehose.stdin.flush()


@contextmanager
def _up(home: Path) -> Iterator[psutil.Process]:
    """`vigie up` on a free port, ended as a person ends it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-m", "pipelines.cli", "up", "--home", str(home), "--port", str(port)]
    environ = {**os.environ, "VIGIE_LOG": "INFO"}
    with subprocess.Popen(words, env=environ, stdout=subprocess.DEVNULL) as process:
        try:
            yield psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _part(process: psutil.Process, word: str) -> psutil.Process | None:
    for child in process.children():
        try:
            if word in " ".join(child.cmdline()):
                return child
        except psutil.Error:  # it has just been killed
            continue
    return None


def _kill_reader(up: psutil.Process) -> None:
    reader = _part(up, "listen")
    assert reader is not None, "there is no reader to kill"
    reader.kill()


def _pss(process: psutil.Process | None) -> float:
    """The memory of a process and its children, what they share divided among them; MiB."""
    if process is None:
        return 0.0
    found = 0.0
    for each in [process, *process.children(recursive=True)]:
        try:
            found += each.memory_full_info().pss / 2**20
        except psutil.Error:
            continue
    return found


def _booted(home: Path) -> None:
    """Wait until Airflow has run `live` for the first time."""
    deadline = time.monotonic() + BOOT_SECONDS
    while not any(state == "success" for state in _states(home)):
        assert time.monotonic() < deadline, "Airflow does not come up"
        time.sleep(1)


def _states(home: Path) -> list[str]:
    try:
        with sqlite3.connect(home / "airflow" / "airflow.db") as connection:
            rows = connection.execute("select state from dag_run where dag_id = 'live'").fetchall()
    except sqlite3.Error:  # it is being made
        return []
    return [str(state) for (state,) in rows]


def _watched(up: psutil.Process, seconds: float) -> dict[str, float]:
    """Kill the reader at a third and at two thirds of the time; the peak memory of each part."""
    peak: dict[str, float] = {}
    begun, kills = time.monotonic(), [seconds / 3, seconds * 2 / 3]
    while (passed := time.monotonic() - begun) < seconds:
        if kills and passed > kills[0]:
            kills.pop(0)
            _kill_reader(up)
            print(f"  {passed:.0f} s: reader killed", flush=True)
        for word in ("listen", "scheduler", "triggerer", "airflow api_server", "dag-processor"):
            peak[word] = max(peak.get(word, 0.0), _pss(_part(up, word)))
        time.sleep(2)
    return peak


def _drained(home: Path) -> None:
    """Wait until every landing has been loaded, once the reader has had a minute to come back."""
    deadline = time.monotonic() + DRAIN_SECONDS
    time.sleep(60)
    while time.monotonic() < deadline:
        try:
            rows = _rows(home, "select landed from listened")
        except duckdb.IOException:  # a step holds it
            time.sleep(0.2)
            continue
        if rows and rows[0][0] in listening.newest(home).values():
            return
        time.sleep(1)
    print("  not all that was landed has been loaded in time: what is lost below may only be late")


def _rows(home: Path, query: str) -> list[Any]:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        return connection.execute(query).fetchall()


def _ended(home: Path) -> dict[str, datetime]:
    """When the task `load` of each live run ended, by the run's name."""
    with sqlite3.connect(home / "airflow" / "airflow.db") as connection:
        rows = connection.execute(
            "select dag_run.run_after, task_instance.end_date from dag_run"
            " join task_instance using (dag_id, run_id)"
            " where dag_run.dag_id = 'live' and task_id = 'load'"
            " and task_instance.end_date is not null"
        ).fetchall()
    moments = [tuple(datetime.fromisoformat(m).replace(tzinfo=UTC) for m in row) for row in rows]
    return {f"live-{a:%f}-{a:%Y%m%dT%H%M%SZ}": b for a, b in moments}


def _told(home: Path, truth: dict[str, Any]) -> None:
    """Print what became of every post that named the town."""
    rows = _rows(
        home,
        "select native_id, text, deleted_at, run_id, first_seen_at = last_seen_at from mention",
    )
    found = {uri: row for uri, *row in rows}
    here = {uri for uri, post in truth.items() if not post["is_gone"]}
    lost = [uri for uri in here if uri not in found]
    wrong = [uri for uri in here & found.keys() if found[uri][0] != truth[uri]["text"]]
    gone = [uri for uri, post in truth.items() if post["is_gone"]]
    left = [uri for uri in gone if uri in found and found[uri][1] is None]
    print(f"posts that named the town: {len(truth):,}, of them deleted {len(gone)}")
    print(f"lost {len(lost)}, twice {len(rows) - len(found)}, edits missed {len(wrong)}, ", end="")
    print(f"deletions missed {len(left)}, strangers {len(found.keys() - truth.keys())}")
    (versions,), (looks,), (unscored,) = (
        _rows(home, query)[0]
        for query in (
            "select count(*) from mention_version",
            "select count(*) from mention_metric",
            "select count(*) from mention_scored where sentiment is null",
        )
    )
    print(f"versions {versions}, looks {looks}, not judged {unscored}")
    print("gaps:", _rows(home, "select count(gap_since_at) from intake")[0][0])
    _latency(home, truth, found)


def _latency(home: Path, truth: dict[str, Any], found: dict[str, Any]) -> None:
    ended = _ended(home)
    waits = sorted(
        ended[row[2]].timestamp() - truth[uri]["micros"] / 1e6
        for uri, row in found.items()
        if row[1] is None and row[3] and row[2] in ended  # a run of a later change names itself
    )
    if not waits:
        print("no live run has ended")
        return
    late = sum(wait > 120 for wait in waits)
    print(f"publication to judged, of {len(waits):,} posts in {len(ended)} runs: ", end="")
    print(f"median {statistics.median(waits):.0f} s, ", end="")
    print(f"p95 {waits[int(len(waits) * 0.95)]:.0f} s, ", end="")
    print(f"p99 {waits[int(len(waits) * 0.99)]:.0f} s, most {waits[-1]:.0f} s; ", end="")
    print(f"above two minutes: {late}")


def main() -> None:
    """The whole show, in a folder that is thrown away unless --keep names one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rate", type=int, default=500)
    parser.add_argument("--share", type=float, default=0.02)
    parser.add_argument("--version", type=int, choices=(1, 2), default=2)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, ", end="")
    print(f"Jetstream {options.version}, {options.rate} events/s for {options.seconds:.0f} s")
    with tempfile.TemporaryDirectory() as folder:
        base = options.keep or Path(folder)
        home = base / "home"
        home.mkdir(parents=True)
        with _firehose(options, base) as firehose:
            assert firehose.stdout is not None
            address = json.loads(firehose.stdout.readline())
            path = SECOND if options.version == 2 else FIRST
            block = valbrume.bluesky(http=address["http"], ws=f"{address['ws']}{path}")
            (home / "vigie.toml").write_text(valbrume.toml(block, role="moderator"))
            privacy.new_key(home)
            with _up(home) as up:
                _booted(home)
                _begin(firehose)
                peak = _watched(up, options.seconds)
                _drained(home)
            print(f"  load of the machine meanwhile: {os.getloadavg()[2]:.1f}")
            print("; ".join(f"{name} {size:.0f}" for name, size in peak.items()), "MiB at most")
            truth = json.loads((base / "truth.json").read_text())
            print(f"events {truth['events']:,}")
            _told(home, truth["posts"])


if __name__ == "__main__":
    main()
