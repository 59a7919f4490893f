"""`make demo`: twelve days of Valbrume through the real DAGs, to the digest and the alert mail.

Serves the town and a mail server on loopback, lets Airflow run the DAGs at the moments of
`TIMES` (in this process, by Airflow's own `dag.test`; `vigie up` runs them by the scheduler),
and prints what to open.
"""

from __future__ import annotations

import fcntl
import mailbox
import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from importlib import import_module
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Mailbox
from rich.console import Console
from rich.text import Text

from pipelines import orchestrator, privacy
from tests.town.server import APP_PASSWORD, Town, served, write_exports

HOME = Path(".vigie/demo")
TEMPLATE = Path(__file__).parent / "vigie.toml"


def _at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 10, day, hour, minute, tzinfo=UTC)


# Which DAG runs when (UTC): the history at once, the digest of a quiet day, then the afternoon of
# the first of October as it goes, and the digest of that day.
TIMES = (
    ("watch", _at(1, 5)),
    ("digest", _at(1, 5)),
    ("watch", _at(1, 12, 30)),
    ("watch", _at(1, 13)),
    ("watch", _at(1, 13, 30)),
    ("watch", _at(1, 14)),
    ("watch", _at(1, 15)),
    ("watch", _at(1, 17)),
    ("watch", _at(1, 20)),
    ("watch", _at(2, 4, 55)),
    ("digest", _at(2, 5)),
    ("upkeep", _at(2, 5, 30)),
)
out = Console(highlight=False)


@contextmanager
def in_use(home: Path) -> Iterator[None]:
    """The demo's home for one program alone: the demo deletes what an open board has."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with (home.parent / f"{home.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit("The demo or its board is open: stop that `make demo` or `make board` first.")
        yield


def write_home(home: Path, *, url: str, smtp_port: int) -> None:
    """An empty home of Valbrume: settings, key, folders."""
    text = TEMPLATE.read_text(encoding="utf-8")
    home.mkdir(parents=True, exist_ok=True)
    filled = text.replace("{url}", url).replace("{smtp_port}", str(smtp_port))
    (home / "vigie.toml").write_text(filled, encoding="utf-8")
    privacy.new_key(home)
    (home / "inbox").mkdir(exist_ok=True)


@contextmanager
def mail_server(folder: Path) -> Iterator[int]:
    """A mail server on loopback that keeps what it gets in a Maildir; its port."""
    with socket.socket() as probe:  # the controller cannot be asked for any free port
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    controller = Controller(Mailbox(str(folder)), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def run_dags(home: Path, town: Town) -> None:
    """Every DAG run of `TIMES`, through Airflow; SystemExit names the first that fails."""
    for name, moment in TIMES:
        town.clock = moment
        write_exports(town, home / "inbox")
        started = time.monotonic()
        dag_run = _dag(name).test(logical_date=moment)
        seconds = time.monotonic() - started
        out.print(f"  {name:7} {moment:%d %b %H:%M} UTC  {dag_run.state}  {seconds:4.1f} s")
        if str(dag_run.state) != "success":
            sys.exit(f"The DAG {name} did not succeed: see {home}/airflow/logs")


def _dag(name: str) -> Any:
    return getattr(import_module(f"dags.{name}"), name)()


def letters(folder: Path) -> list[EmailMessage]:
    """The mails that arrived, oldest first."""
    paths = sorted((folder / "new").iterdir(), key=lambda path: path.stat().st_mtime)
    return [message_from_bytes(p.read_bytes(), policy=policy.default) for p in paths]


def show(home: Path, folder: Path) -> None:
    """Where the digest, the mails and the analysts' file are, and their first lines."""
    for page in sorted((home / "digests").glob("*.html")):
        _say("Digest", page)
    found = letters(folder)
    keep = home / "mails"
    keep.mkdir(exist_ok=True)
    for number, letter in enumerate(found, 1):
        path = keep / f"{number:02}.html"
        if html := letter.get_body(("html",)):
            path.write_text(_inlined(letter, html.get_content()), encoding="utf-8")
        _say("Mail", path)
        _say("", f"to {letter['To']}: {letter['Subject']}")
    _say("Analyst", home / "published" / "analyst.duckdb")
    for title, reader in (("digest", "direction"), ("alert mail", "astreinte")):
        letter = next(m for m in reversed(found) if str(m["To"]).startswith(reader))
        text = letter.get_body(("plain",))
        out.print(f"\nFirst lines of the last {title}:")
        for line in text.get_content().splitlines()[:12] if text else ():
            _say("  |", line)


def _say(label: str, value: object) -> None:
    """One line, never wrapped, its value as it reads: no markup, nothing that moves a cursor."""
    seen = "".join(c if c.isprintable() else " " * c.isspace() for c in str(value))
    out.print(Text(f"{label:8} {seen}"), soft_wrap=True)


def _inlined(letter: EmailMessage, html: str) -> str:
    """The HTML of a mail with its pictures inside, to open in a browser."""
    from base64 import b64encode

    for part in letter.walk():
        if cid := part["Content-ID"]:
            picture = b64encode(part.get_payload(decode=True)).decode()  # type: ignore[arg-type]
            html = html.replace(f"cid:{cid.strip('<>')}", f"data:image/png;base64,{picture}")
    return html


def main() -> None:
    """The whole demo; a second call begins again with an empty home."""
    home = HOME.resolve()
    with in_use(home):
        run(home)


def run(home: Path) -> None:
    """The demo, in a home that is emptied first."""
    started = time.monotonic()
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    mails = home / "maildir"
    mailbox.Maildir(str(mails), create=True)
    os.environ["VIGIE_DEMO_BLUESKY"] = APP_PASSWORD
    first = TIMES[0][1]
    with mail_server(mails) as smtp_port, served(first) as town:
        write_home(home, url=town.url, smtp_port=smtp_port)
        out.print("Airflow's database and pool…")
        orchestrator.set_up(home, os.environ)
        os.environ.update(orchestrator.environment(home, os.environ))
        os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"  # what fails, and no more
        run_dags(home, town)
    show(home, mails)
    out.print("\nThe web pages over the same: make board")
    out.print(f"\n{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
