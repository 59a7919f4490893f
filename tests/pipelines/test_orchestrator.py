"""Airflow for one home: what `vigie up` keeps in order while it runs."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psutil

from pipelines import orchestrator

# As Airflow's worker and its task: the task has a group of its own and does not heed SIGTERM.
TASK = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
WORKER = (
    "import subprocess, sys, time;"
    f"task = subprocess.Popen([sys.executable, '-c', {TASK!r}], start_new_session=True,"
    " stdout=subprocess.PIPE);"
    "task.stdout.readline(); print(task.pid, flush=True); time.sleep(60)"
)


def test_a_task_in_a_group_of_its_own_does_not_outlive_its_worker() -> None:
    words = [sys.executable, "-c", WORKER]
    with subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True) as worker:
        assert worker.stdout is not None
        task = psutil.Process(int(worker.stdout.readline()))
        orchestrator.stop([worker], patience=5)
        assert worker.poll() is not None
    deadline = time.monotonic() + 5
    while task.is_running() and task.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "the task outlives its worker"


def test_a_log_that_grows_is_begun_again_and_its_last_part_kept(tmp_path: Path) -> None:
    path = tmp_path / "scheduler.log"
    with path.open("ab") as log:  # as its process holds it
        log.write(b"old " * 50)
        log.flush()
        orchestrator.keep_short(tmp_path, limit=100)
        log.write(b"new")
    assert path.read_bytes() == b"new"
    assert (tmp_path / "scheduler.log.1").read_bytes() == b"old " * 50


def test_a_short_log_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "api-server.log").write_bytes(b"short")
    orchestrator.keep_short(tmp_path, limit=100)
    assert [p.name for p in tmp_path.iterdir()] == ["api-server.log"]
