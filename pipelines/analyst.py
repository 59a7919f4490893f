"""The analysts' file opened for questions: read-only, no file and no network beyond it.

Whoever asks may ask anything of SQL: nothing can be written, read beside the file, fetched or
loaded, and the settings are locked. Parameters of a question are variables of DuckDB
(`getvariable('decided_on')`), each with a default in the question itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from pipelines.errors import VigieError

FILE = "published/analyst.duckdb"
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "memory_limit": "2GB",
    "threads": str(min(4, os.cpu_count() or 1)),
}


@dataclass(frozen=True, slots=True)
class About:
    """Whose file it is, made when (aware UTC), and by which version of the contract."""

    name: str
    time_zone: str
    locale: str
    made_at: datetime
    contract: str


@contextmanager
def opened(home: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the analysts' file of `home`, in UTC; VigieError when there is none yet."""
    path = home / FILE
    if not home.is_dir():
        raise VigieError(f"{home} does not exist: run `vigie init`, or name the home with --home")
    if not path.exists():
        raise VigieError(f"{home} holds no {FILE} yet: `vigie upkeep` makes it")
    try:
        connection = duckdb.connect(str(path), read_only=True, config=_CONFIG)
    except duckdb.IOException as error:
        raise VigieError(
            f"{path} cannot be opened: see that this account may read it, or make it again with "
            "`vigie upkeep`"
        ) from error
    try:
        connection.execute("set timezone = 'UTC'")
        connection.execute("set lock_configuration = true")
        yield connection
    finally:
        connection.close()


def about(connection: duckdb.DuckDBPyConnection) -> About:
    """What the file says of itself; VigieError for one of a version without a contract."""
    try:
        row = connection.execute(
            "select name, time_zone, locale, made_at, contract from about"
        ).fetchone()
    except duckdb.Error as error:
        raise VigieError(
            "this analysts' file is of an older version of Vigie: make it again with `vigie upkeep`"
        ) from error
    name, time_zone, locale, made_at, contract = row or ("", "UTC", "fr", datetime.now(UTC), "")
    return About(name, time_zone, locale, made_at, contract)


def asked(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """The SQL of a question by its name; VigieError with what comes near."""
    short = name.removeprefix("analyst_").removesuffix(".sql")
    found = connection.execute("select sql from question where name = ?", [short]).fetchone()
    if found:
        return str(found[0])
    near = connection.execute(
        "select name from question order by jaro_winkler_similarity(name, ?) desc limit 3", [short]
    ).fetchall()
    raise VigieError(
        f"there is no question {short!r}: try {', '.join(n for (n,) in near)}, or see all with "
        "`vigie sql .queries`"
    )


def set_variables(connection: duckdb.DuckDBPyConnection, values: Mapping[str, str]) -> None:
    """Give questions their parameters, as text; VigieError for a name that is none."""
    for name, value in values.items():
        if not name.isidentifier():
            raise VigieError(f"{name!r} is no name of a parameter: write name=value")
        quoted = value.replace("'", "''")
        run(connection, f"set variable \"{name}\" = '{quoted}'")


def run(connection: duckdb.DuckDBPyConnection, text: str) -> duckdb.DuckDBPyConnection:
    """The result of the last statement of `text`; VigieError in DuckDB's words with a remedy."""
    try:
        statements = connection.extract_statements(text)
        if not statements:
            raise VigieError("there is nothing to ask: write a query, for example `from about`")
        for statement in statements:
            connection.execute(statement)
    except duckdb.Error as error:
        raise VigieError(f"{_told(error)}{_remedy(error)}") from error
    except RuntimeError as error:  # Ctrl-C in a query
        raise VigieError("the query was stopped: ask for fewer days if it took long") from error
    return connection


def tables(connection: duckdb.DuckDBPyConnection, text: str) -> list[str]:
    """The tables of the file that a query reads, those inside its macros not counted."""
    known = {name for (name,) in connection.execute("select table_name from dictionary").fetchall()}
    try:
        return sorted(known & set(connection.get_table_names(text)))
    except duckdb.Error:  # not one select
        return []


def _told(error: duckdb.Error) -> str:
    return str(error).strip()


def _remedy(error: duckdb.Error) -> str:
    """What to do next, where DuckDB does not say it."""
    text = str(error)
    if isinstance(error, duckdb.PermissionException) or "disabled by configuration" in text:
        return "\nOnly the analysts' file can be read here: write results with `vigie export`."
    if "read-only" in text or "configuration has been locked" in text:
        return "\nThis file is read-only: nothing is changed or set here; ask with select or from."
    return next((f"\n{told}" for kind, told in _REMEDIES if isinstance(error, kind)), "")


_REMEDIES: tuple[tuple[type[duckdb.Error], str], ...] = (
    (
        duckdb.CatalogException,
        ".tables lists the tables, .schema NAME their columns, .queries the questions.",
    ),
    (duckdb.BinderException, ".schema NAME lists the columns of a table with their types."),
    (duckdb.ParserException, ".show NAME shows the SQL of a question that works, .help the rest."),
    (duckdb.ConversionException, "try_cast(… as …) gives null where a value does not fit."),
    (duckdb.OutOfMemoryException, "Ask for fewer days (last_days(7)) or fewer columns."),
)
