"""The data dictionary as two pages, French and English, beside the analysts' file.

Made of the rows of that file itself, so that a page never tells of another one: tables and columns
with grain, units and caveats; where each column comes from; the digest's figures back to the
warehouse; questions and macros. One file without a script or an address. The words of the frame,
and the French of tables and columns, stand in `templates/dictionary.<locale>.toml`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined

from pipelines import contract, questions, warehouse
from pipelines.aside import written_aside
from pipelines.contract import Edge
from pipelines.wording import LOCALES, Words, words

_TEMPLATES = ("digest.html.j2",)  # whose figures name the query behind them


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, type and meaning, and what it is made from."""

    name: str
    kind: str
    says: str
    made_from: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the file, or a query of the digest, with its columns."""

    name: str
    says: str
    told: Mapping[str, str]
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro: how it is written, what it keeps, what it does not say."""

    name: str
    use: str
    says: str
    caveat: str


Row = Mapping[str, Any]  # of the table `dictionary`


def write(published: Path, rows: Sequence[Row]) -> tuple[Path, ...]:
    """Write a page for each locale beside `published`; their paths.

    `rows` are those of its table `dictionary` as the SQL tells them, in English.
    """
    with warehouse.opened_file(published, read_only=True) as connection:
        about = fetched(connection, "from about")[0]
    return tuple(_write_page(published.parent, about, rows, locale) for locale in LOCALES)


def fetched(connection: warehouse.Connection, query: str) -> list[dict[str, Any]]:
    """The rows of a query, each by the names of its columns."""
    found = connection.execute(query)
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _write_page(folder: Path, about: Row, rows: Sequence[Row], locale: str) -> Path:
    path = folder / f"dictionary.{locale}.html"
    w = told_by({**about, "locale": locale})
    loader = PackageLoader("pipelines", "templates")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    environment.filters["parted"] = lambda text: text.split("`")
    page = environment.get_template("dictionary.html.j2").render(
        w=w,
        about=about,
        tables=tables(retold(rows, w)),
        figures=figures(w),
        questions=questions.questions(locale),
        macros=macros(w),
    )
    with written_aside(path) as part:
        part.write_text(page, encoding="utf-8")
    return path


def told_by(about: Row) -> Words:
    """The words for what is in the file, of its locale and zone."""
    return words(about["locale"], ZoneInfo(about["time_zone"]), name="dictionary")


def retold(rows: Sequence[Row], w: Words) -> list[dict[str, Any]]:
    """The rows of `dictionary` in the words of a locale; English stands where there are none."""
    return [{**row, **(_column(row, w) if row["column_name"] else _table(row, w))} for row in rows]


def _table(row: Row, w: Words) -> dict[str, str | None]:
    at = f"tables.{row['table_name']}"
    keys = {"says": "says", "purpose": "says", "grain": "grain", "units": "units"}
    keys |= {"caveat": "caveat"}
    return {key: row[key] and _own(w, f"{at}.{own}", row[key]) for key, own in keys.items()}


def _column(row: Row, w: Words) -> dict[str, str]:
    common = _own(w, f"columns.{row['column_name']}", row["says"] or "")
    return {"says": _own(w, f"tables.{row['table_name']}.columns.{row['column_name']}", common)}


def tables(rows: Sequence[Row]) -> list[Table]:
    """The tables of the file, from the rows of its `dictionary`."""
    heads = {row["table_name"]: row for row in rows if row["column_name"] is None}
    return [
        Table(
            name=name,
            says=head["says"],
            told={key: head[key] for key in ("grain", "units", "caveat") if head[key]},
            columns=tuple(
                Column(row["column_name"], row["data_type"], row["says"], made_from)
                for row in rows
                if row["table_name"] == name and row["column_name"]
                for made_from in [_sources("view", name, row["column_name"])]
            ),
        )
        for name, head in heads.items()
    ]


def macros(w: Words) -> list[Macro]:
    """The macros of the file, in the words of a locale."""
    return [
        Macro(
            name=name,
            use=told["use"],
            says=_own(w, f"macros.{name}", told["purpose"]),
            caveat=_own(w, f"macro_caveats.{name}", told["caveat"]),
        )
        for name, told in contract.macros().items()
    ]


def _own(w: Words, key: str, otherwise: str) -> str:
    return w.text(key) if w.has(key) else otherwise


def _sources(kind: str, name: str, column: str) -> tuple[str, ...]:
    return tuple(
        f"{edge.from_table}.{edge.from_column}"
        for edge in contract.lineage()
        if (edge.kind, edge.name, edge.column) == (kind, name, column)
    )


def figures(w: Words) -> list[Table]:
    """Every query behind the digest, with the columns that its figures are made from."""
    edges: dict[str, list[Edge]] = {}
    for edge in contract.lineage():
        if edge.kind == "query":
            edges.setdefault(edge.name, []).append(edge)
    return [_figure(name, of, w) for name, of in edges.items()]


def _figure(name: str, edges: Sequence[Edge], w: Words) -> Table:
    columns = dict.fromkeys(edge.column for edge in edges)
    told = contract.header(warehouse.sql(f"queries/{name}"))
    return Table(
        name=name,
        says=_own(w, f"figures.{name}", told.get("purpose") or told["question"]),
        told={},
        columns=tuple(Column(c, "", "", _sources("query", name, c)) for c in columns),
    )


def digest_queries() -> set[str]:
    """The queries that the digest's templates name behind a figure or a sentence."""
    known = set(warehouse.sql_names("queries"))
    folder = files("pipelines") / "templates"
    text = " ".join((folder / name).read_text(encoding="utf-8") for name in _TEMPLATES)
    return {word for word in _words(text) if word in known}


def _words(text: str) -> set[str]:
    return set("".join(c if c.isalnum() or c == "_" else " " for c in text).split())
