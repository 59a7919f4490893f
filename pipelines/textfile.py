"""Any file of texts, in and out by pieces: CSV, JSON lines or Parquet, as its ending says.

A leaf: knows tables, not models. Memory holds one piece of `ROWS` rows. Columns and order of the
rows are those of the file. Faults of the file are VigieErrors that name what to change.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol

import pyarrow as pa
import pyarrow.compute as compute
import pyarrow.csv as pc
import pyarrow.parquet as pq

from pipelines.columns import strings
from pipelines.errors import VigieError

ROWS = 20_000  # of one piece: a few tens of megabytes
_BLOCK_BYTES = 8 << 20  # of CSV; no row may be longer


@dataclass(frozen=True, slots=True)
class Texts:
    """The pieces of a file, at least one, and its number of rows when the form tells it."""

    pieces: Iterator[pa.Table]
    row_count: int | None


class Writer(Protocol):
    """Takes pieces of one schema, in order."""

    def write(self, piece: pa.Table) -> object: ...


Leave = Callable[[VigieError], object]  # what is told of a row that is left out


def opened(
    source: Path,
    *,
    added: Sequence[str],
    text: str = "text",
    hint: str = "",
    leave: Leave | None = None,
) -> Texts:
    """A file with a column of texts, ready to be read; those named in `added` may not be there.

    `hint` ends the remedy where the column is missing. `leave` is told of each row that is no
    row (no JSON, too few columns), which is then left out; without it, the first ends the reading.

    VigieError for what the first rows show; a fault further down is raised when it is reached.
    """
    reader = _READERS.get(source.suffix.lower())
    if reader is None:
        raise VigieError(f"{source.name} ends in {source.suffix or 'nothing'}: {_ENDINGS}")
    if not source.is_file():
        raise VigieError(f"{source} is not a file: check the path")
    try:
        schema, pieces, row_count = reader(source, leave)
        _check(schema, source, added, text, hint)
    except (pa.ArrowInvalid, UnicodeDecodeError, OverflowError) as error:
        raise _unreadable(source, error) from error
    return Texts(_whole(pieces, schema, source), row_count)


def _whole(pieces: Iterator[pa.Table], schema: pa.Schema, source: Path) -> Iterator[pa.Table]:
    """The pieces, or one without rows; what breaks on the way is told in our words."""
    is_empty = True
    try:
        for piece in pieces:
            is_empty = False
            yield piece
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeDecodeError, OverflowError) as error:
        raise _unreadable(source, error) from error
    if is_empty:
        yield schema.empty_table()


def _unreadable(source: Path, error: Exception) -> VigieError:
    if isinstance(error, UnicodeDecodeError) or "UTF8" in str(error):
        return VigieError(
            f"{source.name} is not in UTF-8: save it again in that encoding (in a spreadsheet: "
            "CSV UTF-8), or write iconv -f cp1252 -t utf-8 where it comes from Windows"
        )
    return VigieError(
        f"{source.name} cannot be read as {source.suffix.lower()[1:]} ({_told_of(error)}): "
        "check the ending, that it is UTF-8, and that every row has the same columns"
    )


_WHAT = re.compile(r"[^:'\"\n]+(?:: (?:Row #\d+: )?Expected \d+ columns, got \d+)?")


def _told_of(error: Exception) -> str:
    """What went wrong, up to where the reader's words would quote the file."""
    found = _WHAT.match(str(error))
    return (found[0] if found else type(error).__name__).strip()[:200]


def _check(schema: pa.Schema, source: Path, added: Sequence[str], text: str, hint: str) -> None:
    """VigieError unless the columns can be read and no added column is there already."""
    names = Counter(schema.names)
    if text not in names:
        raise VigieError(
            f"{source.name} has no column {text!r} but {', '.join(schema.names[:20]) or 'none'}: "
            f"rename the column that holds the texts{hint}"
        )
    if twice := [name for name, count in names.items() if count > 1]:
        raise VigieError(f"{source.name} has two columns {twice[0]!r}: rename one of them")
    for name in (text, "lang"):
        if name in names and not _is_text(schema.field(name).type):
            kind = schema.field(name).type
            raise VigieError(f"{source.name} has a column {name!r} of {kind}: it must be text")
    if clashes := sorted(set(added) & set(names)):
        raise VigieError(
            f"{source.name} already has the columns {', '.join(clashes)}, which scoring adds: "
            "rename or drop them"
        )


def _is_text(kind: pa.DataType) -> bool:
    return kind in (pa.string(), pa.large_string(), pa.null())


Read = tuple[pa.Schema, Iterator[pa.Table], int | None]


def _from_parquet(source: Path, _leave: Leave | None) -> Read:
    file = pq.ParquetFile(source)
    batches = file.iter_batches(batch_size=ROWS)
    pieces = (pa.Table.from_batches([batch]) for batch in batches)
    return file.schema_arrow, pieces, file.metadata.num_rows


def _from_csv(source: Path, leave: Leave | None) -> Read:
    """Every column as text, so that a number such as 007 comes out as it went in."""
    with source.open(encoding="utf-8-sig", newline="") as opened_file:
        first = opened_file.readline()
    delimiter = max(",;\t", key=first.count)
    names = next(csv.reader([first], delimiter=delimiter), [])
    reader = pc.open_csv(
        source,
        # One thread, which knows the number of a row that it cannot read.
        read_options=pc.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
        parse_options=pc.ParseOptions(
            delimiter=delimiter,
            newlines_in_values=True,
            invalid_row_handler=_leaving(source, leave) if leave else None,
        ),
        convert_options=pc.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )
    return reader.schema, _split(reader), None


def _leaving(source: Path, leave: Leave) -> Callable[[Any], str]:
    def told(row: Any) -> str:
        leave(
            VigieError(
                f"row {row.number} of {source.name} has {row.actual_columns} columns and not "
                f"{row.expected_columns}: put quotes round a text that holds the separator"
            )
        )
        return "skip"

    return told


def _split(reader: pc.CSVStreamingReader) -> Iterator[pa.Table]:
    for batch in reader:
        for start in range(0, batch.num_rows, ROWS):
            yield pa.Table.from_batches([batch.slice(start, ROWS)])


def _from_lines(source: Path, leave: Leave | None) -> Read:
    """JSON lines: the columns are those of any of the first rows, and each keeps its type."""
    faults: list[VigieError] = []  # told when these rows are read again
    first = next(_line_groups(source, leave and faults.append), [])
    if faults and not first:
        raise faults[0]
    schema = pa.Table.from_pylist(_widest(first)).schema if first else pa.schema([])
    return schema, _lines(source, schema, leave), None


def _lines(source: Path, schema: pa.Schema, leave: Leave | None) -> Iterator[pa.Table]:
    for rows in _line_groups(source, leave):
        if unknown := sorted({key for row in rows for key in row} - set(schema.names)):
            raise VigieError(
                f"{source.name} has the column {unknown[0]!r} in a late row only: give it to one "
                f"of the first {ROWS} rows too (null will do)"
            )
        yield pa.Table.from_pylist(rows, schema=schema)


def _widest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with the columns of all of them, in the order in which they first appear."""
    names = dict.fromkeys(key for row in rows for key in row)
    return [{name: row.get(name) for name in names} for row in rows]


def _line_groups(source: Path, leave: Leave | None) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    with source.open(encoding="utf-8-sig") as opened:
        for number, line in enumerate(opened, start=1):
            if line.strip():
                rows += _rows(line, number, source, leave)
            if len(rows) >= ROWS:
                yield rows
                rows = []
    if rows:
        yield rows


def _rows(line: str, number: int, source: Path, leave: Leave | None) -> tuple[dict[str, Any], ...]:
    """The row of a line, or none where it is left out."""
    try:
        return (_row(line, number, source),)
    except VigieError as error:
        if leave is None:
            raise
        leave(error)
        return ()


def _row(line: str, number: int, source: Path) -> dict[str, Any]:
    try:
        row = _whole_signs(line) if _HALF_PAIR.search(line) else json.loads(line)
    except RecursionError as error:
        raise VigieError(
            f"line {number} of {source.name} nests too deep: each line must hold one object"
        ) from error
    except json.JSONDecodeError as error:
        raise VigieError(
            f"line {number} of {source.name} is not JSON ({error.msg} at column {error.colno}): "
            "each line must hold one object"
        ) from error
    if not isinstance(row, dict):
        raise VigieError(f"line {number} of {source.name} is not an object: write one a line")
    return row


_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")


def _whole_signs(line: str) -> Any:
    """A line of JSON without half surrogate pairs, which no table can hold: U+FFFD stands there."""
    found = json.dumps(json.loads(line), ensure_ascii=False)
    return json.loads(found.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def writer(
    out: Path, *, spreadsheet_safe: bool = False
) -> Callable[[Path], AbstractContextManager[Writer]]:
    """What writes the form that the ending of `out` names; VigieError for another ending.

    `spreadsheet_safe` is for CSV: no cell is left that a spreadsheet would take for a formula.
    """
    form = _FORMS.get(out.suffix.lower())
    if form is None:
        raise VigieError(f"{out.name} ends in {out.suffix or 'nothing'}: {_ENDINGS}")
    if spreadsheet_safe and form is not _CsvWriter:
        raise VigieError(f"{out.name} is no CSV: leave out --spreadsheet-safe, or write a .csv")
    if spreadsheet_safe:
        form = _SafeCsvWriter
    return lambda path: _Written(path, form)


class _Written:
    """A file that is begun with the first piece, whose schema it takes, and closed at the end."""

    def __init__(self, path: Path, form: Callable[[Path, pa.Schema], Any]) -> None:
        self._path, self._form = path, form
        self._file: Any = None

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, piece: pa.Table) -> None:
        """Append a piece."""
        if self._file is None:
            self._file = self._form(self._path, piece.schema)
        self._file.write(piece)


class _CsvWriter:
    """CSV in UTF-8; lists become JSON text."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._schema = pa.schema([(field.name, _flat(field.type)) for field in schema])
        self._writer = pc.CSVWriter(path, self._schema)

    def write(self, table: pa.Table) -> None:
        columns = [
            _as_json(column) if pa.types.is_nested(column.type) else column
            for column in table.columns
        ]
        self._writer.write(pa.Table.from_arrays(columns, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


# What begins a formula, at the start of a cell or after what may be taken for the end of one: a
# French spreadsheet parts cells at `;`, an English one at `,` (OWASP, CSV Injection). What cannot
# be seen before it is skipped: LibreOffice 7.4 takes a NUL and `=1+1` for a formula.
_FORMULA = r"""(^|[;,|\t\r\n])([\s\pC\pZ]*["']?[\s\pC\pZ]*)([=+\-@＝＋－＠])"""
_NUMBER = r"^\s*[+\-]?\d+(?:[.,]\d+)*(?:[eE][+\-]?\d+)?\s*$"


def _guarded(column: Any) -> Any:
    """A column of text with a ' before every formula; numbers stay numbers."""
    if column.type not in (pa.string(), pa.large_string()):
        return column
    safe = compute.replace_substring_regex(column, _FORMULA, r"\1\2'\3")
    return compute.if_else(compute.match_substring_regex(column, _NUMBER), column, safe)


class _SafeCsvWriter(_CsvWriter):
    """CSV whose cells and column names no spreadsheet takes for formulas."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        names = _guarded(pa.array(schema.names, pa.string())).to_pylist()
        self._names: list[str] = names
        super().__init__(
            path, pa.schema([f.with_name(n) for f, n in zip(schema, names, strict=True)])
        )

    def write(self, table: pa.Table) -> None:
        columns = [_guarded(column) for column in table.columns]
        super().write(pa.Table.from_arrays(columns, names=self._names))


class SafeCsv:
    """CSV for a spreadsheet, into an open file: UTF-8 with its mark, lists as JSON, no formula."""

    def __init__(self, file: BinaryIO, schema: pa.Schema, *, separator: str) -> None:
        names = _guarded(pa.array(schema.names, pa.string())).to_pylist()
        fields = [(name, _flat(f.type)) for name, f in zip(names, schema, strict=True)]
        self._schema = pa.schema(fields)
        file.write(b"\xef\xbb\xbf")  # without it a spreadsheet takes UTF-8 for something else
        self._writer = pc.CSVWriter(
            file, self._schema, write_options=pc.WriteOptions(delimiter=separator)
        )

    def write(self, piece: pa.Table) -> None:
        """Append a piece."""
        columns = [
            _guarded(_as_json(c) if pa.types.is_nested(c.type) else c) for c in piece.columns
        ]
        self._writer.write(pa.Table.from_arrays(columns, schema=self._schema))

    def close(self) -> None:
        """Write what is left."""
        self._writer.close()


def _flat(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_nested(kind) else kind


def _as_json(column: pa.ChunkedArray) -> pa.Array:
    return strings([_dumped(value) for value in column.to_pylist()])


def _dumped(value: object) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, default=str)


class _LinesWriter:
    """One JSON object a line, in UTF-8."""

    def __init__(self, path: Path, _schema: pa.Schema) -> None:
        self._file = path.open("w", encoding="utf-8")

    def write(self, table: pa.Table) -> None:
        for row in table.to_pylist():
            self._file.write(f"{json.dumps(row, ensure_ascii=False, default=str)}\n")

    def close(self) -> None:
        self._file.close()


_ENDINGS = "use .csv, .jsonl (or .ndjson) or .parquet"
_READERS: dict[str, Callable[[Path, Leave | None], Read]] = {
    ".csv": _from_csv,
    ".jsonl": _from_lines,
    ".ndjson": _from_lines,
    ".parquet": _from_parquet,
}
_FORMS: dict[str, Callable[[Path, pa.Schema], Any]] = {
    ".csv": _CsvWriter,
    ".jsonl": _LinesWriter,
    ".ndjson": _LinesWriter,
    ".parquet": lambda path, schema: pq.ParquetWriter(path, schema),
}
