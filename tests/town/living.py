"""A home of Valbrume for tests: its mail server, and runs in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from tests.town.demo import letters, mail_server, write_home
from tests.town.server import APP_PASSWORD, Town, write_exports

# What a run may not say twice in the same words: the moment of the machine's clock.
_CLOCKED = {"outbox": ("next_try_at", "sent_at", "attempt_count", "last_error")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """A home of Valbrume with its town and its mails."""

    path: Path
    town: Town
    mails: Path

    def command(self, *words: str) -> list[str]:
        """A `vigie` command on this home, for a process of its own."""
        return [sys.executable, "-m", "pipelines.cli", *words, "--home", str(self.path)]

    @property
    def environ(self) -> dict[str, str]:
        """The environment of such a process."""
        secrets = {"VIGIE_DEMO_BLUESKY": APP_PASSWORD, "VIGIE_PSEUDONYM_KEY": "5e" * 32}
        return {**os.environ, **secrets}

    def start(self, moment: datetime) -> subprocess.Popen[bytes]:
        """Start a run whose window ends at `moment` (UTC)."""
        self.town.clock = moment
        write_exports(self.town, self.path / "inbox")
        words = self.command("watch", "--until", f"{moment:%Y-%m-%dT%H:%M}")
        return subprocess.Popen(words, env=self.environ, stdout=subprocess.DEVNULL)

    def watch(self, moment: datetime) -> None:
        """A whole run; AssertionError when it fails."""
        assert self.start(moment).wait(timeout=240) == 0

    def message_ids(self) -> list[str]:
        """The Message-ID of every mail that arrived, in order of arrival."""
        return [str(letter["Message-ID"]) for letter in letters(self.mails)]

    def rows(self) -> dict[str, list[Any]]:
        """Every row of every table that a run writes, sorted, without the machine's clock."""
        with duckdb.connect(str(self.path / "warehouse.duckdb"), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            names = [name for (name,) in connection.execute("show tables").fetchall()]
            tables = [name for name in names if name not in ("migration", "scorer")]
            return {name: _rows(connection, name) for name in tables if _is_table(connection, name)}


def _is_table(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    found = connection.execute("select 1 from duckdb_tables() where table_name = ?", [name])
    return found.fetchone() is not None


def _rows(connection: duckdb.DuckDBPyConnection, name: str) -> list[Any]:
    left_out = _CLOCKED.get(name, ())
    columns = "* exclude (" + ", ".join(left_out) + ")" if left_out else "*"
    return sorted(map(repr, connection.execute(f"select {columns} from {name}").fetchall()))  # noqa: S608


@contextmanager
def lived_in(folder: Path, town: Town) -> Iterator[Home]:
    """A fresh home of Valbrume in `folder`, with a mail server of its own on loopback."""
    mails = folder / "maildir"
    folder.mkdir(parents=True)
    with mail_server(mails) as smtp_port:
        home = folder / "home"
        write_home(home, url=town.url, smtp_port=smtp_port)
        yield Home(path=home, town=town, mails=mails)
