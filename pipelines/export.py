"""Answers as files: CSV, Parquet, XLSX; complete, safe in a spreadsheet, with what they rest on.

Nothing is cut in silence: rows past a sheet's limit go to further sheets, and what a cell cannot
hold is an error. No cell is a formula: a CSV has a ' before what a spreadsheet would run (OWASP,
CSV Injection), an XLSX cell of text is marked as text. Beside the rows stand the question and its
parameters, the query, the moment, the institution, the contract, caveats and the legal note, in the
institution's language: a sheet, a `…-metadata.json` (W3C, CSV on the Web) or Parquet's own
metadata, whose keys are the same in every language. A file is written aside and renamed.

Memory holds a piece of the answer, but for DuckDB's own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from rich.cells import cell_len

from pipelines import analyst, textfile
from pipelines.aside import written_aside
from pipelines.errors import VigieError
from pipelines.said import say
from pipelines.wording import Words, words

ROWS = 20_000  # of one piece
SHEET_ROWS = 1_048_576  # of a sheet, its head counted (Microsoft, Excel specifications and limits)
SHEET_COLUMNS = 16_384
CELL_LETTERS = 32_767
WIDEST = 60  # letters of a column; a longer text is folded within it
_LOOKED = 1_000  # rows from which the width of a column is taken
_UTC_TIME = 'yyyy-mm-dd hh:mm:ss "UTC"'
_LINE, _HIGHEST = 15, 409  # points of a line and of a row, at most (Microsoft, as above)
_EXACT = 10**15  # a spreadsheet keeps 15 digits of a number


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of a query, a piece at a time, and what is told of them in the words `w`."""

    schema: pa.Schema
    pieces: Iterator[pa.Table]
    told: Mapping[str, str]
    columns: Mapping[str, str]
    w: Words


def export(
    connection: duckdb.DuckDBPyConnection,
    sql: str,
    to: Path,
    *,
    name: str,
    now: datetime,
    separator: str = ",",
    sheet_rows: int = SHEET_ROWS,
) -> int:
    """Write the answer of `sql` to `to`, whose ending says how; the number of rows.

    `separator` is that of CSV. VigieError for an ending, a query or a cell that cannot be.
    """
    _writer(to)  # an ending that cannot be is told before a long query is asked
    answer = ask(connection, sql, name=name, now=now)
    return write(answer, to, separator=separator, sheet_rows=sheet_rows)


def write(answer: Answer, to: Path, *, separator: str = ",", sheet_rows: int = SHEET_ROWS) -> int:
    """Write an answer to `to`, in the form that its ending says; the number of rows."""
    return _writer(to)(answer, to, separator, sheet_rows)


def _writer(to: Path) -> Callable[[Answer, Path, str, int], int]:
    writers = {".csv": _csv, ".parquet": _parquet, ".xlsx": _xlsx}
    known = writers.get(to.suffix.lower())
    if known is None:
        raise VigieError(say("{name!r}: choose an ending, .csv, .parquet or .xlsx", name=to.name))
    return known


def ask(connection: duckdb.DuckDBPyConnection, sql: str, *, name: str, now: datetime) -> Answer:
    """The answer of `sql` with what is to be told beside it."""
    about = analyst.about(connection)
    w = words(about.locale, ZoneInfo(about.time_zone), name="export")
    read = analyst.tables(connection, sql)
    told = {
        "institution": about.name,
        **_question(connection, name),
        "parameters": ", ".join(
            f"{name}={value}" for name, value in analyst.variables(connection, sql).items()
        ),
        "tables": ", ".join(read),
        "caveats": _caveats(connection, read, w),
        "times": w.text("times"),
        "law": w.text("law"),
        "asked_at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "file_made_at": f"{about.made_at:%Y-%m-%dT%H:%M:%SZ}",
        "contract": about.contract,
        "query": sql,
    }
    columns = _columns(connection, read)
    reader = analyst.run(connection, sql).to_arrow_reader(ROWS)
    said = {key: value for key, value in told.items() if value}
    return Answer(reader.schema, _read(connection, sql, reader), said, columns, w)


def _question(connection: duckdb.DuckDBPyConnection, name: str) -> dict[str, str]:
    """What is told of a question; nothing of a query that is none."""
    told = analyst.told(connection, name)
    keys = {"name": "question", "question": "asks", "caveat": "caveat"}
    kept = ("name", "question", "purpose", "grain", "units", "caveat")
    return {keys.get(key, key): told[key] for key in kept if key in told}


def _caveats(connection: duckdb.DuckDBPyConnection, read: Sequence[str], w: Words) -> str:
    """What the tables that are read do not say, a line each."""
    found = connection.execute(
        "select table_name, caveat from dictionary where column_name is null and caveat is not null"
        " and list_contains($read, table_name) order by table_name",
        {"read": read},
    )
    return "\n".join(w.say("of_table", table=t, caveat=told) for t, told in found.fetchall())


def _columns(connection: duckdb.DuckDBPyConnection, read: Sequence[str]) -> dict[str, str]:
    """What columns mean, by name; where several tables have it, as the first of them says."""
    found = connection.execute(
        "select column_name, arg_min(says, table_name) from dictionary"
        " where column_name is not null and list_contains($read, table_name) group by column_name",
        {"read": read},
    )
    return dict(found.fetchall())


def _read(
    connection: duckdb.DuckDBPyConnection, sql: str, batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.Table]:
    """The pieces of an answer as DuckDB makes them.

    Of several threads one may meet a fault and another tell only that it was interrupted (seen one
    time in thirty, with four): then the query is run once more, for what the fault is.
    """
    try:
        for batch in batches:
            yield pa.Table.from_batches([batch])
    except OSError as error:
        if "INTERRUPT" in str(error):
            connection.execute(f"explain analyze {connection.extract_statements(sql)[-1].query}")
        raise


def _pieces(answer: Answer) -> Iterator[pa.Table]:
    """The pieces, at least one; what DuckDB finds wrong on the way is told in its words."""
    is_empty = True
    try:
        for piece in answer.pieces:
            is_empty = False
            yield piece
    except (pa.ArrowException, duckdb.Error, OSError) as error:  # Arrow has OSError for a cast
        raise VigieError(say("the query broke off: {error}", error=str(error).strip())) from error
    if is_empty:
        yield answer.schema.empty_table()


def _csv(answer: Answer, to: Path, separator: str, _sheet_rows: int) -> int:
    with written_aside(to) as aside:
        with aside.open("wb") as file:
            count = csv(answer, file, separator=separator)
        with written_aside(to.with_name(f"{to.name}-metadata.json")) as beside:
            beside.write_text(_on_the_web(answer, to, separator, count), encoding="utf-8")
    return count


def csv(answer: Answer, file: BinaryIO, *, separator: str = ",") -> int:
    """Write the rows as CSV that a spreadsheet opens without running anything; their number."""
    if len(separator) != 1 or separator in '"\r\n':
        raise VigieError(
            say("{separator!r} parts no cells: choose , or ; or a tab", separator=separator)
        )
    writer, count = textfile.SafeCsv(file, answer.schema, separator=separator), 0
    for piece in _pieces(answer):
        writer.write(piece)
        count += piece.num_rows
    writer.close()
    return count


def _on_the_web(answer: Answer, to: Path, separator: str, count: int) -> str:
    """What is told beside a CSV, as W3C's Metadata Vocabulary for Tabular Data has it (2015)."""
    columns = [
        {"titles": field.name, "datatype": str(field.type)}
        | ({"dc:description": says} if (says := answer.columns.get(field.name)) else {})
        for field in answer.schema
    ]
    told = {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": answer.w.locale}],
        "url": to.name,
        "dialect": {"delimiter": separator, "encoding": "utf-8"},
        "tableSchema": {"columns": columns},
        **{f"vigie:{key}": value for key, value in answer.told.items()},
        "vigie:rows": count,
    }
    return json.dumps(told, ensure_ascii=False, indent=2) + "\n"


def _parquet(answer: Answer, to: Path, _separator: str, _sheet_rows: int) -> int:
    told = {f"vigie.{key}": value for key, value in answer.told.items()}
    fields = [
        field.with_metadata({"comment": says})
        if (says := answer.columns.get(field.name))
        else field
        for field in answer.schema
    ]
    schema = pa.schema(fields, metadata=told)
    count = 0
    with written_aside(to) as aside, pq.ParquetWriter(aside, schema, compression="zstd") as writer:
        for piece in _pieces(answer):
            writer.write_table(piece.cast(schema))
            count += piece.num_rows
    return count


def _xlsx(answer: Answer, to: Path, _separator: str, sheet_rows: int) -> int:
    from openpyxl import Workbook

    names = answer.schema.names
    if len(names) > SHEET_COLUMNS:
        raise VigieError(
            say(
                "a sheet holds {most} columns, not {n}: choose some",
                most=SHEET_COLUMNS,
                n=len(names),
            )
        )
    book = Workbook(write_only=True)
    try:
        count = _fill(book, answer, sheet_rows)
        _tell(book, answer, count)
    except BaseException:
        for sheet in book.worksheets:
            sheet.close()
        raise
    with written_aside(to) as aside:
        book.save(aside)
    return count


@dataclass(slots=True)
class _Sheet:
    """A sheet that is written row by row, each as high as what is folded in it."""

    sheet: Any
    widths: Sequence[int]
    count: int = 0

    def append(self, cells: Sequence[Any]) -> None:
        self.count += 1
        lines = max(map(_lines, cells, self.widths), default=1)
        if lines > 1:  # LibreOffice draws such a row over the next ones otherwise
            height = min(_HIGHEST, lines * _LINE)
            self.sheet.row_dimensions[self.count].height = height
            for cell in cells:
                if not _is_folded(cell):
                    cell.alignment = _at_the_top()
        self.sheet.append(cells)
        self.sheet.row_dimensions.pop(self.count, None)  # it has been written


def _lines(cell: Any, width: int) -> int:
    """The lines that a cell takes in a column of a width."""
    if not _is_folded(cell):
        return 1
    return sum(math.ceil(cell_len(line) / (width - 2)) or 1 for line in cell.value.split("\n"))


def _is_folded(cell: Any) -> bool:
    return bool(cell.has_style and cell.alignment.wrap_text)


def _fill(book: Any, answer: Answer, sheet_rows: int) -> int:
    """Append the rows to as many sheets as they need, each with the heads; their number."""
    names, widths = answer.schema.names, None
    count = 0
    for piece in _pieces(answer):
        if widths is None:
            widths = _widths(piece)
            sheet = _sheet(book, answer, widths)
        for row in zip(*(column.to_pylist() for column in piece.columns), strict=True):
            if sheet.count == sheet_rows:
                sheet = _sheet(book, answer, widths)
            sheet.append([_cell(sheet.sheet, v, name) for v, name in zip(row, names, strict=True)])
            count += 1
    return count


def _widths(piece: pa.Table) -> list[int]:
    """Letters that each column is wide: as its head and its first values, at most `WIDEST`."""
    first = piece.slice(0, _LOOKED)
    return [
        min(WIDEST, max(cell_len(name), *map(_length, column.to_pylist()), 0) + 2)
        for name, column in zip(first.schema.names, first.columns, strict=True)
    ]


def _length(value: object) -> int:
    """How wide a value is as a cell shows it, in letters; a moment with its zone."""
    if isinstance(value, datetime):
        return len(_UTC_TIME)
    return 0 if value is None else cell_len(str(_plain(value)))


def _sheet(book: Any, answer: Answer, widths: Sequence[int]) -> _Sheet:
    number, name = len(book.worksheets) + 1, answer.w.text("sheets.data")
    made = _made(book, name if number == 1 else f"{name} {number}", widths)
    made.sheet.freeze_panes = "A2"
    made.append([_bold(_cell(made.sheet, name, name)) for name in answer.schema.names])
    return made


def _made(book: Any, name: str, widths: Sequence[int]) -> _Sheet:
    """A new sheet, its columns so many letters wide; on paper they stand on one page, lying."""
    from openpyxl.utils import get_column_letter

    sheet = book.create_sheet(name)
    sheet.page_setup.orientation, sheet.page_setup.fitToHeight = "landscape", 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    for number, width in enumerate(widths, start=1):  # they are written before the first row
        sheet.column_dimensions[get_column_letter(number)].width = width
    return _Sheet(sheet, widths)


def _tell(book: Any, answer: Answer, count: int) -> None:
    """The last sheet: what the rows rest on, what their columns mean, and at its end the query."""
    w = answer.w
    counts = {"rows": str(count), "sheets": str(len(book.worksheets))}
    sheet = _made(book, w.text("sheets.about"), (32, 2 * WIDEST))
    told = {**answer.told, **counts}
    query = {"query": told.pop("query")} if "query" in told else {}
    columns = {name: says for name in answer.schema.names if (says := answer.columns.get(name))}
    _append(sheet, {_head(key, w): text for key, text in told.items()})
    _append(sheet, columns, above=w.text("columns"))
    _append(sheet, {_head(key, w): text for key, text in query.items()})


def _head(key: str, w: Words) -> str:
    return str(w.texts["told"].get(key, key))


def _append(to: _Sheet, told: Mapping[str, str], *, above: str = "") -> None:
    """A row for each line of what is told, its name before the first; `above` stands over all."""
    if above and told:
        to.append([_bold(_cell(to.sheet, above, above))])
    for name, text in told.items():
        for place, line in enumerate(text.split("\n")):
            head = _bold(_cell(to.sheet, name if place == 0 else "", name))
            to.append([head, _cell(to.sheet, line, name)])


def _bold(cell: Any) -> Any:
    """A head, told apart from what stands under or beside it."""
    cell.font = _strong()
    return cell


@cache
def _strong() -> Any:
    from openpyxl.styles import Font

    return Font(name="Calibri", size=11, bold=True)  # openpyxl's own, which Font() is not


def _cell(sheet: Any, value: object, title: str) -> Any:
    """A cell that is what it was: numbers and times as such, all else marked as text."""
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    known = _plain(value)
    if not isinstance(known, str):
        cell = WriteOnlyCell(sheet, value=known)
        if isinstance(value, datetime) and value.tzinfo:
            cell.number_format = _UTC_TIME  # it stays a moment, and shows whose
        return cell
    text = ILLEGAL_CHARACTERS_RE.sub("\ufffd", known)
    if len(text.encode("utf-16-le")) // 2 > CELL_LETTERS:
        raise VigieError(
            say(
                "column {title!r} holds a text of {n} characters, and a cell of a spreadsheet "
                "{most}: write .csv or .parquet, or ask for left({title}, {most})",
                title=title,
                n=len(text),
                most=CELL_LETTERS,
            )
        )
    cell = WriteOnlyCell(sheet, value=text)
    cell.data_type = "s"  # openpyxl takes '=…' for a formula and '#N/A' for an error
    cell.quotePrefix = True  # a person who edits the cell makes no formula of it either
    if cell_len(text) > WIDEST - 2:
        cell.alignment = _folded()
    return cell


@cache
def _folded() -> Any:
    """Folded within the column, from the top."""
    from openpyxl.styles import Alignment

    return Alignment(wrap_text=True, vertical="top")


@cache
def _at_the_top() -> Any:
    """Beside what is folded."""
    from openpyxl.styles import Alignment

    return Alignment(vertical="top")


def _plain(value: object) -> object:
    """A value as a cell can hold it: times in UTC without zone, lists as JSON, no digit lost."""
    if value is None or isinstance(value, bool | str | date | time):
        return value.replace(tzinfo=None) if isinstance(value, datetime) else value
    if isinstance(value, int):
        return value if abs(value) < _EXACT else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Decimal):
        return float(value) if value == Decimal(str(float(value))) else str(value)
    return json.dumps(value, ensure_ascii=False, default=str)
