"""What a page is given and what it answers: a visit, an answer, and the stores it may read.

A page never writes a header or a cookie itself. While a run holds the warehouse a page waits
`WAIT_SECONDS`, then `Stopped("busy")` says so and nothing is done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import duckdb

from pipelines import publish, warehouse
from pipelines.board.store import Session
from pipelines.errors import WarehouseBusy, WarehouseError
from pipelines.settings import Settings
from pipelines.warehouse import Connection
from pipelines.wording import Words

WAIT_SECONDS = 8.0  # for a run that holds the warehouse
LIVE = timedelta(days=1)
QUERY_SECONDS = 10.0  # for one page's counting
Why = Literal[
    "unknown",
    "forbidden",
    "busy",
    "empty",
    "forged",
    "held",
    "slow",
    "late",
    "refused",
    "wide",
    "older",
    "killed",
]
STATUS: Mapping[Why, int] = {
    "unknown": 404, "forbidden": 403, "busy": 503, "empty": 404, "forged": 403, "held": 429,
    "slow": 503, "late": 403, "refused": 400, "wide": 422, "older": 503,
    "killed": 503,
}  # fmt: skip
Row = dict[str, Any]


class Stopped(Exception):
    """A request that ends with a page that says why."""

    def __init__(self, why: Why, said: str = "") -> None:
        self.why, self.said = why, said
        super().__init__(why)


@dataclass(slots=True)
class Findings:
    """The last examination of the installation: when, and its checks; one at a time."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    made_at: datetime | None = None
    checks: Sequence[Any] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The end of data that has ended: how far it lies `behind` the clock at which the board was
    begun, and up to when anything was read, since what came later was not meant to be.

    `is_live`: something was read within LIVE, so that it has hardly ended."""

    behind: timedelta
    read_until: datetime
    is_live: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One institution's board: its settings, secrets and environment, its clock, its one turn.

    `turn` is held while the warehouse is open: DuckDB opens a file one way only in a process.
    Over data that has ended, pages and what is done on them go on from its `end`. Sessions and the
    access log go by the clock itself.
    """

    settings: Settings
    secrets: Mapping[str, str]
    environ: Mapping[str, str]
    key: bytes
    now: Callable[[], datetime]
    turn: threading.Lock = field(default_factory=threading.Lock)
    findings: Findings = field(default_factory=Findings)
    end: End | None = None

    @property
    def page_time(self) -> datetime:
        """What time it is on the pages."""
        return self.now() - (self.end.behind if self.end else timedelta())


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request of somebody logged in: what was asked, in which words, under which path."""

    desk: Desk
    session: Session
    page: str
    base: str
    w: Words
    path: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]
    now: datetime

    @property
    def settings(self) -> Settings:
        """The institution's settings."""
        return self.desk.settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A page to fill: the template and its values; or where to go (`to`), or a file to keep.

    `about` and `shown` are for the access log: an id, never a text, and how many messages are
    shown. `styles` are the sheets and style attributes of a page made elsewhere, allowed by hash.
    """

    template: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    to: str | None = None
    file: tuple[str, bytes] | None = None
    about: str = ""
    shown: int = 0
    styles: Sequence[str] = ()


@contextmanager
def ledger(desk: Desk, *, read_only: bool = True) -> Iterator[Connection]:
    """The warehouse, for one page at a time; Stopped when a run holds it, there is none, or none
    of this version of Vigie has been at it yet."""
    with ExitStack() as stack:
        try:
            opening = warehouse.in_turn(
                desk.settings.home, desk.turn, read_only=read_only, wait_seconds=WAIT_SECONDS
            )
            connection = stack.enter_context(opening)
        except WarehouseBusy as error:
            raise Stopped("busy") from error
        except WarehouseError as error:
            raise Stopped("empty") from error
        try:
            yield connection
        except duckdb.CatalogException as error:
            raise Stopped("older") from error


@contextmanager
def published(desk: Desk) -> Iterator[Connection]:
    """The published file, which no run ever holds; Stopped where none has been made yet.

    What takes longer than QUERY_SECONDS is broken off: duckdb.InterruptException.
    """
    path = desk.settings.home / publish.ANALYST
    if not path.exists():
        raise Stopped("empty")
    with warehouse.opened_file(path, read_only=True) as connection:
        timer = threading.Timer(QUERY_SECONDS, connection.interrupt)
        timer.start()
        try:
            yield connection
        finally:
            timer.cancel()


def end(home: Path, *, now: datetime) -> End:
    """Where the data of a home ended: WarehouseError where nothing was read, or a run goes on."""
    with warehouse.opened(home, read_only=True, wait_seconds=WAIT_SECONDS) as connection:
        ended_at, read_until = warehouse.run(connection, "queries/board_end").fetchone() or ("", "")
    if not read_until:
        raise WarehouseError("nothing has been read yet: `vigie watch` first")
    behind, read_until = max(now - ended_at, timedelta()), read_until.astimezone(UTC)
    return End(behind=behind, read_until=read_until, is_live=now - read_until < LIVE)


def rows(connection: Connection, name: str, parameters: Mapping[str, Any]) -> list[Row]:
    """The rows of `sql/queries/<name>.sql` as dictionaries."""
    return as_rows(warehouse.run(connection, f"queries/{name}", parameters))


def as_rows(found: Connection) -> list[Row]:
    """The rows of what was just run as dictionaries."""
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
