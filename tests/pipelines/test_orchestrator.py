"""Airflow for one home: what `vigie up` keeps in order while it runs."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from pipelines import orchestrator
from pipelines.errors import VigieError

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
    while not _has_ended(task):
        assert time.monotonic() < deadline, "the task outlives its worker"


def _has_ended(task: psutil.Process) -> bool:
    """Whether a process is no more, or is only waited for: it may go between two questions."""
    try:
        return task.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_home_runs_one_airflow(tmp_path: Path) -> None:
    port = _free_port()
    with (
        orchestrator.alone(tmp_path, port=port),
        pytest.raises(VigieError, match="already"),
        orchestrator.alone(tmp_path, port=_free_port()),
    ):
        raise AssertionError("two at once")
    with orchestrator.alone(tmp_path, port=port):
        pass


def test_a_port_that_is_taken_is_told_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = int(other.getsockname()[1])
        with (
            pytest.raises(VigieError, match=f"port {port} of 127.0.0.1 is taken"),
            orchestrator.alone(tmp_path, port=port),
        ):
            raise AssertionError("on another's port")


def test_a_process_that_ends_by_itself_ends_the_others_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says = {"scheduler": "raise SystemExit(3)"}
    monkeypatch.setattr(orchestrator, "_stopping_signals", list)
    monkeypatch.setattr(
        orchestrator,
        "process",
        lambda name, *_: [sys.executable, "-c", says.get(name, "import time; time.sleep(60)")],
    )
    with pytest.raises(VigieError, match=r"scheduler ended by itself: see .*scheduler\.log"):
        orchestrator.serve(tmp_path, {}, port=_free_port())


def test_what_breaks_here_leaves_no_process_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[subprocess.Popen[bytes]] = []
    monkeypatch.setattr(orchestrator, "_stopping_signals", list)

    def start(*_: object) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-c", "import time; time.sleep(60)"]
        begun.append(subprocess.Popen(words, start_new_session=True))
        return begun[-1]

    def full(_: Path) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(orchestrator, "_start", start)
    monkeypatch.setattr(orchestrator, "keep_short", full)
    with pytest.raises(OSError, match="no space"):
        orchestrator.serve(tmp_path, {}, port=_free_port())
    assert [process.poll() is None for process in begun] == [False] * 3


def test_a_reader_that_ends_is_started_again_and_airflow_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = tmp_path / "begun"
    words = f"import time; open({str(begun)!r}, 'a').write(f'{{time.monotonic()}} ')"
    kept = orchestrator.Kept(lambda: [sys.executable, "-c", words], "listen", {}, tmp_path)
    deadline = time.monotonic() + 60
    while not begun.exists() or len(begun.read_text().split()) < 3:
        kept.look()
        time.sleep(0.02)
        assert time.monotonic() < deadline, "it was not started again"
    first, second, third = map(float, begun.read_text().split())
    assert second - first > 2  # one that keeps ending is waited for longer each time
    assert third - second > 4
    if kept.process:
        kept.process.wait()


def test_what_runs_every_so_often_is_not_started_at_once(tmp_path: Path) -> None:
    kept = orchestrator.Kept(lambda: ["false"], "db-clean", {}, tmp_path, every=60)
    kept.look()
    assert kept.process is None


@pytest.mark.parametrize("is_live", [True, False])
def test_readers_and_the_triggerer_run_only_where_a_source_is_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_live: bool
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(orchestrator, "_stopping_signals", list)

    listens = tmp_path / "listens"
    once = (
        f"import pathlib, time\nwhile not pathlib.Path({str(listens)!r}).exists(): time.sleep(0.05)"
    )
    scheduler = once if is_live else "import time; time.sleep(1.2)"

    def start(words: list[str], name: str, *_: object) -> subprocess.Popen[bytes]:
        begun.append(name)
        if name == "listen":
            listens.touch()
        code = scheduler if name == "scheduler" else "import time; time.sleep(60)"
        return subprocess.Popen([sys.executable, "-c", code], start_new_session=True)

    monkeypatch.setattr(orchestrator, "_start", start)
    with pytest.raises(VigieError, match="scheduler ended by itself"):
        orchestrator.serve(tmp_path, {}, port=_free_port(), is_live=is_live)
    assert ("triggerer" in begun, "listen" in begun) == (is_live, is_live)


def test_what_cleans_airflow_s_records_keeps_two_weeks_and_the_watcher_of_landings() -> None:
    words = orchestrator._cleaner()
    assert "trigger" not in words[words.index("--tables") + 1].split(",")
    assert words[2:5] == ["airflow", "db", "clean"]
    before = datetime.fromisoformat(words[words.index("--clean-before-timestamp") + 1])
    assert timedelta(days=13) < datetime.now(UTC) - before < timedelta(days=15)
