"""The analysts' file opened for questions: read-only, no file and no network beyond it.

Whoever asks may ask anything of SQL: nothing can be written, read beside the file, fetched or
loaded, and the settings are locked. Parameters of a question are variables of DuckDB
(`getvariable('decided_on')`), each with a default in the question itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from pipelines.errors import VigieError
from pipelines.said import NOTHING, Said, say

FILE = "published/analyst.duckdb"
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "memory_limit": "2GB",
    "threads": str(min(4, os.cpu_count() or 1)),
}
_NO_NAME = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", re.DOTALL)  # comments and texts


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
        raise VigieError(
            say("{home} does not exist: run `vigie init`, or name the home with --home", home=home)
        )
    if not path.exists():
        raise VigieError(
            say("{home} holds no {file} yet: `vigie upkeep` makes it", home=home, file=FILE)
        )
    try:
        connection = duckdb.connect(str(path), read_only=True, config=_CONFIG)
    except duckdb.IOException as error:
        raise VigieError(
            say(
                "{path} cannot be opened: see that this account may read it, or make it again with "
                "`vigie upkeep`",
                path=path,
            )
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
            say(
                "this analysts' file is of an older version of Vigie: make it again with "
                "`vigie upkeep`"
            )
        ) from error
    name, time_zone, locale, made_at, contract = row or ("", "UTC", "fr", datetime.now(UTC), "")
    return About(name, time_zone, locale, made_at, contract)


def called(name: str) -> str:
    """The short name of a question, of whatever is written for it."""
    return name.removeprefix("analyst_").removesuffix(".sql")


def asked(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """The SQL of a question by its name; VigieError with what comes near."""
    if found := told(connection, name):
        return found["sql"]
    near = connection.execute(
        "select name from question order by jaro_winkler_similarity(name, ?) desc, name limit 3",
        [called(name)],
    ).fetchall()
    raise VigieError(
        say(
            "there is no question {name!r}: try {near}, or see all with `vigie sql .queries`",
            name=called(name),
            near=", ".join(n for (n,) in near),
        )
    )


def told(connection: duckdb.DuckDBPyConnection, name: str) -> dict[str, str]:
    """What the file says of a question, by the columns of its table; nothing of none."""
    found = connection.execute("from question where name = ?", [called(name)])
    names = [column[0] for column in found.description or ()]
    return next((dict(zip(names, row, strict=True)) for row in found.fetchall()), {})


def set_variables(connection: duckdb.DuckDBPyConnection, values: Mapping[str, str]) -> None:
    """Give questions their parameters, as text; VigieError for a name that is none."""
    for name, value in values.items():
        if not name.isidentifier():
            raise VigieError(say("{name!r} is no name of a parameter: write name=value", name=name))
        quoted = value.replace("'", "''")
        run(connection, f"set variable \"{name}\" = '{quoted}'")


def run(connection: duckdb.DuckDBPyConnection, text: str) -> duckdb.DuckDBPyConnection:
    """The result of the last statement of `text`; VigieError in DuckDB's words with a remedy."""
    try:
        statements = connection.extract_statements(text)
        if not statements:
            raise VigieError(
                say("there is nothing to ask: write a query, for example `from about`")
            )
        for statement in statements:
            connection.execute(statement)
    except duckdb.Error as error:
        raise VigieError(_refusal(str(error).strip(), _remedy(error))) from error
    except RuntimeError as error:  # Ctrl-C in a query
        raise VigieError(
            say("the query was stopped: ask for fewer days if it took long")
        ) from error
    return connection


def tables(connection: duckdb.DuckDBPyConnection, text: str) -> list[str]:
    """The tables of the file that a query reads, those inside its macros too."""
    known = {name for (name,) in connection.execute("select table_name from dictionary").fetchall()}
    try:
        found = set(connection.get_table_names(text))
    except duckdb.Error:  # it knows neither two statements nor macros that are joined by `using`
        found = _named(connection, text)
    return sorted(known & found)


def _named(connection: duckdb.DuckDBPyConnection, text: str) -> set[str]:
    """Every name in a query and in the macros that it names, of whatever that name is."""
    macros = dict(
        connection.execute(
            "select function_name, macro_definition from duckdb_functions()"
            " where not internal and macro_definition is not null"
        ).fetchall()
    )
    names: set[str] = set()
    waiting = [text]
    while waiting:
        new = set(re.findall(r"\w+", _NO_NAME.sub(" ", waiting.pop()))) - names
        names |= new
        waiting += [macros[name] for name in new & macros.keys()]
    return names


def variables(connection: duckdb.DuckDBPyConnection, text: str) -> dict[str, str]:
    """The parameters that were given and that a query names, by name."""
    given = connection.execute(
        "select name, value from duckdb_variables() where value is not null order by name"
    )
    names = set(re.findall(r"\w+", text))
    return {name: str(value) for name, value in given.fetchall() if name in names}


def _refusal(error: str, remedy: Said) -> str:
    return say("{error}\n{remedy}", error=error, remedy=remedy) if remedy else error


def _remedy(error: duckdb.Error) -> Said:
    """What to do next, where DuckDB does not say it."""
    text = str(error)
    if isinstance(error, duckdb.PermissionException) or "disabled by configuration" in text:
        return say("Only the analysts' file can be read here: write results with `vigie export`.")
    if "read-only" in text or "configuration has been locked" in text:
        return say(
            "This file is read-only: nothing is changed or set here; ask with select or from."
        )
    return next((told for kind, told in _REMEDIES if isinstance(error, kind)), NOTHING)


_REMEDIES: tuple[tuple[type[duckdb.Error], Said], ...] = (
    (
        duckdb.CatalogException,
        say(".tables lists the tables, .schema NAME their columns, .queries the questions."),
    ),
    (duckdb.BinderException, say(".schema NAME lists the columns of a table with their types.")),
    (
        duckdb.ParserException,
        say(".show NAME shows the SQL of a question that works, .help the rest."),
    ),
    (
        duckdb.ConversionException,
        say("try_cast(… as …) gives null where a value does not fit."),
    ),
    (duckdb.OutOfMemoryException, say("Ask for fewer days (last_days(7)) or fewer columns.")),
)
