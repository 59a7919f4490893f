"""The outbox: messages are written with what they tell of, and handed over afterwards.

A row is written in the transaction of the change that it reports, under a key that follows from
what is said to whom, so that doing it again adds nothing. Handing over never holds the
warehouse. The moment a server has taken a message, a small marker is on disk: killed between
that and the update of the warehouse, the next delivery finds the marker and does not send again.
What remains is a kill in the instant between the server's answer and the marker; the copy then
carries the same Message-ID, in the same thread.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from pipelines import channels, warehouse
from pipelines.channels import email
from pipelines.errors import DeliveryError, ServerDown
from pipelines.letter import Letter
from pipelines.settings import Recipient, Settings

log = logging.getLogger(__name__)

MAIL = "email"
ATTEMPT_LIMIT = 360  # at most an hour apart: two weeks, then a person must look
_NO_LIMIT = 2**31 - 1
_FIRST_PAUSE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What one delivery did, and how many messages wait for a later one."""

    sent: int
    failed: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One message that is due."""

    outbox_key: str
    incident_id: str | None
    channel: str
    recipient: str
    message: bytes
    attempt_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one attempt; `error` is None when the message is handed over."""

    row: Waiting
    error: str | None
    is_server_down: bool = False


def enqueue(
    connection: duckdb.DuckDBPyConnection,
    letter: Letter,
    *,
    kind: str,
    key: str,
    settings: Settings,
    recipients: Sequence[Recipient],
    as_of: datetime,
    reason: str,
    incident_id: str | None = None,
    thread: str | None = None,
    personal: Callable[[Letter, str], Letter] | None = None,
) -> int:
    """Put a letter in the outbox, once for each recipient and channel; how many rows are new.

    Belongs in the caller's transaction. `key` names what is said, among all that is ever said by
    this institution: the same key, kind and recipient never make a second row. `thread` is the
    key of the letter that opens the conversation, so that mail programs keep it together.
    `personal` makes of a letter that of one reader, whose links it holds.
    """
    before = _count(connection)
    for (channel, address), readers in _carried(recipients, letter, settings).items():
        identity = identity_of(settings, key, kind, address)
        opening = _message_id(settings, thread, address) if thread else None
        message_id = opening if opening and thread == key else _spelt(settings, identity)
        own = _as_sent(personal(letter, address) if personal else letter, address, settings)
        message = _message(own, address, message_id, opening, settings=settings, as_of=as_of)
        if message is None:
            continue
        row = {
            "outbox_key": identity,
            "incident_id": incident_id,
            "kind": kind,
            "reason": reason,
            "channel": channel,
            "recipient": address,
            "message_id": message_id,
            "message": message,
            "created_at": as_of,
            "readers": readers,
        }
        warehouse.run(connection, "writes/outbox_add", row)
    return _count(connection) - before


def _carried(
    recipients: Sequence[Recipient], letter: Letter, settings: Settings
) -> dict[tuple[str, str], list[str]]:
    """Each way that the letter goes, and the mail addresses of those who read it there."""
    found: dict[tuple[str, str], list[str]] = {}
    for each in recipients:
        for route in _routes(each, letter, settings):
            found.setdefault(route, []).append(each.email)
    return {route: sorted(set(readers)) for route, readers in found.items()}


def _routes(recipient: Recipient, letter: Letter, settings: Settings) -> list[tuple[str, str]]:
    """By which channels a letter goes to somebody, each with its address or its block's name.

    A letter that has no short form goes by mail, and so does one to whom no channel is left.
    """
    kinds = {block.name: block.kind for block in settings.channels}
    found = [(kinds[n], n) for n in recipient.channels if n in kinds and letter.brief]
    if MAIL in recipient.channels or not found:
        found.insert(0, (MAIL, recipient.email))
    return found


def _as_sent(letter: Letter, address: str, settings: Settings) -> Letter:
    """The letter as a channel carries it: whole by mail; elsewhere its short form, and what people
    wrote only where the channel's block allows it."""
    block = next((b for b in settings.channels if b.name == address), None)
    if block is None:
        return letter
    has_quotes = block.quotes and block.kind != "sms"
    text = "\n\n".join((letter.brief, *(letter.quotes if has_quotes else ())))
    return Letter(subject=letter.subject, text=text + "\n", html="")


def _message(
    letter: Letter,
    address: str,
    message_id: str,
    thread_id: str | None,
    *,
    settings: Settings,
    as_of: datetime,
) -> bytes | None:
    """The letter as a mail; None, and an error in the log, where nobody can be written to."""
    try:
        return email.build(
            letter,
            sender=settings.mail.sender or email.NO_SENDER,
            recipient=address if "@" in address else email.NO_SENDER,
            message_id=message_id,
            thread_id=thread_id,
            date=as_of,
        )
    except DeliveryError as error:
        # The letter still goes to everybody else.
        log.error("outbox.unaddressable error=%s", error)
        return None


def _count(connection: duckdb.DuckDBPyConnection) -> int:
    row = connection.execute("select count(*) from outbox").fetchone()
    return int(row[0]) if row else 0


def identity_of(settings: Settings, key: str, kind: str, address: str) -> str:
    """The key of the row for one reader: 64 hex digits that follow from what is said to whom."""
    parts = (settings.institution.id, key, kind, address)
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()


def _message_id(settings: Settings, thread: str, address: str) -> str:
    """The Message-ID that opens a thread for one reader: the same whenever it is asked for."""
    return _spelt(settings, identity_of(settings, thread, "thread", address))


def _spelt(settings: Settings, identity: str) -> str:
    return f"<{identity[:40]}@{_domain(settings)}>"


def _domain(settings: Settings) -> str:
    return email.domain(settings.mail.sender or email.NO_SENDER)


def deliver(
    home: Path,
    *,
    settings: Settings,
    secrets: Mapping[str, str],
    now: datetime,
    is_asked: bool = False,
) -> Delivered:
    """Hand over every message that is due at `now` (aware UTC); the warehouse is open only
    before and after, never while a server is spoken to. Where a person asks (`is_asked`), those
    that a failure has put off are due too, and those that were given up.

    One delivery at a time: a second one at the same moment leaves the work to the first.
    """
    with _alone(home) as is_alone:
        if not is_alone:
            log.info("outbox.busy another delivery is at work")
            return Delivered(sent=0, failed=0, waiting=0)
        rows = _due(home, now, is_asked=is_asked)
        outcomes = _attempts(home, rows, settings, secrets)
        waiting = _settle(home, outcomes, now)
    sent = sum(1 for outcome in outcomes if outcome.error is None)
    log.info("outbox.delivered sent=%d failed=%d", sent, len(outcomes) - sent)
    return Delivered(sent=sent, failed=len(outcomes) - sent, waiting=waiting)


@contextmanager
def _alone(home: Path) -> Iterator[bool]:
    """Whether this process holds the lock of the outbox; the lock dies with its process."""
    folder = home / "outbox"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _due(home: Path, now: datetime, *, is_asked: bool) -> list[Waiting]:
    asked = {
        "now": now + _LONGEST_PAUSE if is_asked else now,
        "attempt_limit": _NO_LIMIT if is_asked else ATTEMPT_LIMIT,
    }
    with warehouse.opened(home, read_only=True) as connection:
        rows = warehouse.run(connection, "writes/outbox_due", asked).fetchall()
    names = ("outbox_key", "incident_id", "channel", "recipient", "message", "attempt_count")
    return [Waiting(**dict(zip(names, row, strict=True))) for row in rows]


def _attempts(
    home: Path, rows: Sequence[Waiting], settings: Settings, secrets: Mapping[str, str]
) -> list[Outcome]:
    """One attempt a row; when one fails, what else that person is to hear of it waits, and when
    a server cannot be reached, so does all that goes by it. Each channel has its own server; one
    that is down holds up no other."""
    outcomes: list[Outcome] = []
    held: set[tuple[str, str]] = set()
    down: set[str] = set()
    for row in rows:
        if _server(row) in down or (row.incident_id, row.recipient) in held:
            continue
        outcome = _attempt(home, row, settings, secrets)
        outcomes.append(outcome)
        if outcome.is_server_down:
            down.add(_server(row))
        if outcome.error and row.incident_id:
            held.add((row.incident_id, row.recipient))
    return outcomes


def _server(row: Waiting) -> str:
    return MAIL if row.channel == MAIL else row.recipient


def _attempt(home: Path, row: Waiting, settings: Settings, secrets: Mapping[str, str]) -> Outcome:
    marker = _marker(home, row.outbox_key)
    if marker.exists():
        return Outcome(row=row, error=None)
    try:
        channels.load(row.channel).hand_over(
            row.message,
            recipient=row.recipient,
            settings=settings,
            secrets=secrets,
            taken=lambda: _mark(marker),
        )
    except DeliveryError as error:
        log.warning("outbox.failed key=%s error=%s", row.outbox_key[:12], error)
        return Outcome(row=row, error=str(error), is_server_down=isinstance(error, ServerDown))
    return Outcome(row=row, error=None)


def _marker(home: Path, outbox_key: str) -> Path:
    return home / "outbox" / f"{outbox_key}.sent"


def _mark(marker: Path) -> None:
    """A file that is on the disk, and in its folder, when this returns."""
    with marker.open("w") as file:
        os.fsync(file.fileno())
    folder = os.open(marker.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _settle(home: Path, outcomes: Sequence[Outcome], now: datetime) -> int:
    """Note every outcome in one transaction, then drop the markers; how many rows still wait."""
    with warehouse.opened(home) as connection:
        with warehouse.transaction(connection):
            for outcome in outcomes:
                warehouse.run(connection, "writes/outbox_settle", _settled(outcome, now))
        row = connection.execute("select count(*) from outbox where sent_at is null").fetchone()
    for outcome in outcomes:
        _marker(home, outcome.row.outbox_key).unlink(missing_ok=True)
    return int(row[0]) if row else 0


def _settled(outcome: Outcome, now: datetime) -> dict[str, Any]:
    tried = outcome.row.attempt_count + 1
    is_sent = outcome.error is None
    return {
        "outbox_key": outcome.row.outbox_key,
        "attempt_count": tried,
        "next_try_at": now if is_sent else now + pause(tried),
        "sent_at": now if is_sent else None,
        "last_error": outcome.error,
    }


def pause(tried: int) -> timedelta:
    """How long to wait after the attempt number `tried`: 1 min, doubled each time, up to 1 h."""
    doublings = min(tried - 1, 10)
    return min(_FIRST_PAUSE * (1 << doublings), _LONGEST_PAUSE)
