"""Reads Jetstream, the JSON stream of every public post of the AT Protocol, as one batch.

A run connects where the last one stopped, reads until the stream reaches the end of its window,
falls silent or has been read for long enough, and closes. Both versions of Jetstream are read
(bluesky-social/jetstream, read 2026-08-14): `…/xrpc/network.bsky.jetstream.subscribeEvents`,
whose events carry a number (`seq`) that belongs to one host, and `…/subscribe`, which knows times
only. Within one host of version 2 the number is the cursor and nothing is read twice; else the
time less 30 seconds is, and what is read twice is merged by key.

Costs no key and no quota, but all posts of the world pass by: some 50 a second on average. The
address is checked as for HTTP (`Client.addresses`) and the socket opened to the checked address.

Known gaps: the stream has no search, so it reaches back only as far as a host keeps it (36 hours
by default); an event of more than a megabyte is left out by the host.
"""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from pipelines.errors import AddressRefused, SourceError
from pipelines.http import Client
from pipelines.sources._bluesky_posts import COLLECTION, Event, event

log = logging.getLogger(__name__)

OVERLAP = timedelta(seconds=30)
_TRIES = 2  # connections to each address in one run
_CONNECT_SECONDS = 10.0
_CLOSE_SECONDS = 0.5
_EVENT_BYTES = 1_000_000
_FRAME_BYTES = 4_000_000
# A host of version 1 that keeps less than it is asked for says nothing; a silence of so long over
# the whole network does.
_SILENCE = timedelta(minutes=10)


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
    gap: tuple[datetime, datetime] | None = None
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


class _Refused(Exception):
    """A host does not take our cursor: too old for it, or from another life of its own."""


class _Broken(Exception):
    """A connection that could not be made or ended early; the next address may do."""


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
            yield from _followed(replace(order, position=state.position), url, deadline, state)
        except (_Broken, _Refused) as broken:
            failures.append(f"{_host(url)}: {broken}")
            log.warning("bluesky.stream_broken host=%s why=%s", _host(url), broken)
        else:
            # A host that takes us and says nothing may hang: the next one tells.
            if state.is_heard or url == order.urls[-1]:
                return state.ending()
        if time.monotonic() >= deadline:
            break
    if state.is_heard or not failures:
        why = f"the stream broke ({failures[-1]})" if failures else "no Jetstream said anything"
        return replace(state.ending(), is_behind=True, note=why)
    raise SourceError(
        f"no Jetstream could be read ({'; '.join(dict.fromkeys(failures))}): check jetstream_urls "
        "and the network; the next run goes on from the same place"
    )


@dataclass(slots=True)
class _State:
    """What is known while reading; the one thing here that changes in place."""

    position: Position
    is_heard: bool = False
    is_behind: bool = False
    gap: tuple[datetime, datetime] | None = None
    unreadable: int = 0

    def ending(self) -> Ending:
        note = f"{self.unreadable} frames could not be read" if self.unreadable else None
        return Ending(position=self.position, is_behind=self.is_behind, gap=self.gap, note=note)


def _followed(order: Order, url: str, deadline: float, state: _State) -> Iterator[Read]:
    """The events at one address; by time when the host does not take our number."""
    seq = order.position.seq if order.position.url == url and _is_second(url) else None
    try:
        yield from _connected(order, url, seq, deadline, state)
    except _Refused as refused:
        log.warning("bluesky.cursor_refused host=%s why=%s", _host(url), refused)
        yield from _connected(order, url, None, deadline, state)


def _connected(
    order: Order, url: str, seq: int | None, deadline: float, state: _State
) -> Iterator[Read]:
    """The events of one connection, until the end of the window, silence or the deadline."""
    asked_at = order.position.at
    is_outdated, is_first = False, True
    with _opened(order.client, _address(url, seq, asked_at)) as stream:
        for frame in _frames(stream, deadline, order.idle_seconds, state):
            found = event(frame)
            if found.kind == "error":
                raise _Broken(_said(found.body))
            is_outdated = is_outdated or found.body.get("name") == "OutdatedCursor"
            if found.at is None:
                state.unreadable += found.kind != "info"
                continue
            if is_first:
                _check_start(found, url, seq, asked_at, is_outdated, state)
                is_first = False
            if found.at >= order.until:
                return
            if seq is not None and found.seq == seq:
                continue  # the last one of the reading before: a number is asked for inclusively
            state.position = Position(at=found.at, url=url, seq=found.seq)
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
            text = stream.recv(timeout=min(idle_seconds, left))
        except TimeoutError:
            state.is_behind = left < idle_seconds
            return
        except ConnectionClosed as closed:
            raise _Broken(f"closed ({closed.rcvd.code if closed.rcvd else 'cut'})") from closed
        state.is_heard = True
        try:
            yield msgspec.json.decode(text)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            state.unreadable += 1


@contextmanager
def _opened(client: Client, url: str) -> Iterator[ClientConnection]:
    """A connection to a checked address of the host in `url`; _Broken or _Refused."""
    try:
        stream = connect(
            url,
            sock=_socket(client, url),
            user_agent_header=client.agent,
            open_timeout=_CONNECT_SECONDS,
            close_timeout=_CLOSE_SECONDS,
            max_size=_FRAME_BYTES,
            proxy=None,
            legacy=True,
        )
    except InvalidStatus as answer:
        raise _rejection(answer) from answer
    except (OSError, WebSocketException, EOFError) as error:
        raise _Broken(f"no connection ({type(error).__name__})") from error
    try:
        yield stream
    finally:
        stream.close()


def _socket(client: Client, url: str) -> socket.socket:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "wss" else 80)
    try:
        addresses = client.addresses(host, port)
    except AddressRefused:
        raise  # a setting to correct; another address would only hide it
    except SourceError as error:
        raise _Broken(str(error)) from error
    failure: OSError = OSError(f"{host} has no address")
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout=_CONNECT_SECONDS)
        except OSError as error:
            failure = error
    raise _Broken(f"no connection ({type(failure).__name__})") from failure


def _rejection(answer: InvalidStatus) -> Exception:
    """What a host's refusal means: a cursor it does not take, or no connection at all."""
    try:
        said = json.loads(answer.response.body or b"")
    except (ValueError, RecursionError):
        said = {}
    status = answer.response.status_code
    words = _said(said) if isinstance(said, dict) else ""
    if status == 400 and words.startswith("CursorTooOld"):
        return _Refused(words)
    return _Broken(f"status {status} {words}".strip())


def _said(body: Mapping[str, Any]) -> str:
    words = f"{body.get('error', '')} {body.get('message', '')}".strip()
    return "".join(c for c in words if c.isprintable())[:160]


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


def _host(url: str) -> str:
    return urlsplit(url).netloc
