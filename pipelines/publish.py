"""Writes the analysts' file: `published/analyst.duckdb`, read-only for everyone but this module.

It holds the views that say `-- Published: yes` as tables, with their comments; `about`, `topic`,
`service`, `dictionary`, `lineage` and `question`, which say what they are; and the macros of
`sql/macros`. All that it says of itself is in the institution's language; English is the source.
Two pages beside it tell the same (`dictionary.<locale>.html`). It is written aside and renamed, so
that a reader sees one whole file or the other and keeps the old one for as long as it has it open.
No payload, no author, no handle is in it.

Cost: the warehouse is held only while its file is copied (half a second for 300 MB); the tables
are made from that copy, which is then removed. Memory is bounded by DuckDB's limit.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from models.taxonomy import taxonomy
from pipelines import contract, dictionary, questions, scopes, warehouse
from pipelines.aside import written_aside
from pipelines.dictionary import Row

log = logging.getLogger(__name__)

ANALYST = "published/analyst.duckdb"


def publish(home: Path, *, made_at: datetime) -> Path:
    """The analysts' file of `home`, made anew at `made_at` (aware UTC); its path.

    A second call replaces the file. Raises WarehouseBusy when a writer holds the warehouse for
    more than a minute, and WarehouseError when there is none.
    """
    path = home / ANALYST
    with TemporaryDirectory(prefix=".copy-", suffix=".part", dir=_folder(path)) as folder:
        source = Path(folder) / warehouse.WAREHOUSE
        _snapshot(home, source)
        with (
            written_aside(path) as aside,
            warehouse.opened_file(source, read_only=True) as connection,
        ):
            rows = _copy(connection, aside, made_at=made_at)
            _add_macros(aside)
    dictionary.write(path, rows)
    log.info("warehouse.published bytes=%d", path.stat().st_size)
    return path


def _folder(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.parent


def _snapshot(home: Path, to: Path) -> None:
    """Copy the warehouse's file, and its log if a killed writer left one, while nobody writes.

    The connection is not used after the copy: closing a file drops the process's lock on it.
    """
    with warehouse.opened(home, read_only=True):
        for ending in ("", ".wal"):
            file = home / f"{warehouse.WAREHOUSE}{ending}"
            if file.exists():
                shutil.copyfile(file, to.with_name(f"{to.name}{ending}"))


def _copy(connection: warehouse.Connection, aside: Path, *, made_at: datetime) -> list[Row]:
    """Write every published view into a file of its own, as a table with its comments.

    What the SQL says of them: the rows of its `dictionary`, in English.
    """
    connection.execute(f"attach {_quoted(str(aside))} as beside (read_write)")
    for name in contract.published_views():
        if name == "mention_public":
            warehouse.run(connection, "writes/publish_mention", {"made_at": made_at})
        else:
            connection.execute(f'create table beside."{name}" as from "{name}"')
        for statement in _comments(connection, name):
            connection.execute(statement)
    given = {"made_at": made_at, "version": contract.version()}
    warehouse.run(connection, "writes/publish_about", given)
    (about,) = dictionary.fetched(connection, "from beside.about")
    _describe(connection, about["locale"])
    rows: list[Row] = [*dictionary.fetched(connection, "from beside.dictionary")]
    if about["locale"] != questions.SOURCE:
        _retell(connection, dictionary.retold(rows, dictionary.told_by(about)))
    connection.execute("detach beside")
    return rows


def _describe(connection: warehouse.Connection, locale: str) -> None:
    """Write what the file says about itself, tables and columns in English."""
    warehouse.run(connection, "writes/publish_described")
    _insert(connection, "topic", [(t.id, t.label_fr, t.label_en) for t in taxonomy()])
    _insert(connection, "service", [_service(name) for name in sorted(scopes.services())])
    edges = contract.lineage()
    _insert(
        connection,
        "lineage",
        [(e.kind, e.name, e.column, e.from_table, e.from_column) for e in edges],
    )
    _insert(
        connection,
        "question",
        [
            (q.name, q.question, q.purpose, q.grain, q.reads, q.units, q.caveat, q.sql)
            for q in questions.questions(locale)
        ],
    )
    told = [
        (name, h["purpose"], h["grain"], h.get("units"), h.get("caveat"), h["reads"])
        for name in contract.published_views()
        for h in [contract.header(warehouse.sql(f"views/{name}"))]
    ]
    _insert(connection, "told", told)
    warehouse.run(connection, "writes/publish_dictionary")


def _retell(connection: warehouse.Connection, rows: Sequence[Row]) -> None:
    """Say it in another language: `dictionary`, and the comments that other tools show."""
    connection.execute("delete from beside.dictionary")
    _insert(connection, "dictionary", [tuple(row.values()) for row in rows])
    for row in rows:
        connection.execute(_comment(row["table_name"], row["column_name"], row["says"]))


def _service(name: str) -> tuple[str, str, str]:
    """A public service as a row: its id and its labels."""
    return (name, scopes.label(f"service:{name}", "fr"), scopes.label(f"service:{name}", "en"))


def _insert(connection: warehouse.Connection, table: str, rows: Sequence[Sequence[object]]) -> None:
    """Add rows of text to a table of the file, all at once: one by one takes a second."""
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    incoming = pa.Table.from_arrays(columns, names=[f"c{n}" for n in range(len(columns))])
    connection.register("incoming", incoming)
    connection.execute(f"insert into beside.{table} from incoming")
    connection.unregister("incoming")


def _add_macros(path: Path) -> None:
    """Add the macros of `sql/macros`, which read the tables of the file that they are in."""
    with warehouse.opened_file(path, read_only=False) as connection:
        (about,) = dictionary.fetched(connection, "from about")
        for macro in dictionary.macros(dictionary.told_by(about)):
            warehouse.run(connection, f"macros/{macro.name}")
            is_table = " as table" in warehouse.sql(f"macros/{macro.name}")
            kind = "macro table" if is_table else "macro"
            connection.execute(f'comment on {kind} "{macro.name}" is {_quoted(macro.says)}')


def _comments(connection: warehouse.Connection, name: str) -> list[str]:
    """What puts the comments of a view on its table; DuckDB binds no parameter there."""
    found = connection.execute(
        "select null, comment from duckdb_views()"
        " where database_name = current_database() and view_name = $name and comment is not null"
        " union all select column_name, comment from duckdb_columns()"
        " where database_name = current_database() and table_name = $name"
        " and comment is not null",
        {"name": name},
    )
    return [_comment(name, column, text) for column, text in found.fetchall()]


def _comment(table: str, column: str | None, text: str) -> str:
    if column:
        return f'comment on column beside."{table}"."{column}" is {_quoted(text)}'
    return f'comment on table beside."{table}" is {_quoted(text)}'


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
