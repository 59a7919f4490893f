"""Airflow for one home, without importing it: its environment, its set-up, its processes.

Everything of Airflow lies under `<home>/airflow`, so homes are independent. `serve` starts the
API server, the scheduler and the DAG processor itself instead of `airflow standalone`: standalone
serves its logs on every network address and leaves orphans when it is terminated.
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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path

import psutil

from pipelines.errors import VigieError

POOL = "warehouse"
USER = "admin"
PROCESSES = (("api-server",), ("scheduler", "--skip-serve-logs"), ("dag-processor",))
_STOP_SECONDS = 15.0
_LOG_BYTES = 20_000_000  # Airflow writes 70 MB a day into the logs of its three processes


def environment(home: Path, environ: Mapping[str, str], *, port: int = 8080) -> dict[str, str]:
    """The environment in which every `airflow` command serves this home and no other."""
    root = home.resolve() / "airflow"
    url = f"http://127.0.0.1:{port}"
    own = {
        "VIGIE_HOME": str(home.resolve()),
        "AIRFLOW_HOME": str(root),
        "AIRFLOW__CORE__DAGS_FOLDER": str(files("dags")),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
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


def serve(home: Path, environ: Mapping[str, str], *, port: int = 8080) -> None:
    """Run Airflow in the foreground until it is interrupted.

    When one of its processes ends by itself, the others are ended too: VigieError says which.
    """
    own = environment(home, environ, port=port)
    logs = Path(own["AIRFLOW_HOME"]) / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    stopping: list[int] = []
    for name in _stopping_signals():
        signal.signal(name, lambda number, _: stopping.append(number))
    running = [_start(words, own, logs) for words in PROCESSES]
    while not stopping and all(process.poll() is None for process in running):
        keep_short(logs)
        time.sleep(0.5)
    ended = [words[0] for words, p in zip(PROCESSES, running, strict=True) if p.poll() is not None]
    stop(running)
    if ended and not stopping:
        raise VigieError(f"Airflow's {ended[0]} ended by itself: see {logs}/{ended[0]}.log")


@contextmanager
def alone(home: Path, *, port: int) -> Iterator[None]:
    """The right to run Airflow on this home and port, for as long as the block lasts.

    VigieError when another `vigie up` has it: two schedulers would start every run twice.
    """
    root = home.resolve() / "airflow"
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as lock, socket.socket() as probe:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise VigieError(f"Airflow runs on {home} already: stop that `vigie up`") from None
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise VigieError(
                f"port {port} of 127.0.0.1 is taken: stop what listens there, or choose another "
                "with --port"
            ) from None
        probe.close()
        yield


def _stopping_signals() -> list[signal.Signals]:
    """Ctrl-C, a service manager's stop, and a closed terminal unless `nohup` asks otherwise."""
    asked = [signal.SIGINT, signal.SIGTERM]
    is_kept = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    return asked if is_kept else [*asked, signal.SIGHUP]


def keep_short(logs: Path, *, limit: int = _LOG_BYTES) -> None:
    """Copy each process's log that has grown past `limit` bytes to `<name>.log.1`, and empty it.

    The processes write at its end, wherever that is, so that they need not be told.
    """
    for log in logs.glob("*.log"):
        if log.stat().st_size > limit:
            shutil.copyfile(log, log.with_suffix(".log.1"))
            os.truncate(log, 0)


def _start(words: Sequence[str], environ: Mapping[str, str], logs: Path) -> subprocess.Popen[bytes]:
    with (logs / f"{words[0]}.log").open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own words
            command(*words),
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
