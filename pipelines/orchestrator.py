"""Airflow for one home, without importing it: its environment, its set-up, its processes.

Everything of Airflow lies under `<home>/airflow`, so homes are independent. `serve` starts the
API server, the scheduler and the DAG processor itself instead of `airflow standalone`: standalone
serves its logs on every network address and leaves orphans when it is terminated.

Where a source block is live, the triggerer and `vigie listen` run beside them. The reader is not
Airflow's: when it ends by itself it is started again, after one second, then two, up to a minute.
Airflow's own records of runs grow by some 20,000 rows a day with a live source: those older than
two weeks are deleted once a day.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import psutil

from pipelines.errors import VigieError

POOL = "warehouse"
USER = "admin"
PROCESSES = (("api-server",), ("scheduler", "--skip-serve-logs"), ("dag-processor",))
TRIGGERER = ("triggerer", "--skip-serve-logs")
_STOP_SECONDS = 15.0
_CLEAN_SECONDS = 24 * 3600.0
# Never `trigger`: the row of an asset's watcher is as old as its DAG, and `db clean` would take it.
_CLEANED = (
    "asset_event",
    "dag_run",
    "job",
    "log",
    "task_instance",
    "task_instance_history",
    "xcom",
)
_FIRST_SECONDS = 600.0  # before the first cleaning: the start is busy enough
_KEPT_DAYS = 14
_LOG_BYTES = 20_000_000  # Airflow writes 70 MB a day into the logs of its three processes


def environment(home: Path, environ: Mapping[str, str], *, port: int = 8080) -> dict[str, str]:
    """The environment in which every `airflow` command serves this home and no other."""
    root = home.resolve() / "airflow"
    url = f"http://127.0.0.1:{port}"
    own = {
        "VIGIE_HOME": str(home.resolve()),
        "AIRFLOW_HOME": str(root),
        "AIRFLOW__CORE__DAGS_FOLDER": str(files("dags")),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(files("dags") / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "6",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(root / "passwords.json"),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
        "GX_ANALYTICS_ENABLED": "False",
        "HF_HUB_OFFLINE": environ.get("HF_HUB_OFFLINE", "1"),
    }
    return {**environ, **own}


def command(*words: str) -> list[str]:
    """An `airflow` command of the Python that runs us, so that no other one is found first."""
    return [sys.executable, "-m", "airflow", *words]


def process(*words: str) -> list[str]:
    """The command of one of Airflow's processes; the scheduler is our own, warm one."""
    if words[0] == "scheduler":
        return [sys.executable, "-m", "dags.scheduler", *words[1:]]
    return command(*words)


def set_up(home: Path, environ: Mapping[str, str]) -> str:
    """Airflow's database, the pool of one slot and a password; the password.

    A second call changes nothing. Raises VigieError with Airflow's own last lines.
    """
    own = environment(home, environ)
    password = _password(Path(own["AIRFLOW_HOME"]))
    _airflow(("db", "migrate"), own)
    _airflow(("pools", "set", POOL, "1", "One step at a time opens the warehouse"), own)
    return password


def _password(root: Path) -> str:
    path = root / "passwords.json"
    root.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(json.dumps({USER: secrets.token_urlsafe(12)}))
    found: dict[str, str] = json.loads(path.read_text())
    return found[USER]


def _airflow(words: Sequence[str], environ: Mapping[str, str]) -> None:
    done = subprocess.run(  # noqa: S603 - our own words
        command(*words), env=dict(environ), capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = " / ".join((done.stderr or done.stdout).strip().splitlines()[-3:])
        raise VigieError(f"airflow {' '.join(words)} ended with {done.returncode}: {last}")


def serve(
    home: Path, environ: Mapping[str, str], *, port: int = 8080, is_live: bool = False
) -> None:
    """Run Airflow in the foreground until it is interrupted, and the readers where `is_live`.

    When one of its processes ends by itself, the others are ended too: VigieError says which.
    """
    own = environment(home, environ, port=port)
    logs = Path(own["AIRFLOW_HOME"]) / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    stopping: list[int] = []
    for name in _stopping_signals():
        signal.signal(name, lambda number, _: stopping.append(number))
    wanted = (*PROCESSES, TRIGGERER) if is_live else PROCESSES
    reader = Kept(lambda: listener(home), "listen", own, logs) if is_live else None
    cleaner = Kept(_cleaner, "db-clean", own, logs, every=_CLEAN_SECONDS)
    kept = [process for process in (reader, cleaner) if process]
    running: list[subprocess.Popen[bytes]] = []
    try:
        running += (_start(process(*words), words[0], own, logs) for words in wanted)
        while not stopping and all(process.poll() is None for process in running):
            keep_short(logs)
            for each in kept:
                each.look()
            time.sleep(0.5)
        ended = [words[0] for words, p in zip(wanted, running, strict=True) if p.poll() is not None]
    finally:  # whatever happens here, a full disk too: nothing may go on without us
        stop([*running, *(each.process for each in kept if each.process)])
    if ended and not stopping:
        raise VigieError(f"Airflow's {ended[0]} ended by itself: see {logs}/{ended[0]}.log")


def listener(home: Path) -> list[str]:
    """`vigie listen` for a home, by the Python that runs us."""
    return [sys.executable, "-m", "pipelines.cli", "listen", "--home", str(home.resolve())]


def _cleaner() -> list[str]:
    """What deletes Airflow's own records of runs that are two weeks old."""
    before = datetime.now(UTC) - timedelta(days=_KEPT_DAYS)
    stamp = f"{before:%Y-%m-%dT%H:%M:%S+00:00}"
    words = ("--clean-before-timestamp", stamp, "--tables", ",".join(_CLEANED))
    return command("db", "clean", *words, "--skip-archive", "--yes")


class Kept:
    """A process that is started again when it has ended: soon, or `every` so many seconds.

    One that keeps ending is waited for longer each time, up to a minute; one that has run for a
    minute is sound again.
    """

    def __init__(
        self,
        words: Callable[[], Sequence[str]],
        name: str,
        environ: Mapping[str, str],
        logs: Path,
        *,
        every: float | None = None,
    ) -> None:
        self._words, self._name, self._every = words, name, every
        self._environ, self._logs = environ, logs
        self._failures, self._begun_at = 0, 0.0
        self._next_at = time.monotonic() + (_FIRST_SECONDS if every else 0.0)
        self.process: subprocess.Popen[bytes] | None = None

    def look(self) -> None:
        """Start the process if it is time to; called again and again."""
        now = time.monotonic()
        if self.process is not None:
            if self.process.poll() is None:
                return
            self.process = None
            self._failures = 0 if now - self._begun_at > 60.0 else self._failures + 1
            self._next_at = now + (self._every or min(2.0**self._failures, 60.0))
        elif now >= self._next_at:
            self._begun_at = now
            self.process = _start(self._words(), self._name, self._environ, self._logs)


@contextmanager
def alone(home: Path, *, port: int) -> Iterator[None]:
    """The right to run Airflow on this home and port, for as long as the block lasts.

    VigieError when another `vigie up` has it: two schedulers would start every run twice.
    """
    root = home.resolve() / "airflow"
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise VigieError(f"Airflow runs on {home} already: stop that `vigie up`") from None
        check_port(port)
        yield


def check_port(port: int, *, how: str = "--port") -> None:
    """VigieError where something listens on this port of loopback; `how` another is chosen."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise VigieError(
                f"port {port} of 127.0.0.1 is taken: stop what listens there, or choose another "
                f"with {how}"
            ) from None


def _stopping_signals() -> list[signal.Signals]:
    """Ctrl-C, a service manager's stop, and a closed terminal unless `nohup` asks otherwise."""
    asked = [signal.SIGINT, signal.SIGTERM]
    is_kept = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    return asked if is_kept else [*asked, signal.SIGHUP]


def keep_short(logs: Path, *, limit: int = _LOG_BYTES) -> None:
    """Copy each process's log that has grown past `limit` bytes to `<name>.log.1`, and empty it.

    The processes write at its end, wherever that is, so that they need not be told. Where the disk
    has no room for the copy it is emptied all the same.
    """
    for log in logs.glob("*.log"):
        if log.stat().st_size > limit:
            with suppress(OSError):
                shutil.copyfile(log, log.with_suffix(".log.1"))
            os.truncate(log, 0)


def _start(
    words: Sequence[str], name: str, environ: Mapping[str, str], logs: Path
) -> subprocess.Popen[bytes]:
    with (logs / f"{name}.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own words
            list(words),
            env=dict(environ),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def stop(running: Sequence[subprocess.Popen[bytes]], *, patience: float = _STOP_SECONDS) -> None:
    """End each process group, kindly first: a worker in the middle of a step may be killed.

    A task of Airflow lives in a group of its own, and outlives its worker: it is ended last.
    """
    tasks: set[psutil.Process] = set()
    for number in (signal.SIGTERM, signal.SIGKILL):
        tasks |= {task for process in running for task in _descendants(process)}
        for process in running:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and any(p.poll() is None for p in running):
            time.sleep(0.1)
    for task in tasks:
        with suppress(psutil.NoSuchProcess):
            task.kill()


def _descendants(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    try:
        return list(psutil.Process(process.pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return []
