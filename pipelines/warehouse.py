"""Opens DuckDB late and closes it early; migrations, views, SQL by name, the published file.

DuckDB lets one process write or many read. Every step that opens the warehouse is short and
runs one at a time (one Airflow pool of one slot); whoever finds it held waits and tries again.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb

from pipelines.errors import WarehouseBusy, WarehouseError
from pipelines.places import gazetteer
from pipelines.settings import Settings

Connection = duckdb.DuckDBPyConnection

WAREHOUSE = "warehouse.duckdb"
# Bounded, so that a big load spills beside the warehouse instead of starving its neighbours; no
# extension is ever fetched.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "memory_limit": "800MB",
    "threads": str(min(4, os.cpu_count() or 1)),
}
_WAIT_SECONDS = 60.0
_PAUSE_SECONDS = 0.1
_ALERTS = "alerts"
_tried: ContextVar[Mapping[str, str] | None] = ContextVar("tried", default=None)


def sql(name: str) -> str:
    """The text of `sql/<name>.sql`, for example `sql("writes/merge_mention")`."""
    folder, _, file = name.partition("/")
    tried = _tried.get()
    return tried[file] if tried is not None and folder == _ALERTS else _text(name)


@lru_cache(maxsize=512)
def _text(name: str) -> str:
    return (files("sql") / f"{name}.sql").read_text(encoding="utf-8")


def sql_names(folder: str) -> list[str]:
    """The names of the SQL files of a folder, in the order of their names."""
    tried = _tried.get()
    if tried is not None and folder == _ALERTS:
        return sorted(tried)
    return list(_names(folder))


@lru_cache(maxsize=16)
def _names(folder: str) -> tuple[str, ...]:
    found = (f.name for f in (files("sql") / folder).iterdir() if f.name.endswith(".sql"))
    return tuple(sorted(name.removesuffix(".sql") for name in found))


@contextmanager
def trying(alerts: Mapping[str, str] | None) -> Iterator[None]:
    """Within the block the rules are `alerts` (texts by name) instead of those of sql/alerts.

    None: those of sql/alerts again.
    """
    token = _tried.set(alerts)
    try:
        yield
    finally:
        _tried.reset(token)


@contextmanager
def opened(
    home: Path, *, read_only: bool = False, wait_seconds: float = _WAIT_SECONDS
) -> Iterator[Connection]:
    """A connection to the warehouse of `home`, in UTC, closed when the block ends.

    Waits while another process holds the file; WarehouseBusy after `wait_seconds`. Raises
    WarehouseError when there is nothing to read.
    """
    path = home / WAREHOUSE
    if read_only and not path.exists():
        raise WarehouseError(f"{home} holds no {WAREHOUSE} yet: `vigie watch` makes it")
    with opened_file(path, read_only=read_only, wait_seconds=wait_seconds) as connection:
        yield connection


@contextmanager
def in_turn(
    home: Path, turn: threading.Lock, *, read_only: bool, wait_seconds: float
) -> Iterator[Connection]:
    """The warehouse for one thread at a time: DuckDB opens a file one way only in a process.

    Waits for `turn` and for other processes `wait_seconds` together, then raises WarehouseBusy.
    """
    until = time.monotonic() + wait_seconds
    if not turn.acquire(timeout=wait_seconds):
        raise WarehouseBusy(f"others have been waiting for {home} for {wait_seconds:.0f} s")
    try:
        left = max(0.0, until - time.monotonic())
        with opened(home, read_only=read_only, wait_seconds=left) as connection:
            yield connection
    finally:
        turn.release()


@contextmanager
def opened_file(path: Path, *, read_only: bool, wait_seconds: float = 0) -> Iterator[Connection]:
    """A connection to a DuckDB file, in UTC, closed when the block ends; waits as `opened`."""
    connection = _connect(path, read_only=read_only, wait_seconds=wait_seconds)
    try:
        _quiet(connection)
        yield connection
    finally:
        connection.close()


@contextmanager
def in_memory() -> Iterator[Connection]:
    """A DuckDB of its own without a file, in UTC: for counting in files; spills if it must."""
    spill = Path(tempfile.gettempdir()) / f"vigie-duckdb-{os.getpid()}"
    connection = duckdb.connect(config=_CONFIG | {"temp_directory": str(spill)})
    try:
        _quiet(connection)
        yield connection
    finally:
        connection.close()


def _quiet(connection: Connection) -> None:
    """UTC, and no progress bar, which DuckDB draws where it takes a task for a terminal."""
    connection.execute("set timezone = 'UTC'; set enable_progress_bar = false")


def _connect(path: Path, *, read_only: bool, wait_seconds: float) -> Connection:
    return _patiently(
        lambda: duckdb.connect(str(path), read_only=read_only, config=_CONFIG), path, wait_seconds
    )


def attach(connection: Connection, path: Path, name: str) -> None:
    """Attach a DuckDB file, to be read only, as `name`; waits as `opened`."""
    if not path.exists():
        raise WarehouseError(f"{path} is not there yet: `vigie watch` makes it")
    quoted = str(path).replace("'", "''")
    statement = f"attach '{quoted}' as {name} (read_only)"
    _patiently(lambda: connection.execute(statement), path, _WAIT_SECONDS)


def _patiently(open_it: Callable[[], Connection], path: Path, wait_seconds: float) -> Connection:
    """What `open_it` gives, asked again while another process holds the file."""
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            return open_it()
        except duckdb.IOException as error:
            if "permission denied" in str(error).lower():
                raise WarehouseError(
                    f"{path} cannot be opened by this account (permission denied): run as the "
                    f"account that owns it, or chown it"
                ) from error
            if "lock" not in str(error).lower():
                raise
            if time.monotonic() > deadline:
                raise WarehouseBusy(
                    f"{path} has been held by another process for {wait_seconds:.0f} s: "
                    "see who holds it (`fuser` on the file), or try again later"
                ) from error
        time.sleep(_PAUSE_SECONDS)


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """All of the block or nothing of it."""
    connection.begin()
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def prepare(settings: Settings) -> None:
    """The warehouse of an institution: every migration applied once, every view as it is now.

    A second call changes nothing but the views and the copies of the settings, written again.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    with opened(settings.home) as connection:
        migrate(connection)
        with transaction(connection):
            _copy_settings(connection, settings)
            _copy_places(connection)
        create_views(connection)


def _copy_settings(connection: Connection, settings: Settings) -> None:
    """What the views need of the settings: whose days, which subjects, which sources."""
    who = settings.institution
    rows: dict[str, list[list[Any]]] = {
        "institution": [[who.id, who.name, who.time_zone, who.locale]],
        "subject": [[s.id, s.label, s.purpose] for s in settings.subjects],
        "source_block": [
            [s.name, s.kind, s.every_minutes, s.silent_after_minutes] for s in settings.sources
        ],
        "canary": [[c.id, c.word, c.url] for c in settings.canaries],
    }
    for table, values in rows.items():
        connection.execute(f"delete from {table}")  # noqa: S608 - our own names
        for value in values:
            marks = ", ".join("?" for _ in value)
            connection.execute(f"insert into {table} values ({marks})", value)  # noqa: S608


def _copy_places(connection: Connection) -> None:
    """The gazetteer as the table `place`, written again only when it is another one."""
    held = connection.execute("select version from gazetteer").fetchone()
    if held == (gazetteer.version(),):
        return
    connection.execute("delete from place; delete from gazetteer")
    rows = gazetteer.table()
    connection.register("incoming_place", rows)
    connection.execute("insert into place by name from incoming_place")
    connection.unregister("incoming_place")
    connection.execute("insert into gazetteer values (?)", [gazetteer.version()])


def migrate(connection: Connection) -> list[str]:
    """Apply the migrations not yet applied, each in a transaction; their names."""
    connection.execute(
        "create table if not exists migration (name varchar not null, applied_at timestamptz)"
    )
    done = {row[0] for row in connection.execute("select name from migration").fetchall()}
    known = sql_names("migrations")
    if unknown := sorted(done.difference(known)):
        raise WarehouseError(
            f"the warehouse knows migration {unknown[-1]}, which this version of Vigie does not: "
            "install the newer version, or restore an older warehouse"
        )
    fresh = [name for name in known if name not in done]
    for name in fresh:
        with transaction(connection):
            connection.execute(sql(f"migrations/{name}"))
            connection.execute("insert into migration values (?, now())", [name])
    return fresh


def create_views(connection: Connection) -> None:
    """Write every view of `sql/views` again; one may read another, whatever their names.

    All are dropped first: a view bound to the old columns of another would fail when read, and
    one whose file is gone would stay.
    """
    waiting = {name: sql(f"views/{name}") for name in sql_names("views")}
    with transaction(connection):
        _drop_views(connection)
        while waiting:
            made = [name for name, text in waiting.items() if _is_made(connection, text)]
            if not made:
                connection.execute(next(iter(waiting.values())))  # raises with DuckDB's own words
            waiting = {name: text for name, text in waiting.items() if name not in made}


def _drop_views(connection: Connection) -> None:
    found = connection.execute(
        "select view_name from duckdb_views() where not internal and not temporary"
        " and database_name = current_database()"
    ).fetchall()
    for (name,) in found:
        connection.execute(f'drop view "{name}"')


def _is_made(connection: Connection, text: str) -> bool:
    """Whether every table and view that `text` reads is there; if so it has been run."""
    first, *rest = connection.extract_statements(text)
    try:
        connection.execute(f"explain {first.query}")
    except duckdb.CatalogException:
        return False
    for statement in (first, *rest):
        connection.execute(statement)
    return True


def run(
    connection: Connection, name: str, parameters: Mapping[str, Any] | None = None
) -> Connection:
    """Run `sql/<name>.sql` with bound parameters; each statement gets those that it names.

    What comes back is the result of the last statement. A parameter that no statement names is
    left out; one that is named and not given raises DuckDB's InvalidInputException.
    """
    given = parameters or {}
    result = connection
    for statement in connection.extract_statements(sql(name)):
        used = {key: given[key] for key in statement.named_parameters if key in given}
        result = connection.execute(statement, used) if used else connection.execute(statement)
    return result
