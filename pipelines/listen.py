"""`vigie listen`: readers that stay connected and land what is published within seconds.

One reader for each source block that says `live = true`, each in a thread of its own. A reader
lands what its source hands over every three seconds or 500 payloads, with the cursor at which to
go on (pipelines/listening.py), so that it may be killed at any instant: what was not landed is read
again, what was landed is not. When its source fails, it waits (1 s, 2 s, … a minute, or as long as
the source asks) and goes on from there. It looks at `vigie.toml` every two seconds and begins anew
when that has changed, so that a new subject is heard at once.

It opens no warehouse. Costs one connection a block and about 100 MB; memory is bounded by the
batch and by what a source remembers of its last posts.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from pipelines import budget, landing, listening, sources, vigie_toml
from pipelines.errors import RateLimited, SourceError, VigieError, in_short
from pipelines.house import House, terms
from pipelines.http import Client
from pipelines.notes import noted, told, why
from pipelines.said import say
from pipelines.settings import SourceBlock
from pipelines.sources import Checkpoint, Collected, Listening, Payload, Request

log = logging.getLogger(__name__)

FLUSH_SECONDS = 3.0
FLUSH_PAYLOADS = 500
BEAT_SECONDS = 5.0
_LOOK_SECONDS = 2.0  # between two looks at vigie.toml
_LONGEST_WAIT_SECONDS = 60.0
_SOUND_SECONDS = 60.0  # a reader that worked for so long has overcome its last failures
_PATIENCE_SECONDS = 2.0  # of a call; a stream that nobody reads for longer would fall behind
_CALL_SECONDS = 20.0
_STOP_SECONDS = 15.0

Clock = Callable[[], datetime]
Stamp = tuple[int, int]  # when a file was changed (ns), and its size


def clock() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)


def listen(
    read: Callable[[], House],
    *,
    stopping: threading.Event,
    names: Sequence[str] = (),
    now: Clock = clock,
) -> None:
    """Run a reader for each live block, or for those of `names`, until `stopping` is set.

    `read` gives the settings, and is called again when their file changes; a change with faults is
    told in the log and waited out. VigieError when there is nothing to listen to, or when another
    process listens to it, or when a reader dies.
    """
    house = read()
    seen = _stamp(house)
    if not _chosen(house, names):
        raise VigieError(
            say(
                "{path} has no such source block with live = true: write it into the block of a "
                "source that docs/sources.md calls live",
                path=house.home / vigie_toml.FILE,
            )
        )
    while not stopping.is_set():
        with ExitStack() as locks:
            blocks = _chosen(house, names)
            for block in blocks:
                locks.enter_context(listening.alone(house.home, block.name))
            ending = threading.Event()
            readers = [_started(house, block, ending, now) for block in blocks]
            house, seen = _changed(house, seen, read, stopping, readers)
            ending.set()
            _join(readers)


def _join(readers: Sequence[Reader]) -> None:
    """Wait for the readers to end; VigieError when one does not, since its lock must not go."""
    deadline = time.monotonic() + _STOP_SECONDS + _CALL_SECONDS
    for reader in readers:
        reader.join(max(deadline - time.monotonic(), 0))
    if late := [reader.name for reader in readers if reader.is_alive()]:
        raise VigieError(
            say("{names} does not end: kill this process and start it again", names=", ".join(late))
        )


def _chosen(house: House, names: Sequence[str]) -> list[SourceBlock]:
    return [block for block in house.live_blocks if not names or block.name in names]


def _started(house: House, block: SourceBlock, ending: threading.Event, now: Clock) -> Reader:
    reader = Reader(house=house, block=block, ending=ending, now=now)
    reader.start()
    return reader


def _changed(
    house: House,
    seen: Stamp,
    read: Callable[[], House],
    stopping: threading.Event,
    readers: Sequence[Reader],
) -> tuple[House, Stamp]:
    """The settings once they have changed for good, or the same when it is time to stop.

    `seen` is the stamp of the file that was read last, so that what changes while readers end is
    seen too. VigieError when a reader has died: what it writes to may be full, or not ours to
    write.
    """
    while not stopping.wait(_LOOK_SECONDS):
        if dead := [reader.name for reader in readers if not reader.is_alive()]:
            raise VigieError(
                say(
                    "{names} has died: see above; check {home} and disk",
                    names=", ".join(dead),
                    home=house.home,
                )
            )
        if (stamp := _stamp(house)) == seen:
            continue
        seen = stamp
        try:
            found = read()
        except VigieError as error:  # a fault of the file, or a place that is none
            log.error("settings.refused the old ones stand: %s", in_short(error))
            continue
        log.info("settings.read sources=%d", len(found.live_blocks))
        return found, seen
    return house, seen


def _stamp(house: House) -> Stamp:
    try:
        found = (house.home / vigie_toml.FILE).stat()
    except OSError:  # an editor is replacing it
        return (0, 0)
    return (found.st_mtime_ns, found.st_size)


class Reader(threading.Thread):
    """The reader of one block; a thread that ends when `ending` is set, and only then."""

    def __init__(
        self, *, house: House, block: SourceBlock, ending: threading.Event, now: Clock
    ) -> None:
        super().__init__(name=f"reader {block.name}", daemon=True)
        self._house, self._block = house, block
        self._ending, self._now = ending, now
        self._trouble = ""  # the last that was told, until something is heard again

    def run(self) -> None:
        """Listen, and listen again after every failure, more patiently each time."""
        failures = 0
        while not self._ending.is_set():
            book = opened(self._house, self._block, self._now)
            begun, wait = time.monotonic(), None
            try:
                self._listen(book)
            except RateLimited as error:
                wait = max((error.retry_at - self._now()).total_seconds(), 1.0)
                self._tell(book, "waiting", why(error))
            except SourceError as error:
                self._tell(book, "failed", why(error))
            except Exception as error:  # any source may fail in its own way, and on any payload
                name = type(error).__name__
                log.error("reader.broken source=%s error=%s", self._block.name, in_short(error))
                broken = say("broke off ({name}): see the log of vigie listen", name=name)
                self._tell(book, "failed", broken)
            is_sound = time.monotonic() - begun > _SOUND_SECONDS
            failures = 0 if is_sound else failures + 1
            self._ending.wait(_wait(failures) if wait is None else wait)

    def _tell(self, book: Book, status: listening.Status, note: str) -> None:
        """Trouble goes to the book every time, and once to whoever reads the log at a terminal."""
        level = logging.INFO if note == self._trouble else logging.WARNING
        line = " ".join(note.split())
        log.log(level, "reader.%s source=%s why=%s", status, self._block.name, line)
        self._trouble = note
        book.tell(status, note)

    def _listen(self, book: Book) -> None:
        """Land what the source hands over until it is time to end; SourceError."""
        source = sources.load(self._block.kind)
        net = self._house.settings.net
        if not isinstance(source, Listening):
            raise VigieError(f"kind {self._block.kind!r} cannot be listened to")
        with (
            closing(budget.Ledger(self._house.home / budget.FILE)) as ledger,
            Client(
                contact=net.contact,
                allow_private=net.allow_private,
                total_seconds=_CALL_SECONDS,
                wait_seconds=_PATIENCE_SECONDS,
                budget=budget.of_block(self._house.settings, self._block, source.MANIFEST, ledger),
            ) as client,
        ):
            request = asked(self._house, self._block, book, client=client, now=self._now)
            with closing(source.listen(request)) as items:
                try:
                    self._taken_in(items, book)
                except SourceError:
                    book.land()  # what came may not be told again: a deletion in a stream
                    raise
        book.land()
        book.tell("stopped")
        if not self._ending.is_set():
            raise SourceError(f"{self._block.name} has nothing more to say, which no stream may")

    def _taken_in(self, items: Iterator[Collected], book: Book) -> None:
        for item in items:
            if self._trouble:
                log.warning("reader.listens_again source=%s", self._block.name)
                self._trouble = ""
            book.add(item)
            if self._ending.is_set() and isinstance(item, Checkpoint):
                break


def _wait(failures: int) -> float:
    """The seconds before the next try: one, two, four, up to a minute."""
    jitter = 1 + random.random() / 2  # noqa: S311 - spreads calls, hides nothing
    return min(2.0 ** max(failures - 1, 0), _LONGEST_WAIT_SECONDS) * jitter


def asked(house: House, block: SourceBlock, book: Book, *, client: Client, now: Clock) -> Request:
    """What a reader asks of its source: to go on where its book stands."""
    return Request(
        name=block.name,
        options=block.options,
        terms=terms(house.settings, block),
        cursor=book.cursor,
        since=book.until,
        until=now(),
        client=client,
        home=house.home,
        secrets=house.secrets,
        now=now,
        landed=lambda: landed(house.home, block.name),
    )


def landed(home: Path, name: str) -> Iterator[Payload]:
    """What a block has landed in the past days: the newest file first, as far as it can be read."""
    files = (home / "landing" / name).glob("*/*.jsonl.zst")
    for path in sorted(files, key=lambda file: file.name.rpartition("-")[2], reverse=True):
        try:
            yield from landing.read(path)
        except (OSError, ValueError, pa.ArrowException) as error:
            log.warning("landing.unreadable source=%s error=%s", name, type(error).__name__)


@dataclass(slots=True, kw_only=True)
class Book:
    """What a reader has in hand and where it stands; the one thing here that changes in place.

    All from `since` up to `until` and `cursor` is landed, the last of it under `stamp`.
    """

    home: Path
    name: str
    now: Clock
    stamp: str
    cursor: sources.Cursor | None
    until: datetime
    locale: str = "fr"  # of what it notes
    since: datetime | None = None
    payloads: list[Payload] = field(default_factory=list)
    last: Checkpoint | None = None
    gap: tuple[datetime, datetime] | None = None
    is_capped: bool = False
    notes: list[str] = field(default_factory=list)
    first_at: float = 0.0  # when the oldest payload in hand came, on the monotonic clock
    told_at: float = 0.0

    def add(self, item: Collected) -> None:
        """Take an item in hand; at a checkpoint, land what is due."""
        if isinstance(item, Payload):
            self.first_at = self.first_at if self.payloads else time.monotonic()
            self.payloads.append(item)
        else:
            self._reach(item)
        if time.monotonic() - self.told_at >= BEAT_SECONDS:
            self.tell("ok")  # between checkpoints too: a long reading is not a reader that is gone

    def _reach(self, item: Checkpoint) -> None:
        self.last = item
        self.is_capped = self.is_capped or item.capped
        self.notes += [item.note] if item.note else []
        if item.gap:
            self.gap = _joined(self.gap, item.gap)
        is_old = time.monotonic() - self.first_at >= FLUSH_SECONDS
        if self.gap or len(self.payloads) >= FLUSH_PAYLOADS or (self.payloads and is_old):
            self.land()
        elif not self.payloads:
            self._move_on()

    def land(self) -> None:
        """Write what is in hand up to the last checkpoint, then its receipt."""
        if self.last is None or not (self.payloads or self.gap):
            return
        stamp = listening.next_stamp(self.stamp, self.now())
        at, path = listening.moment(stamp), None
        if self.payloads:
            file = landing.path_for(self.home, self.name, f"live-{stamp}", at)
            path = landing.land(self.payloads, path=file, fetched_at=at).path
        receipt = listening.Receipt(
            stamp=stamp,
            path=str(path.relative_to(self.home)) if path else None,
            payload_count=len(self.payloads),
            since=self.until,
            until=self._reached(self.last),
            cursor=self.last.cursor,
            gap=self.gap,
            is_capped=self.is_capped,
            note=told(noted(self.notes), self.locale),
        )
        listening.write_receipt(self.home, self.name, receipt)
        log.info("reader.landed source=%s count=%d", self.name, receipt.payload_count)
        self.stamp, self.gap, self.is_capped = stamp, None, False
        self.payloads.clear()
        self._move_on()
        self.tell("ok")

    def _move_on(self) -> None:
        if self.last:
            self.cursor = self.last.cursor
            self.until = self._reached(self.last)

    def _reached(self, last: Checkpoint) -> datetime:
        """Up to when all is read: never later than now, or a host whose clock is wrong would have
        time pass for read that is still to come."""
        return max(self.until, min(last.until or self.until, self.now()))

    def tell(self, status: listening.Status, note: str | None = None) -> None:
        """Write how the reader is, with the cursor of what is landed and not of what is in hand."""
        note = note or noted(self.notes)
        self.notes.clear()
        self.told_at = time.monotonic()
        listening.write_reader(
            self.home,
            self.name,
            listening.Reader(
                at=self.now(),
                until=self.until,
                status=status,
                cursor=self.cursor,
                stamp=self.stamp,
                note=told(note, self.locale),
                since=self.since,
            ),
        )


def _joined(
    gap: tuple[datetime, datetime] | None, other: tuple[datetime, datetime]
) -> tuple[datetime, datetime]:
    return other if gap is None else (min(gap[0], other[0]), max(gap[1], other[1]))


def opened(house: House, block: SourceBlock, now: Clock) -> Book:
    """The book of a block as its last reader left it; a new one begins `first_days` ago."""
    home, name = house.home, block.name
    receipt, reader = listening.last_receipt(home, name), listening.reader(home, name)
    book = Book(
        home=home,
        name=name,
        now=now,
        stamp=receipt.stamp if receipt else "",
        cursor=receipt.cursor if receipt else None,
        until=receipt.until if receipt else now() - timedelta(days=block.first_days),
        locale=house.settings.institution.locale,
    )
    book.since = reader.since if reader else None if receipt else book.until
    if reader and reader.stamp >= book.stamp and reader.cursor is not None:
        book.cursor, book.until = reader.cursor, max(book.until, reader.until)
        book.stamp = reader.stamp
    elif reader and receipt is None:  # it has never been able to listen: it begins where it wanted
        book.until = reader.until
    return book
