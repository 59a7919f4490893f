"""Reads Jetstream, the JSON stream of every public post of the AT Protocol: a batch, or on and on.

A batch (`read`) connects where the last one stopped, reads until the stream reaches the end of its
window, falls silent or has been read for long enough, and closes. A reader (`follow`) stays, and
comes back when a connection breaks. Both versions of Jetstream are read (bluesky-social/jetstream,
read 2026-08-14): `…/xrpc/network.bsky.jetstream.subscribeEvents`, whose events carry a number
(`seq`) that belongs to one host, and `…/subscribe`, which knows times only. Within one host of
version 2 the number is the cursor and nothing is read twice; else the time less 30 seconds is, and
what is read twice is merged by key.

Costs no key and no quota, but all posts of the world pass by: some 50 a second on average. Who
reads too slowly is cut off (`ConsumerTooSlow`) and goes on at the same number.

Known gaps: the stream has no search, so it reaches back only as far as a host keeps it (36 hours
by default); an event of more than a megabyte is left out by the host.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import Any
from urllib.parse import urlencode, urlsplit

from websockets.sync.client import ClientConnection

from pipelines.errors import SourceError
from pipelines.http import Client
from pipelines.sources import _websocket as websocket
from pipelines.sources._bluesky_posts import COLLECTION, Event, event
from pipelines.sources._websocket import Broken

log = logging.getLogger(__name__)

OVERLAP = timedelta(seconds=30)
_TRIES = 2  # connections to each address in one run
_EVENT_BYTES = 1_000_000
# A host of version 1 that keeps less than it is asked for says nothing; a silence of so long over
# the whole network does.
_SILENCE = timedelta(minutes=10)
_PULSE_SECONDS = 0.5  # between two pulses while events come
_QUIET_SECONDS = 1.0  # without an event: what there was has been read
_SOUND_SECONDS = 30.0  # a connection that lasted for so long was sound
_DUMB_SECONDS = 60.0  # without an event: the host may hang, and is asked anew
# A peer that has gone is known to have by then (two pings), and not before.
_UNSURE = timedelta(seconds=2 * websocket.PING_SECONDS)

Window = tuple[datetime, datetime]  # half open


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where reading stands: all up to `at` is read; `seq` is the last number seen at `url`."""

    at: datetime
    url: str = ""
    seq: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The position as a cursor keeps it."""
        return {"at": self.at.isoformat(), "url": self.url, "seq": self.seq}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a reading ended: where it stands, what lies between that no host keeps any more.

    `is_behind` says that the end of the window was not reached, so that the next run goes on.
    """

    position: Position
    is_behind: bool
    gap: Window | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to read: which addresses, from where, until when, for how long at most."""

    client: Client
    urls: tuple[str, ...]
    position: Position
    until: datetime
    read_seconds: float
    idle_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A frame as received and what it says."""

    frame: Any
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """A moment of a reader: where it stands, and up to when the stream has been read.

    `gap` and `note` tell what has happened since the pulse before.
    """

    position: Position
    until: datetime
    gap: Window | None = None
    note: str | None = None


class _Refused(Exception):
    """A host does not take our cursor: too old for it, or from another life of its own."""


def joined(gap: Window | None, other: Window | None) -> Window | None:
    """The window that holds both."""
    if gap is None or other is None:
        return gap or other
    return min(gap[0], other[0]), max(gap[1], other[1])


def position(kept: Any, *, default: datetime) -> Position:
    """The position that a cursor holds; `default` (aware UTC) where it holds none."""
    found = kept if isinstance(kept, dict) else {}
    try:
        at = datetime.fromisoformat(found["at"]).astimezone(UTC)
    except (KeyError, TypeError, ValueError, OverflowError):
        return Position(at=default)
    seq, url = found.get("seq"), found.get("url")
    return Position(at=at, url=url if isinstance(url, str) else "", seq=_whole(seq))


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def read(order: Order) -> Generator[Read, None, Ending]:
    """Every post and account event from the position on, and how the reading ended.

    Touches the network. Goes on at the next address when one fails; SourceError when none could
    be read at all. An event may come twice; the order is the host's.
    """
    deadline = time.monotonic() + order.read_seconds
    state = _State(position=order.position)
    failures: list[str] = []
    for url in order.urls * _TRIES:
        try:
            yield from _batch(replace(order, position=state.position), url, deadline, state)
        except (Broken, _Refused) as broken:
            failures.append(_told(url, broken))
        else:
            # A host that takes us and says nothing may hang: the next one tells.
            if state.is_heard or url == order.urls[-1]:
                return state.ending()
        if time.monotonic() >= deadline:
            break
    if state.is_heard or not failures:
        why = f"the stream broke ({failures[-1]})" if failures else "no Jetstream said anything"
        return replace(state.ending(), is_behind=True, note=why)
    raise _unread(failures)


def _told(url: str, broken: Exception) -> str:
    """What became of one address; no warning, since the next may serve, or all are named in one."""
    host, why = websocket.host(url), str(broken)
    log.info("bluesky.stream_broken host=%s why=%s", host, why)
    return why if why.startswith(host) else f"{host}: {why}"


def _unread(failures: list[str]) -> SourceError:
    return SourceError(
        f"no Jetstream could be read ({'; '.join(dict.fromkeys(failures))}): check jetstream_urls "
        "and the network; the next run goes on from the same place"
    )


def _batch(order: Order, url: str, deadline: float, state: _State) -> Iterator[Read]:
    """The events at one address up to the end of the window, silence or the deadline."""

    def frames(stream: ClientConnection) -> Iterator[Any]:
        return _frames(stream, deadline, order.idle_seconds, state)

    for found in _followed(order, url, frames, state):
        if found is None or (found.event.at and found.event.at >= order.until):
            return
        state.position = _position(found.event, url, state)
        yield found


def follow(order: Order, *, now: Callable[[], datetime]) -> Iterator[Read | Pulse]:
    """Every post and account event from the position on, without end, and a pulse each second.

    All that was read before a pulse stands in its position. Touches the network. Goes on at the
    next address when one fails; SourceError when each has failed twice and none lasted between.
    `until` and `read_seconds` of the order are not used.
    """
    ear = _Ear(state=_State(position=order.position), now=now)
    failures: list[str] = []
    for url in cycle(order.urls):
        begun = time.monotonic()
        try:
            yield from _endless(replace(order, position=ear.state.position), url, ear)
        except (Broken, _Refused) as broken:
            # One that breaks again and again after a word or two is not to be hammered.
            failures = failures if time.monotonic() - begun < _SOUND_SECONDS else []
            failures.append(_told(url, broken))
        if len(failures) >= _TRIES * len(order.urls):
            raise _unread(failures)


def _endless(order: Order, url: str, ear: _Ear) -> Iterator[Read | Pulse]:
    """The events at one address until it breaks, pulses between them."""
    state = ear.state
    ear.quiet_since = None

    def frames(stream: ClientConnection) -> Iterator[Any]:
        return _endless_frames(stream, state)

    for found in _followed(order, url, frames, state):
        if found is not None:
            place = _position(found.event, url, state)
            # A host whose clock runs ahead would have us ask the next one for what is to come.
            state.position = replace(place, at=min(place.at, ear.now()))
            yield found
        if pulse := ear.pulse(is_quiet=found is None):
            yield pulse


@dataclass(slots=True)
class _Ear:
    """What a reader knows beside its state: when it last gave a pulse, since when it is quiet."""

    state: _State
    now: Callable[[], datetime]
    pulsed_at: float = 0.0
    quiet_since: datetime | None = None

    def pulse(self, *, is_quiet: bool) -> Pulse | None:
        """A pulse if it is time for one; in silence it is."""
        self.quiet_since = (self.quiet_since or self.now()) if is_quiet else None
        at = time.monotonic()
        if not is_quiet and at - self.pulsed_at < _PULSE_SECONDS:
            return None
        self.pulsed_at = at
        gap, self.state.gap = self.state.gap, None
        ending = self.state.ending()
        self.state.unreadable = 0
        return Pulse(position=self.state.position, until=self._until(), gap=gap, note=ending.note)

    def _until(self) -> datetime:
        """Up to when the stream has been read: its last event, or now where nothing waits."""
        at = self.state.position.at
        if self.quiet_since is None or self.now() - self.quiet_since < _UNSURE:
            return at
        return max(at, self.now() - _UNSURE)


def _position(found: Event, url: str, state: _State) -> Position:
    return Position(at=found.at or state.position.at, url=url, seq=found.seq)


@dataclass(slots=True)
class _State:
    """What is known while reading; the one thing here that changes in place."""

    position: Position
    is_heard: bool = False
    is_behind: bool = False
    gap: Window | None = None
    unreadable: int = 0

    def ending(self) -> Ending:
        note = f"{self.unreadable} frames could not be read" if self.unreadable else None
        return Ending(position=self.position, is_behind=self.is_behind, gap=self.gap, note=note)


Frames = Callable[[ClientConnection], Iterator[Any]]  # the frames of a connection, None in silence


def _followed(order: Order, url: str, frames: Frames, state: _State) -> Iterator[Read | None]:
    """The events at one address; by time when the host does not take our number."""
    seq = order.position.seq if order.position.url == url and _is_second(url) else None
    try:
        yield from _connected(order, url, seq, frames, state)
    except _Refused as refused:
        log.warning("bluesky.cursor_refused host=%s why=%s", websocket.host(url), refused)
        yield from _connected(order, url, None, frames, state)


def _connected(
    order: Order, url: str, seq: int | None, frames: Frames, state: _State
) -> Iterator[Read | None]:
    """The events of one connection, and None where it is silent."""
    asked_at = order.position.at
    is_outdated, is_first = False, True
    with _opened(order.client, _address(url, seq, asked_at)) as stream:
        for frame in frames(stream):
            if frame is None:
                yield None
                continue
            found = event(frame)
            if found.kind == "error":
                raise Broken(websocket.said(found.body))
            is_outdated = is_outdated or found.body.get("name") == "OutdatedCursor"
            if found.at is None:
                state.unreadable += found.kind != "info"
                continue
            if is_first:
                _check_start(found, url, seq, asked_at, is_outdated, state)
                is_first = False
            if seq is not None and found.seq == seq:
                continue  # the last one of the reading before: a number is asked for inclusively
            yield Read(frame=frame, event=found)


def _check_start(
    first: Event, url: str, seq: int | None, asked_at: datetime, is_outdated: bool, state: _State
) -> None:
    """Notice a host that began elsewhere than asked: numbers made anew, or too little kept."""
    at = first.at or asked_at
    if seq is not None and _is_other_life(first.seq, seq, at - asked_at):
        raise _Refused(f"its number {seq} is not ours of {asked_at:%Y-%m-%d %H:%M:%SZ}")
    is_silent = not _is_second(url) and at - asked_at > _SILENCE
    if (is_outdated or is_silent) and at > asked_at:
        state.gap = (asked_at, at)


def _is_other_life(first: int | None, asked: int, later: timedelta) -> bool:
    """Whether a host that was asked for an event begins with what cannot be that event.

    A host set up anew counts from 1 again, and a number that it has not reached yet leads to its
    live end. The event asked for comes first, unless its post was deleted from the archive.
    """
    if first is None or first < asked or later < -OVERLAP:
        return True
    return first == asked and later > OVERLAP


def _frames(
    stream: ClientConnection, deadline: float, idle_seconds: float, state: _State
) -> Iterator[Any]:
    """The frames as JSON, until one takes longer than `idle_seconds` or the deadline has come."""
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            state.is_behind = True
            return
        try:
            frame = websocket.received(stream, timeout=min(idle_seconds, left))
        except TimeoutError:
            state.is_behind = left < idle_seconds
            return
        except websocket.UNREADABLE:
            state.unreadable += 1
            frame = None
        state.is_heard = True
        if frame is not None:
            yield frame


def _endless_frames(stream: ClientConnection, state: _State) -> Iterator[Any]:
    """The frames as JSON, None for each second of silence; Broken after a minute of it."""
    heard_at = time.monotonic()
    while True:
        try:
            frame = websocket.received(stream, timeout=_QUIET_SECONDS)
            heard_at = time.monotonic()
        except TimeoutError:
            if time.monotonic() - heard_at > _DUMB_SECONDS:
                raise Broken("silent for a minute") from None
            frame = None
        except websocket.UNREADABLE:
            heard_at = time.monotonic()
            state.unreadable += 1
            continue
        yield frame


@contextmanager
def _opened(client: Client, url: str) -> Iterator[ClientConnection]:
    """A connection; _Refused where the host does not take the cursor."""
    try:
        with websocket.opened(client, url) as stream:
            yield stream
    except websocket.Refused as refused:
        if refused.status == 400 and refused.words.startswith("CursorTooOld"):
            raise _Refused(refused.words) from refused
        raise


def _address(url: str, seq: int | None, at: datetime) -> str:
    """The address with what is asked of the host; times go as microseconds since 1970."""
    cursor = seq if seq is not None else int((at - OVERLAP).timestamp() * 1_000_000)
    asked: list[tuple[str, str | int]] = [("cursor", max(cursor, 0))]
    asked.append(("maxMessageSizeBytes", _EVENT_BYTES))
    if _is_second(url):
        asked += [("kinds", "commit"), ("kinds", "account"), ("collections", COLLECTION)]
    else:
        asked.append(("wantedCollections", COLLECTION))
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(asked)}"


def _is_second(url: str) -> bool:
    """Whether an address is that of version 2."""
    return urlsplit(url).path.endswith("subscribeEvents")
