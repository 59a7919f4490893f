"""Opens an export as a table: CSV, JSON lines, a JSON array, Parquet, XLSX, and .gz of these.

A `Table` knows its columns and gives its rows as often as asked, one at a time, so that memory
holds a block of rows and never a file (but for a JSON array and a workbook's strings, which are
capped). What is not said is found: encoding, separator, lines above the header, the sheet.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import itertools
import operator
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import charset_normalizer
import msgspec
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from openpyxl.utils.exceptions import InvalidFileException

from pipelines import plaintext
from pipelines.errors import SourceError
from pipelines.said import Said, say

CELL_LIMIT = 1_000_000  # characters of one cell; beyond it a quote was never closed
UNPACKED_LIMIT = 4 << 30  # bytes of a .gz once unpacked
WHOLE_LIMIT = 256 << 20  # bytes of what must be held whole: a JSON array, a workbook's strings
WORKBOOK_LIMIT = 2 << 30  # bytes of a workbook once unpacked
HEADER_WITHIN = 50  # the header is one of this many first rows
_BLOCK = 1 << 20
_END = "\x1e\x04 end of the file \x04\x1e"  # a line that no export holds
_FRENCH = frozenset("àâäçéèêëîïôöùûüÿœæÀÂÇÉÈÊËÎÏÔÙÛŒÆ’‘“”«»–—…€°\xa0")
_SEPARATORS = (";", ",", "\t", "|")
_FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "json", ".ndjson": "json",
    ".json": "json", ".parquet": "parquet", ".pq": "parquet", ".xlsx": "xlsx", ".xlsm": "xlsx",
}  # fmt: skip

Cells = dict[str, Any]
Rank = Callable[[Sequence[str]], int]  # how well a row serves as the header; 0: not at all


class Row(NamedTuple):
    """One row: its number in the file, its cells by column, or what is wrong with it."""

    number: int
    cells: Cells | None
    fault: Fault | None = None


class Fault(NamedTuple):
    """What is wrong with a row, as it lands: which fault, and the counts that tell it."""

    kind: Literal["wide", "quote", "no_object"]
    found: int = 0
    wanted: int = 0

    @property
    def said(self) -> Said:
        """The fault in words, to be told in any language."""
        if self.kind == "no_object":
            return say("not a JSON object")
        if self.kind == "quote":
            return say("a quote opens and never closes: {n} lines lost", n=self.found)
        return say("{n} cells where the header has {width}", n=self.found, width=self.wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The columns of an export, and its rows: `rows(columns)` reads the file once from the top."""

    columns: tuple[str, ...]
    rows: Callable[[Sequence[str]], Iterator[Row]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """What the settings say of the file; None is found out."""

    rank: Rank
    encoding: str | None = None
    separator: str | None = None
    sheet: str | None = None


def name_of(path: Path) -> str:
    """The name of a file as a message and a log may show it: one line, nothing but letters."""
    return plaintext.line(path.name, limit=100)


def is_table(path: Path) -> bool:
    """Whether a file is an export by its name; hidden, half-copied and lock files are not."""
    if path.name.startswith((".", "~$")):
        return False
    return _suffix(path) in _FORMATS


def _suffix(path: Path) -> str:
    name = path.name.lower().removesuffix(".gz")
    return Path(name).suffix


def opened(path: Path, hints: Hints) -> Table:
    """The table in a file; SourceError naming the file when it cannot be read as one."""
    form = _FORMATS.get(_suffix(path))
    if form is None:
        raise SourceError(
            say(
                "{file} is of no form that Vigie reads: export it as CSV, JSON lines, Parquet or "
                "XLSX (.gz of these too)",
                file=name_of(path),
            )
        )
    with told(path):
        _check_unpacked(path)
        return _OPENERS[form](path, hints)


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turns what other people's readers throw into a SourceError that names the file."""
    try:
        yield
    except (OSError, EOFError, zipfile.BadZipFile, InvalidFileException, KeyError) as error:
        raise _unreadable(path, error) from error
    except (pa.ArrowException, csv.Error, ValueError, msgspec.MsgspecError) as error:
        raise _unreadable(path, error) from error
    except RecursionError as error:  # JSON or XML that nests without end
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> SourceError:
    return SourceError(
        say(
            "{file} cannot be read ({why}): export it again, or move it out of the folder",
            file=name_of(path),
            why=_told_of(error),
        )
    )


def _told_of(error: Exception) -> str:
    """An error's type and words; a ValueError's type alone, since it may quote a cell."""
    name = type(error).__name__
    is_quoting = isinstance(error, ValueError) and not isinstance(error, pa.ArrowException)
    said = plaintext.line(str(error), limit=200)
    return name if is_quoting or not said else f"{name}: {said}"


def _stream(path: Path) -> IO[bytes]:
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rb")  # type: ignore[return-value]
    return path.open("rb")


def _check_unpacked(path: Path) -> None:
    """Reads a .gz to its end, so that what follows meets no bomb and no broken end."""
    if not path.name.lower().endswith(".gz"):
        return
    size = 0
    with _stream(path) as stream:
        while block := stream.read(_BLOCK):
            size += len(block)
            if size > UNPACKED_LIMIT:
                raise SourceError(
                    say(
                        "{file} unpacks to more than {most} GiB: split the export",
                        file=name_of(path),
                        most=UNPACKED_LIMIT >> 30,
                    )
                )


def _seekable(path: Path) -> IO[bytes]:
    """The file for readers that jump about in it; a .gz is unpacked to a nameless file."""
    if not path.name.lower().endswith(".gz"):
        return path.open("rb")
    unpacked = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    with _stream(path) as stream:
        while block := stream.read(_BLOCK):
            unpacked.write(block)
    unpacked.seek(0)
    return unpacked


def _header(rows: Sequence[Sequence[Any]], rank: Rank) -> tuple[int, int]:
    """The index of the row that serves best as the header, and how well."""
    ranks = [rank([str(c) for c in row if c is not None and str(c).strip()]) for row in rows]
    if any(ranks):
        best = max(ranks)
        return ranks.index(best), best
    widths = [sum(bool(str(c or "").strip()) for c in row) for row in rows]
    return (widths.index(max(widths)), 0) if widths else (0, 0)


def _named(header: Sequence[Any]) -> tuple[str, ...]:
    """The names in a header row; one without a name, or a second of a name, gets a number."""
    names: dict[str, None] = {}
    for number, cell in enumerate(header, start=1):
        name = str(cell).strip("\ufeff \t\r\n") if cell is not None else ""
        if not name or name in names:
            name = f"{name}#{number}"
        names[name] = None
    return tuple(names)


# --- CSV


def _csv(path: Path, hints: Hints) -> Table:
    encoding = hints.encoding or _encoding(path)
    separator, skipped, columns = _shape(path, hints, encoding)

    def rows(read: Sequence[str]) -> Iterator[Row]:
        with told(path), _text(path, encoding) as text:
            yield from _csv_rows(text, separator, skipped, columns, read)

    return Table(columns=columns, rows=rows)


def _text(path: Path, encoding: str) -> io.TextIOWrapper:
    # A UTF-8 file was decoded to its end when it was recognised; only code pages have gaps.
    csv.field_size_limit(CELL_LIMIT)
    return io.TextIOWrapper(_stream(path), encoding=encoding, errors="replace", newline="")


def _encoding(path: Path) -> str:
    """The encoding of a text file: its mark, UTF-16 without one, UTF-8 to the end, a code page."""
    with _stream(path) as stream:
        start = stream.read(4096)
        if start.startswith(codecs.BOM_UTF8):
            return "utf-8-sig"
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        if start.count(0) > len(start) // 4:
            return "utf-16-le" if start[1:2] == b"\0" else "utf-16-be"
        return _utf8_or_page(stream, start)


def _utf8_or_page(stream: IO[bytes], start: bytes) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")()
    block = start
    try:
        while block:
            decoder.decode(block)
            block = stream.read(_BLOCK)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return _page(error.object[max(0, error.start - 500) :][:65_536])
    return "utf-8"


def _page(sample: bytes) -> str:
    """The code page of a sample: Windows' western one where that reads as French, else a guess."""
    high = [c for c in sample.decode("cp1252", errors="replace") if c > "\x7f"]
    if sum(c in _FRENCH for c in high) >= 0.7 * len(high):
        return "cp1252"
    pages = ["cp1252", "mac_roman", "cp1250", "cp1251", "cp1256"]
    found = charset_normalizer.from_bytes(sample, cp_isolation=pages).best()
    return found.encoding if found else "cp1252"


def _shape(path: Path, hints: Hints, encoding: str) -> tuple[str, int, tuple[str, ...]]:
    """Separator, number of the header row, and columns: those under which most is recognised."""
    tried = []
    for order, separator in enumerate([hints.separator] if hints.separator else _SEPARATORS):
        with _text(path, encoding) as text:
            first = list(islice(csv.reader(text, delimiter=separator), HEADER_WITHIN))
        index, rank = _header(first, hints.rank)
        width = len(first[index]) if first else 0
        tried.append((rank, width, -order, separator, index, first[index] if first else []))
    *_, separator, index, header = max(tried)
    return separator, index, _named(header)


def _csv_rows(
    text: io.TextIOWrapper,
    separator: str,
    skipped: int,
    columns: tuple[str, ...],
    read: Sequence[str],
) -> Iterator[Row]:
    at = [columns.index(c) for c in read]
    width = len(columns)
    pick: Callable[[list[str]], Any] = (
        operator.itemgetter(*at) if len(at) > 1 else lambda row: [row[i] for i in at]
    )
    # The last line is ours: what swallows it has a quote that was never closed.
    reader = csv.reader(itertools.chain(text, ["\n", _END]), delimiter=separator)
    next(islice(reader, skipped, skipped + 1), None)
    before = reader.line_num
    for row in reader:
        if row and row[-1].endswith(_END):
            if row != [_END]:
                lost = reader.line_num - before - 2
                yield Row(before + 1, None, Fault("quote", lost))
            return
        before = reader.line_num
        if not any(row):
            continue
        if len(row) != width:
            if len(row) > width and any(row[width:]):
                yield Row(reader.line_num, None, Fault("wide", len(row), width))
                continue
            row += [""] * (width - len(row))
        yield Row(reader.line_num, dict(zip(read, pick(row), strict=True)))


# --- JSON


def _json(path: Path, hints: Hints) -> Table:
    documents = _json_documents(path, hints.rank)
    first = [document for _, document in islice(documents(), 1_000)]
    objects = [flattened(document) for document in first if isinstance(document, dict)]
    if first and not objects:
        raise SourceError(
            say("{file} holds no JSON object: export one object a line", file=name_of(path))
        )
    columns = tuple(dict.fromkeys(name for row in objects for name in row))

    def rows(read: Sequence[str]) -> Iterator[Row]:
        with told(path):
            for number, document in documents():
                if not isinstance(document, dict):
                    yield Row(number, None, Fault("no_object"))
                    continue
                flat = flattened(document)
                yield Row(number, {c: flat.get(c) for c in read})

    return Table(columns=columns, rows=rows)


def _json_documents(path: Path, rank: Rank) -> Callable[[], Iterator[tuple[int, Any]]]:
    """The objects of a file: one a line, or those of an array; an object around it is let go."""
    if _suffix(path) in (".jsonl", ".ndjson") or _is_lines(path, rank):
        return lambda: _json_lines(path)
    return lambda: enumerate(_json_array(path), start=1)


def _is_lines(path: Path, rank: Rank) -> bool:
    with _stream(path) as stream:
        first = _decoded(stream.readline(WHOLE_LIMIT).strip())
        has_more = any(line.strip() for line in stream)
    return isinstance(first, dict) and (has_more or rank(list(flattened(first))) > 0)


def _decoded(line: bytes) -> Any:
    try:
        return msgspec.json.decode(line.removeprefix(codecs.BOM_UTF8))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    with _stream(path) as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                yield number, _decoded(line)


def _json_array(path: Path) -> list[Any]:
    """The rows of a JSON array, or of the one list of objects inside a JSON object."""
    with _stream(path) as stream:
        content = stream.read(WHOLE_LIMIT + 1)
    if len(content) > WHOLE_LIMIT:
        raise SourceError(
            say(
                "{file} is one JSON array of more than {most} MiB: export JSON lines (one object a "
                "line), CSV or Parquet",
                file=name_of(path),
                most=WHOLE_LIMIT >> 20,
            )
        )
    if not content.strip():
        return []
    found = msgspec.json.decode(content.removeprefix(codecs.BOM_UTF8))
    if isinstance(found, dict):
        lists = [v for v in found.values() if isinstance(v, list) and v and isinstance(v[0], dict)]
        found = lists[0] if len(lists) == 1 else [found]
    if not isinstance(found, list):
        raise SourceError(
            say("{file} holds no list of objects: export one object a post", file=name_of(path))
        )
    return found


def flattened(document: Mapping[str, Any], prefix: str = "") -> Cells:
    """A JSON object with inner objects as dotted columns."""
    flat: Cells = {}
    for name, value in document.items():
        if isinstance(value, dict) and prefix.count(".") < 4:
            flat |= flattened(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


# --- Parquet


def _parquet(path: Path, _: Hints) -> Table:
    with closing(_seekable(path)) as file:
        columns = tuple(pq.ParquetFile(file).schema_arrow.names)

    def rows(read: Sequence[str]) -> Iterator[Row]:
        with told(path), closing(_seekable(path)) as file:
            number = 0
            for batch in pq.ParquetFile(file).iter_batches(batch_size=10_000, columns=list(read)):
                values = [_plain(batch.column(c)) for c in read]
                for cells in zip(*values, strict=True):
                    number += 1
                    yield Row(number, dict(zip(read, cells, strict=True)))

    return Table(columns=columns, rows=rows)


def _plain(column: Any) -> list[Any]:
    """An Arrow column as JSON knows it: times as ISO text, bytes as nothing."""
    kind = column.type
    if pa.types.is_temporal(kind):
        return list(column.cast(pa.string()).to_pylist())
    if pa.types.is_decimal(kind):
        return list(column.cast(pa.float64()).to_pylist())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return [None] * len(column)
    return list(column.to_pylist())


# --- XLSX


def _xlsx(path: Path, hints: Hints) -> Table:
    _check_workbook(path)
    with _workbook(path) as book:
        sheet, skipped, columns = _sheet(book, path, hints)

    def rows(read: Sequence[str]) -> Iterator[Row]:
        at = [columns.index(c) for c in read]
        with told(path), _workbook(path) as book:
            values = _sheet_rows(book[sheet])
            for number, row in enumerate(values, start=1):
                if number > skipped + 1 and any(c is not None and c != "" for c in row):
                    cells = (_json_cell(row[i]) if i < len(row) else None for i in at)
                    yield Row(number, dict(zip(read, cells, strict=True)))

    return Table(columns=columns, rows=rows)


def _check_workbook(path: Path) -> None:
    with closing(_seekable(path)) as file, zipfile.ZipFile(file) as parts:
        sizes = {part.filename: part.file_size for part in parts.infolist()}
    if sum(sizes.values()) > WORKBOOK_LIMIT or sizes.get("xl/sharedStrings.xml", 0) > WHOLE_LIMIT:
        raise SourceError(
            say(
                "{file} unpacks to {size} MiB, too much for a workbook: export it as CSV",
                file=name_of(path),
                size=sum(sizes.values()) >> 20,
            )
        )


@contextmanager
def _workbook(path: Path) -> Iterator[Any]:
    with closing(_seekable(path)) as file:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # exports lack styles, and openpyxl says so
            book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        with closing(book):
            yield book


def _sheet(book: Any, path: Path, hints: Hints) -> tuple[str, int, tuple[str, ...]]:
    """The sheet that is asked for, or that has the best header; its header row; its columns."""
    if hints.sheet is not None and hints.sheet not in book.sheetnames:
        there = ", ".join(map(repr, book.sheetnames))
        raise SourceError(
            say(
                "{file} has no sheet {sheet!r}: it has {there}",
                file=name_of(path),
                sheet=hints.sheet,
                there=there,
            )
        )
    tried = []
    for order, name in enumerate([hints.sheet] if hints.sheet else book.sheetnames[:20]):
        first = list(islice(_sheet_rows(book[name]), HEADER_WITHIN))
        index, rank = _header(first, hints.rank)
        header = first[index] if first else ()
        tried.append((rank, len(header), -order, name, index, header))
    if not tried:
        raise SourceError(say("{file} has no sheet of cells: export it again", file=name_of(path)))
    *_, name, index, header = max(tried, key=lambda t: t[:3])
    return name, index, _named(_without_tail(header))


def _sheet_rows(sheet: Any) -> Iterator[tuple[Any, ...]]:
    sheet.reset_dimensions()  # many exports state a wrong size
    yield from sheet.iter_rows(values_only=True)


def _without_tail(header: Sequence[Any]) -> Sequence[Any]:
    last = max((i for i, c in enumerate(header, start=1) if c not in (None, "")), default=0)
    return header[:last]


def _json_cell(cell: Any) -> Any:
    return cell.isoformat() if isinstance(cell, datetime | date | time) else cell


_OPENERS: dict[str, Callable[[Path, Hints], Table]] = {
    "csv": _csv, "json": _json, "parquet": _parquet, "xlsx": _xlsx,
}  # fmt: skip
