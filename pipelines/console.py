"""What commands share: options, how they print, and a bar for long work."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from pipelines import vigie_toml
from pipelines.errors import SettingsError, VigieError
from pipelines.said import Said

if TYPE_CHECKING:
    from pipelines.wording import Words

out = Console(highlight=False)
HERE = Path(".vigie/home")


def _remembered(context: typer.Context, option: typer.CallbackParam, value: Any) -> Any:
    """The value, kept for whoever tells of the command afterwards (`pipelines/commands.py`)."""
    context.meta[f"vigie.{option.name}"] = value
    return value


Home = Annotated[
    Path,
    typer.Option(
        "--home",
        "-H",
        envvar="VIGIE_HOME",
        help="The institution's folder.",
        callback=_remembered,
    ),
]
TextName = Annotated[
    str, typer.Option("--text", metavar="COLUMN", help="The file's column of texts.")
]
LabelName = Annotated[
    str, typer.Option("--label", metavar="COLUMN", help="The file's column of labels.")
]
LangName = Annotated[
    str,
    typer.Option(
        "--lang",
        metavar="COLUMN",
        help="The file's column of languages. Default: `lang` if there is one; where it is empty "
        "they are found.",
    ),
]
Locale = Annotated[
    str | None,
    typer.Option("--locale", help="fr or en. Default: the institution's.", callback=_remembered),
]
_SPEAKING = ("LC_ALL", "LC_MESSAGES", "LANG")  # names of the environment, the strongest first
_NAME, _FIGURE = 24, 9  # characters of a first column and of figures that are not folded
_WORD = 14  # of a word of a head, likewise
_ANY = 10_000  # wider than any table
_NAMED = 20  # characters; a longer value is a text of somebody, in the wrong column
_VALUES = 3  # of a column of languages, shown of those that are none
APART = 10.0  # seconds between the lines of progress that are no bar
_FRENCH_DAY = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?:[ T](\d{1,2})[:h](\d{2}))?")
Moved = Callable[[int, int | None], None]
Left = Callable[[float], str]  # minutes in words


def moment(text: str) -> datetime:
    """A day or a moment of the command line: 2026-11-26, 2026-11-26T16:00, or as French people
    write it, 26/11/2026 or 26/11/2026 16:00.

    typer.BadParameter where it is none.
    """
    french = _FRENCH_DAY.fullmatch(text.strip())
    try:
        if not french:
            return datetime.fromisoformat(text.strip())
        day, month, year, hour, minute = (int(part or 0) for part in french.groups())
        return datetime(year, month, day, hour, minute)  # noqa: DTZ001 - the command knows its zone
    except ValueError:
        told = f"{text!r} is no day or moment: write 2026-11-26, 26/11/2026 or 2026-11-26T16:00"
        raise typer.BadParameter(told) from None


def words(value: object, *, style: str = "") -> Text:
    """A value as it reads: never markup, and no control character of a stranger for a terminal."""
    signs = (c if c.isprintable() or c == "\n" else " " * c.isspace() for c in str(value))
    return Text("".join(signs), style=style)


def chosen_locale(home: Path, asked: str | None) -> str:
    """The locale that is asked for, else the institution's, else that of the environment.

    Raises VigieError for one that is not ours.
    """
    from pipelines.wording import LOCALES  # CLDR takes a tenth of a second

    chosen = asked or _institutions(home)
    if chosen not in LOCALES:
        raise VigieError(f"there is no locale {chosen!r}: choose {' or '.join(LOCALES)}")
    return chosen


def _institutions(home: Path) -> str:
    try:
        who = vigie_toml.read(home / vigie_toml.FILE).table("institution")
    except SettingsError:
        return _environments(os.environ)
    return "en" if who.get("locale", "fr") != "fr" else "fr"


def _environments(environ: Mapping[str, str]) -> str:
    """French where no home can be read, unless the environment is English.

    The first of `_SPEAKING` that is set decides, as in POSIX.
    """
    said = next((environ[name] for name in _SPEAKING if environ.get(name)), "")
    return "en" if re.match(r"en(?![a-z])", said, re.IGNORECASE) else "fr"


def spoken_in(home: Path, asked: str | None = None) -> Words:
    """The words of commands in the locale asked for, else the institution's."""
    from pipelines import wording  # CLDR takes a tenth of a second

    return wording.words(chosen_locale(home, asked), UTC, name="cli")


@contextmanager
def telling_in(locale: str) -> Iterator[None]:
    """What goes wrong inside is told in a locale."""
    try:
        yield
    except VigieError as error:
        error.args = (error.told(locale),)
        raise


def told(sentences: Iterable[Said], home: Path, asked: str | None) -> list[str]:
    """Sentences in the locale asked for, else the institution's."""
    locale = chosen_locale(home, asked)
    return [each.told(locale) for each in sentences]


def named(value: str) -> str:
    """A value of a file as a message may show it: never a person's text."""
    own = value.strip()
    return repr(own) if len(own) <= _NAMED else f"a value of {len(own)} characters"


class _Folded(Table):
    """A table whose narrow columns keep their width where the terminal cannot hold it all.

    Rich takes from every column in turn, gives the narrow ones back their least width, and cuts
    off on the right what is then too wide.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = self.__rich_measure__(console, options.update(width=_ANY)).maximum
        if wide > options.max_width:
            for column in self.columns:
                widest = max((cell_len(str(cell)) for cell in column._cells), default=0)
                if widest <= (column.min_width or 0):
                    column.width = column.min_width
        yield from super().__rich_console__(console, options)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table that is folded and never cut where the terminal is narrow.

    Names of the first column, short figures and the words of heads are kept whole: the rest gives
    way.
    """
    found = _Folded(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False)
    told = [[e if isinstance(e, Text) else words(_blank(e)) for e in row] for row in rows]
    for at, head in enumerate(heads):
        widest = max((row[at].cell_len for row in told), default=0)
        kept = widest if widest <= (_NAME if at == 0 else _FIGURE) else 0
        word = max(map(cell_len, head.split()), default=0)
        found.add_column(head, overflow="fold", min_width=max(kept, min(word, _WORD)))
    for row in told:
        found.add_row(*row)
    return found


def _blank(value: object) -> object:
    return "" if value is None else value


def print_lines(lines: Iterable[str]) -> None:
    """Sentences, one a line."""
    for line in lines:
        out.print(words(line))


def end_if_failed(failures: Sequence[str]) -> None:
    """The last lines of a command of which a part failed, on standard error, and status 1."""
    for line in failures:
        Console(stderr=True, highlight=False).print(words(line), style="red")
    if failures:
        raise typer.Exit(1)


def used(
    heads: Sequence[str], rows: Iterable[Sequence[object]]
) -> tuple[list[str], list[list[object]]]:
    """Heads and rows without the columns in which every row has nothing, or no count."""
    told = [list(row) for row in rows]
    kept = [at for at in range(len(heads)) if any(row[at] not in ("", 0, None) for row in told)]
    return [heads[at] for at in kept], [[row[at] for at in kept] for row in told]


def bar(what: str, *, left: Left | None = None) -> AbstractContextManager[Moved]:
    """A function that takes what is done and what is in all, and shows it on standard error.

    On a terminal it draws a bar from its first call on: what is wrong with the arguments is told
    before anything is drawn. Elsewhere it prints a line every `APART` seconds, with what is `left`
    if the rest goes as fast as what is done.
    """
    told = Console(stderr=True, highlight=False)
    return (
        _drawn(what, told)
        if told.is_terminal
        else nullcontext(_lines(what, told, clock=time.monotonic, left=left))
    )


@contextmanager
def _drawn(what: str, told: Console) -> Iterator[Moved]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    progress = Progress(*columns, TimeRemainingColumn(), console=told)
    drawn: list[TaskID] = []

    def moved(done: int, total: int | None) -> None:
        if not drawn:
            drawn.append(progress.add_task(what, total=total))
            progress.start()
        progress.update(drawn[0], completed=done, total=total)

    try:
        yield moved
    finally:
        if drawn:
            progress.stop()


def _lines(
    what: str, told: Console, *, clock: Callable[[], float], left: Left | None = None
) -> Moved:
    begun = last = clock()

    def moved(done: int, total: int | None) -> None:
        nonlocal last
        if (now := clock()) - last >= APART:
            last = now
            line = f"{what} {done}" + (f"/{total}" if total else "")
            if left and total and done:
                line += f", {left((now - begun) / 60 * (total - done) / done)}"
            told.print(words(line), soft_wrap=True)

    return moved


def waiting(what: str) -> AbstractContextManager[object]:
    """Says what is being waited for where its parts cannot be counted: a spinner on a terminal,
    elsewhere one line; on standard error."""
    told = Console(stderr=True, highlight=False)
    if told.is_terminal:
        return told.status(words(what))
    told.print(words(what), soft_wrap=True)
    return nullcontext()


def print_unknown(unknown: Mapping[str, int]) -> None:
    """How many rows have a language that is none, up to three of the values, and what to do."""
    if not unknown:
        return
    from models import language  # a seventh of a second, and rarely asked for

    most = sorted(unknown.items(), key=lambda each: (-each[1], each[0]))[:_VALUES]
    values = ", ".join(f"{named(value)} {count}" for value, count in most)
    more = ", …" if len(unknown) > len(most) else ""
    out.print(
        words(
            f"{sum(unknown.values())} rows have an unknown language ({values}{more}): their "
            f"tone is undetermined. Write two letters ({', '.join(language.LANGUAGES)}), or leave "
            "it empty, and it is found."
        )
    )
