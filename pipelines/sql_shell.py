"""`vigie sql`: a shell on the analysts' file, and one question at a time for scripts.

DuckDB's own Python library asks; nothing but the file can be reached (see `analyst`). What people
wrote is printed without control characters. An answer is drawn up to `SHOWN` rows, and says so.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from pipelines import analyst, export
from pipelines.console import out, table, words
from pipelines.errors import VigieError

if TYPE_CHECKING:
    from prompt_toolkit.history import History

SHOWN = 50
HISTORY = ".sql_history"
_LETTERS = 80  # of one cell on the screen
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
            raise VigieError(f"{line.split()[0]}: a quote is not closed") from error
        known: dict[str, tuple[int, Callable[..., None]]] = {
            ".tables": (0, self._tables),
            ".schema": (1, self._schema),
            ".queries": (0, self._queries),
            ".run": (1, self._run),
            ".show": (1, self._show),
            ".macros": (0, self._macros),
            ".set": (2, lambda name, value: analyst.set_variables(self._connection, {name: value})),
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

    def _show(self, name: str) -> None:
        out.print(words(analyst.asked(self._connection, name)))

    def _export(self, file: str) -> None:
        if not self._last:
            raise VigieError("nothing has been asked yet: ask, then .export FILE")
        to = Path(file).expanduser()
        count = export.export(self._connection, self._last, to, name=self._name, now=self._now())
        out.print(words(written_words(count, to)))


def written_words(count: int, to: Path) -> str:
    """What is said of a file that has been written."""
    return f"{count} {'row is' if count == 1 else 'rows are'} written to {to}"


def show(result: duckdb.DuckDBPyConnection) -> None:
    """Draw an answer: its first rows, and how many more there are."""
    heads = [column[0] for column in result.description or ()]
    rows = result.fetchmany(SHOWN + 1)
    out.print(table(heads, [[_short(value) for value in row] for row in rows[:SHOWN]]))
    if len(rows) > SHOWN:
        out.print(words(f"The first {SHOWN} rows; .export FILE, or vigie export, writes them all."))


def _short(value: object) -> object:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC) if value.tzinfo else value:%Y-%m-%d %H:%M}"
    text = str(value) if value is not None else ""
    return f"{text[:_LETTERS]}…" if len(text) > _LETTERS else text


def talk(shell: Shell, lines: Iterable[str]) -> None:
    """Take lines until they end: a command is one line, a query goes up to its `;`."""
    waiting = ""
    for line in lines:
        waiting = f"{waiting}\n{line}" if waiting else line
        if not waiting.lstrip().startswith(".") and not waiting.rstrip().endswith(";"):
            if waiting.strip():
                continue
            waiting = ""
            continue
        text, waiting = waiting, ""
        try:
            if not shell.take(text):
                return
        except (VigieError, OSError) as error:
            out.print(words(str(error)), style="red")
    if waiting.strip():
        shell.take(waiting)


def typed(home: Path) -> Iterable[str]:
    """What a person types, with what they typed lately; ends with Ctrl-D."""
    from prompt_toolkit import PromptSession

    session: PromptSession[str] = PromptSession(history=history(home / HISTORY))
    while True:
        try:
            yield session.prompt("vigie> ")
        except EOFError:
            return
        except KeyboardInterrupt:
            out.print("Ctrl-D leaves; .help lists what can be written.")


def history(path: Path) -> History:
    """The lines typed before, their owner's alone; in memory where the home is another account's.

    A query may name somebody.
    """
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    try:
        path.touch(mode=0o600)
        path.chmod(0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(path))


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
            talk(shell, typed(home))
        else:
            talk(shell, (line.rstrip("\n") for line in sys.stdin))


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
    return name, text


def written(
    home: Path,
    name: str,
    *,
    query: Path | None,
    to: Path,
    separator: str,
    values: Sequence[str],
    now: datetime,
) -> int:
    """Write the answer to a question by its name, or to the query of a file; the rows written."""
    if bool(name) == bool(query):
        raise VigieError("say what to export: the name of a question, or --query FILE")
    with analyst.opened(home) as connection:
        analyst.set_variables(connection, dict(_pair(value) for value in values))
        sql = query.read_text(encoding="utf-8") if query else analyst.asked(connection, name)
        return export.export(connection, sql, to, name=name, now=now, separator=separator)
