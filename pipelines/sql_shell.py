"""`vigie sql`: a shell on the analysts' file, and one question at a time for scripts.

DuckDB's own Python library asks; nothing but the file can be reached (see `analyst`). What people
wrote is printed without control characters. An answer is drawn up to `SHOWN` rows, and says so.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from pipelines import analyst, export, typed
from pipelines.console import moment, out, table, words
from pipelines.errors import VigieError

SHOWN = 50
_LETTERS = 80  # of one cell on the screen
_TEXT = 24  # of a cell, below which a table is hard to read
_ANY = 10_000  # columns: wider than any answer
_FRENCH_DAY = re.compile(r"\d{1,2}/\d{1,2}/\d{4}")
HELP = (
    (".tables", "the tables, with what they hold"),
    (".schema NAME", "the columns of a table, with what they mean"),
    (".queries", "questions ready to ask"),
    (".run NAME", "ask one of them"),
    (".show NAME", "the SQL of one of them"),
    (".macros", "filters such as last_days(7)"),
    (".set NAME VALUE", "give a question its parameter, for example .set decided_on 2026-10-01"),
    (".export FILE", "write the last answer, whole: .csv, .parquet or .xlsx"),
    (".quit", "leave (or Ctrl-D)"),
)


class Shell:
    """A session: the connection, the last query and the name of the question that it was."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, now: Callable[[], datetime]) -> None:
        self._connection, self._now = connection, now
        self._last, self._name = "", ""

    def take(self, text: str) -> bool:
        """Do what a line or a query says; False when it says to leave."""
        if not text.strip():
            return True
        if text.strip() in (".quit", ".exit"):
            return False
        if text.lstrip().startswith("."):
            self._command(text.strip())
        else:
            self._ask(text, "")
        return True

    def _ask(self, text: str, name: str) -> None:
        self._last, self._name = text, name
        show(analyst.run(self._connection, text))

    def _command(self, line: str) -> None:
        try:
            word, *rest = shlex.split(line)
        except ValueError as error:
            raise VigieError(
                f"{line.split()[0]}: a quote is not closed: write its second"
            ) from error
        known: dict[str, tuple[int, Callable[..., None]]] = {
            ".tables": (0, self._tables),
            ".schema": (1, self._schema),
            ".queries": (0, self._queries),
            ".run": (1, self._run),
            ".show": (1, self._show),
            ".macros": (0, self._macros),
            ".set": (2, self._set),
            ".export": (1, self._export),
            ".help": (0, lambda: out.print(table(("write", "and get"), HELP))),
        }
        count, do = known.get(word, (-1, None))
        if do is None or count != len(rest):
            right = next((use for use, _ in HELP if use.split()[0] == word), None)
            raise VigieError(f"write {right}" if right else f"there is no {word}: .help lists all")
        do(*rest)

    def _listed(self, heads: Sequence[str], query: str, *values: object) -> int:
        rows = self._connection.execute(query, list(values)).fetchall()
        out.print(table(heads, rows))
        return len(rows)

    def _tables(self) -> None:
        self._listed(
            ("table", "holds"),
            "select table_name, says from dictionary where column_name is null order by 1",
        )

    def _schema(self, name: str) -> None:
        found = self._listed(
            ("column", "type", "means"),
            "select column_name, data_type, says from dictionary"
            " where table_name = ? and column_name is not null",
            name,
        )
        if not found:
            raise VigieError(f"there is no table {name!r}: .tables lists them")

    def _queries(self) -> None:
        self._listed(("name", "question"), "select name, question from question order by 1")

    def _macros(self) -> None:
        self._listed(
            ("macro", "parameters", "keeps"),
            "select function_name, array_to_string(parameters, ', '), comment"
            " from duckdb_functions() where not internal and comment is not null order by 1",
        )

    def _run(self, name: str) -> None:
        self._ask(analyst.asked(self._connection, name), name)

    def _set(self, name: str, value: str) -> None:
        analyst.set_variables(self._connection, {name: _day(value)})

    def _show(self, name: str) -> None:
        out.print(words(analyst.asked(self._connection, name)))

    def _export(self, file: str) -> None:
        if not self._last:
            raise VigieError("nothing has been asked yet: ask, then .export FILE")
        to = Path(file).expanduser()
        is_new = _is_new(to)
        count = export.export(self._connection, self._last, to, name=self._name, now=self._now())
        out.print(words(written_words(count, to, is_new=is_new)))


def _is_new(to: Path) -> bool:
    """Whether nothing stands where a file is to be written; VigieError where its folder is none."""
    if not to.parent.is_dir():
        raise VigieError(f"{to.parent} is no folder: make it, or name another file")
    return not to.exists()


def written_words(count: int, to: Path, *, is_new: bool = True) -> str:
    """What is said of a file that has been written."""
    replaced = "" if is_new else ", in place of the file that was there"
    return f"{count} {'row is' if count == 1 else 'rows are'} written to {to}{replaced}"


def show(result: duckdb.DuckDBPyConnection) -> None:
    """Draw an answer: its first rows, and how many more there are.

    A table where the terminal is wide enough for every column, else a row below the other.
    """
    heads = [column[0] for column in result.description or ()]
    found = result.fetchmany(SHOWN + 1)
    rows = [[_short(value) for value in row] for row in found[:SHOWN]]
    if rows and _least_width(heads, rows) > out.width:
        for row in rows:
            out.print(table(("", ""), zip(heads, row, strict=True)))
    else:
        out.print(table(heads if _fits(heads, rows) else [_parted(h) for h in heads], rows))
    if len(found) > SHOWN:
        out.print(words(f"The first {SHOWN} rows; .export FILE, or vigie export, writes them all."))


def _fits(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> bool:
    drawn = table(heads, rows)
    return out.measure(drawn, options=out.options.update(width=_ANY)).maximum <= out.width


def _least_width(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> int:
    """The columns of the terminal that a table needs so that no word of a head is cut."""
    cells = [max((len(str(row[at])) for row in rows), default=0) for at in range(len(heads))]
    words_of = [max(map(len, _parted(head).split("\n"))) for head in heads]
    return sum(map(max, words_of, (min(_TEXT, n) for n in cells))) + 2 * (len(heads) - 1)


def _parted(head: str) -> str:
    """A name of a column with its words below one another."""
    return head.replace("_", "_\n")


def _short(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC) if value.tzinfo else value:%Y-%m-%d %H:%M}"
    text = str(value) if value is not None else ""
    return f"{text[:_LETTERS]}…" if len(text) > _LETTERS else text


def pieces(lines: Iterable[str]) -> Iterator[str]:
    """What lines say, one thing at a time: a command is one line, a query goes up to its `;`."""
    waiting = ""
    for line in lines:
        waiting = f"{waiting}\n{line}" if waiting.strip() else line
        if waiting.lstrip().startswith(".") or waiting.rstrip().endswith(";"):
            yield waiting
            waiting = ""
    if waiting.strip():
        yield waiting


def talk(shell: Shell, lines: Iterable[str]) -> None:
    """Take what a person types until they leave; what goes wrong is told, and the talk goes on."""
    for text in pieces(lines):
        try:
            if not shell.take(text):
                return
        except (VigieError, OSError) as error:
            out.print(words(_told(error)), style="red")


def follow(shell: Shell, lines: Iterable[str]) -> None:
    """Take a script; VigieError at what first goes wrong, as what stands below may rest on it."""
    for text in pieces(lines):
        try:
            if not shell.take(text):
                return
        except OSError as error:
            raise VigieError(_told(error)) from error


def _told(error: Exception) -> str:
    """An error with what to do next; the system's own words have none."""
    if isinstance(error, OSError):
        told = f"{error.strerror}: {error.filename}" if error.filename else str(error)
        return f"{told}: name another file"
    return str(error)


def typing(home: Path) -> Iterator[str]:
    """What a person types, with what they typed lately; ends with Ctrl-D."""
    from prompt_toolkit import PromptSession

    session: PromptSession[str] = PromptSession(history=typed.history(home))
    while True:
        try:
            yield session.prompt("vigie> ")
        except EOFError:
            return
        except KeyboardInterrupt:
            out.print("Ctrl-D leaves; .help lists what can be written.")


def ask(
    home: Path, query: str, *, file: Path | None, is_csv: bool, values: Sequence[str], now: datetime
) -> None:
    """Everything of `vigie sql`: one query, a file of one, lines from a pipe, or a talk."""
    with analyst.opened(home) as connection:
        about = analyst.about(connection)
        analyst.set_variables(connection, dict(_pair(value) for value in values))
        text = file.read_text(encoding="utf-8") if file else query
        if is_csv:
            found = _question(connection, text)
            answer = export.ask(connection, found, name=_name(text), now=now)
            export.csv(answer, sys.stdout.buffer)
            return
        shell = Shell(connection, lambda: datetime.now(UTC))
        if text:
            shell.take(text)
        elif sys.stdin.isatty():
            out.print(words(f"{about.name}, file of {about.made_at:%Y-%m-%d %H:%M} UTC. .help"))
            talk(shell, typing(home))
        else:
            follow(shell, (line.rstrip("\n") for line in sys.stdin))


def _name(text: str) -> str:
    return text.removeprefix(".run ").strip() if text.startswith(".run ") else ""


def _question(connection: duckdb.DuckDBPyConnection, text: str) -> str:
    if not text.strip():
        raise VigieError('--csv needs a query: vigie sql --csv "from about"')
    return analyst.asked(connection, _name(text)) if text.startswith(".run ") else text


def _pair(value: str) -> tuple[str, str]:
    name, sign, text = value.partition("=")
    if not sign:
        raise VigieError(f"--set {value}: write name=value, for example decided_on=2026-10-01")
    return name, _day(text)


def _day(text: str) -> str:
    """A parameter as SQL reads it: a day that is written 26/11/2026 as 2026-11-26."""
    return f"{moment(text):%Y-%m-%d}" if _FRENCH_DAY.fullmatch(text) else text


def written(
    home: Path,
    name: str,
    *,
    query: Path | None,
    to: Path,
    separator: str,
    values: Sequence[str],
    now: datetime,
) -> str:
    """Write the answer to a question by its name, or to the query of a file; what became of it."""
    if bool(name) == bool(query):
        raise VigieError("say what to export: the name of a question, or --query FILE")
    is_new = _is_new(to)
    with analyst.opened(home) as connection:
        analyst.set_variables(connection, dict(_pair(value) for value in values))
        sql = query.read_text(encoding="utf-8") if query else analyst.asked(connection, name)
        count = export.export(connection, sql, to, name=name, now=now, separator=separator)
    return written_words(count, to, is_new=is_new)
