"""`vigie sql`: a shell on the analysts' file, and one question at a time for scripts.

DuckDB's own Python library asks; nothing but the file can be reached (see `analyst`). What people
wrote is printed without control characters. An answer is drawn up to `SHOWN` rows, and says so. It
speaks the language of the institution; what DuckDB says of a faulty query stays English.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from rich.cells import cell_len
from rich.text import Text

from pipelines import analyst, export, typed
from pipelines.console import moment, out, table, telling_in, words
from pipelines.errors import VigieError
from pipelines.said import NOTHING, Said, say, some

SHOWN = 50
_CELL = 80  # cells of the terminal that one value takes
_TEXT = 24  # of a cell, below which a table is hard to read
_ANY = 10_000  # columns: wider than any answer
_FRENCH_DAY = re.compile(r"\d{1,2}/\d{1,2}/\d{4}")
HELP = (
    (say(".tables"), say("the tables, with what they hold")),
    (say(".schema NAME"), say("the columns of a table, with what they mean")),
    (say(".queries"), say("questions ready to ask")),
    (say(".run NAME"), say("ask one of them")),
    (say(".show NAME"), say("the SQL of one of them")),
    (say(".macros"), say("filters such as last_days(7)")),
    (
        say(".set NAME VALUE"),
        say("give a question its parameter, for example .set decided_on 2026-10-01"),
    ),
    (say(".export FILE"), say("write the last answer, whole: .csv, .parquet or .xlsx")),
    (say(".quit"), say("leave (or Ctrl-D)")),
)


class Shell:
    """A session: the connection, the last query and the name of the question that it was.

    It speaks the institution's language, as the file tells it.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, now: Callable[[], datetime]) -> None:
        self._connection, self._now = connection, now
        self._last, self._name = "", ""
        self.locale = analyst.about(connection).locale

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

    def _say(self, told: Said) -> None:
        out.print(words(told.told(self.locale)))

    def _ask(self, text: str, name: str) -> None:
        self._last, self._name = text, name
        if show(analyst.run(self._connection, text)):
            self._say(
                say("The first {n} rows; .export FILE, or vigie export, writes them all.", n=SHOWN)
            )

    def _command(self, line: str) -> None:
        try:
            word, *rest = shlex.split(line)
        except ValueError as error:
            raise VigieError(
                say("{word}: a quote is not closed: write its second", word=line.split()[0])
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
            ".help": (0, self._help),
        }
        count, do = known.get(word, (-1, None))
        if do is None or count != len(rest):
            raise VigieError(_right(word))
        do(*rest)

    def _print(self, heads: Sequence[Said], rows: Iterable[Sequence[object]]) -> None:
        out.print(table([head.told(self.locale) for head in heads], rows))

    def _listed(self, heads: Sequence[Said], query: str, *values: object) -> int:
        rows = self._connection.execute(query, list(values)).fetchall()
        self._print(heads, rows)
        return len(rows)

    def _help(self) -> None:
        rows = [[told.told(self.locale) for told in row] for row in HELP]
        self._print((say("write"), say("and get")), rows)

    def _tables(self) -> None:
        self._listed(
            (say("table"), say("holds")),
            "select table_name, says from dictionary where column_name is null order by 1",
        )

    def _schema(self, name: str) -> None:
        found = self._listed(
            (say("column"), say("type"), say("means")),
            "select column_name, data_type, says from dictionary"
            " where table_name = ? and column_name is not null",
            name,
        )
        if not found:
            raise VigieError(say("there is no table {name!r}: .tables lists them", name=name))

    def _queries(self) -> None:
        self._listed(
            (say("name"), say("question")), "select name, question from question order by 1"
        )

    def _macros(self) -> None:
        self._listed(
            (say("macro"), say("parameters"), say("keeps")),
            "select function_name, array_to_string(parameters, ', '), comment"
            " from duckdb_functions() where not internal and comment is not null order by 1",
        )

    def _run(self, name: str) -> None:
        sql = analyst.asked(self._connection, name)
        told = analyst.told(self._connection, name)
        out.print(words(told["question"], style="bold"))
        self._ask(sql, analyst.called(name))
        self._say(say("Units: {units}.", units=told["units"]))
        self._say(say("Caveat: {caveat}.", caveat=told["caveat"]))

    def _set(self, name: str, value: str) -> None:
        analyst.set_variables(self._connection, {name: _day(value)})

    def _show(self, name: str) -> None:
        out.print(words(analyst.asked(self._connection, name)))

    def _export(self, file: str) -> None:
        if not self._last:
            raise VigieError(say("nothing has been asked yet: ask, then .export FILE"))
        to = Path(file).expanduser()
        is_new = _is_new(to)
        count = export.export(self._connection, self._last, to, name=self._name, now=self._now())
        self._say(written_words(count, to, is_new=is_new))


def _right(word: str) -> Said:
    """How a command is written, of one that was written wrong."""
    right = next((use for use, _ in HELP if use.split()[0] == word), None)
    if right is None:
        return say("there is no {word}: .help lists all", word=word)
    return say("write {right}", right=right)


def _is_new(to: Path) -> bool:
    """Whether nothing stands where a file is to be written; VigieError where its folder is none."""
    if not to.parent.is_dir():
        raise VigieError(
            say("{folder} is no folder: make it, or name another file", folder=to.parent)
        )
    return not to.exists()


def written_words(count: int, to: Path, *, is_new: bool = True) -> Said:
    """What is said of a file that has been written."""
    replaced = NOTHING if is_new else say(", in place of the file that was there")
    return some(
        "{n} row is written to {to}{replaced}",
        "{n} rows are written to {to}{replaced}",
        n=count,
        to=to,
        replaced=replaced,
    )


def show(result: duckdb.DuckDBPyConnection) -> bool:
    """Draw an answer, its first rows; whether there are more.

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
    return len(found) > SHOWN


def _fits(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> bool:
    drawn = table(heads, rows)
    return out.measure(drawn, options=out.options.update(width=_ANY)).maximum <= out.width


def _least_width(heads: Sequence[str], rows: Sequence[Sequence[Text]]) -> int:
    """The columns of the terminal that a table needs so that no word of a head is cut."""
    cells = [max((row[at].cell_len for row in rows), default=0) for at in range(len(heads))]
    words_of = [max(map(cell_len, _parted(head).split("\n"))) for head in heads]
    return sum(map(max, words_of, (min(_TEXT, n) for n in cells))) + 2 * (len(heads) - 1)


def _parted(head: str) -> str:
    """A name of a column with its words below one another."""
    return head.replace("_", "_\n")


def _short(value: object) -> Text:
    """A value on one line of the screen, at most `_CELL` wide: a Chinese letter takes two."""
    if isinstance(value, float):
        return words(f"{value:.4g}")
    if isinstance(value, datetime):
        return words(f"{value.astimezone(UTC) if value.tzinfo else value:%Y-%m-%d %H:%M}")
    shown = words(" ".join(str(value).split()) if value is not None else "")
    shown.truncate(_CELL, overflow="ellipsis")
    return shown


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
            told = error if isinstance(error, VigieError) else _failed(error)
            out.print(words(told.told(shell.locale)), style="red")


def follow(shell: Shell, lines: Iterable[str]) -> None:
    """Take a script; VigieError at what first goes wrong, as what stands below may rest on it."""
    for text in pieces(lines):
        try:
            if not shell.take(text):
                return
        except OSError as error:
            raise _failed(error) from error


def _failed(error: OSError) -> VigieError:
    """What the system says of a file, with what to do next, which it does not say."""
    told = f"{error.strerror}: {error.filename}" if error.filename else str(error)
    return VigieError(say("{error}: name another file", error=told))


def typing(home: Path, locale: str) -> Iterator[str]:
    """What a person types, with what they typed lately; ends with Ctrl-D."""
    from prompt_toolkit import PromptSession

    session: PromptSession[str] = PromptSession(history=typed.history(home))
    while True:
        try:
            yield session.prompt("vigie> ")
        except EOFError:
            return
        except KeyboardInterrupt:
            leave = say("Ctrl-D leaves; .help lists what can be written.")
            out.print(words(leave.told(locale)))


def ask(
    home: Path, query: str, *, file: Path | None, is_csv: bool, values: Sequence[str], now: datetime
) -> None:
    """Everything of `vigie sql`: one query, a file of one, lines from a pipe, or a talk."""
    with _speaking(home) as (connection, about):
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
            made_at = f"{about.made_at:%Y-%m-%d %H:%M}"
            welcome = say("{name}, file of {made_at} UTC. .help", name=about.name, made_at=made_at)
            out.print(words(welcome.told(about.locale)))
            talk(shell, typing(home, about.locale))
        else:
            follow(shell, (line.rstrip("\n") for line in sys.stdin))


@contextmanager
def _speaking(home: Path) -> Iterator[tuple[duckdb.DuckDBPyConnection, analyst.About]]:
    """The file, open, with whose it is; what goes wrong is told in the language of those."""
    with analyst.opened(home) as connection:
        about = analyst.about(connection)
        with telling_in(about.locale):
            yield connection, about


def _name(text: str) -> str:
    return text.removeprefix(".run ").strip() if text.startswith(".run ") else ""


def _question(connection: duckdb.DuckDBPyConnection, text: str) -> str:
    if not text.strip():
        raise VigieError(say('--csv needs a query: vigie sql --csv "from about"'))
    return analyst.asked(connection, _name(text)) if text.startswith(".run ") else text


def _pair(value: str) -> tuple[str, str]:
    name, sign, text = value.partition("=")
    if not sign:
        raise VigieError(
            say("--set {value}: write name=value, for example decided_on=2026-10-01", value=value)
        )
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
        raise VigieError(say("say what to export: the name of a question, or --query FILE"))
    is_new = _is_new(to)
    with _speaking(home) as (connection, about):
        analyst.set_variables(connection, dict(_pair(value) for value in values))
        sql = query.read_text(encoding="utf-8") if query else analyst.asked(connection, name)
        count = export.export(connection, sql, to, name=name, now=now, separator=separator)
    return written_words(count, to, is_new=is_new).told(about.locale)
