"""Opens a WebSocket to an address that was checked as for HTTP, and reads frames of JSON from it.

The name is resolved and its addresses are checked by `Client.addresses`; the socket is opened to
the checked address. A peer that has gone without a word is found out by a ping within 40 s. Memory
is bounded: 64 frames of at most 4 MB wait to be read, then the peer has to wait.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import msgspec
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from pipelines.errors import AddressRefused, SourceError
from pipelines.http import Client

PING_SECONDS = 20.0  # between two pings, and for an answer to one
_CONNECT_SECONDS = 10.0
_CLOSE_SECONDS = 0.5
_FRAME_BYTES = 4_000_000
_WAITING_FRAMES = 64


class Broken(Exception):
    """A connection that could not be made or ended early; another address, or time, may mend it."""


class Refused(Broken):
    """A host that answers with an error instead of opening a stream: its `status` and `words`."""

    def __init__(self, status: int, words: str) -> None:
        self.status = status
        self.words = words
        super().__init__(f"status {status} {words}".strip())


@contextmanager
def opened(
    client: Client, url: str, *, headers: Mapping[str, str] | None = None
) -> Iterator[ClientConnection]:
    """A connection to a checked address of the host in `url`, closed when the block ends.

    Broken, Refused, or AddressRefused where the host leads to a private network.
    """
    try:
        stream = connect(
            url,
            sock=_socket(client, url),
            user_agent_header=client.agent,
            additional_headers=dict(headers or {}),
            open_timeout=_CONNECT_SECONDS,
            close_timeout=_CLOSE_SECONDS,
            ping_interval=PING_SECONDS,
            ping_timeout=PING_SECONDS,
            max_size=_FRAME_BYTES,
            max_queue=_WAITING_FRAMES,
            proxy=None,
            legacy=True,
        )
    except InvalidStatus as answer:
        raise _refusal(answer) from answer
    except (OSError, WebSocketException, EOFError) as error:
        raise Broken(f"no connection ({type(error).__name__})") from error
    try:
        yield stream
    finally:
        stream.close()


def received(stream: ClientConnection, *, timeout: float) -> Any:
    """The next frame as JSON; TimeoutError when none comes in time, Broken at the end.

    One of UNREADABLE for a frame that is no JSON, or says nothing (`null`).
    """
    try:
        text = stream.recv(timeout=timeout)
    except ConnectionClosed as closed:
        raise Broken(f"closed ({closed.rcvd.code if closed.rcvd else 'cut'})") from closed
    found = msgspec.json.decode(text)
    if found is None:
        raise ValueError("null")
    return found


def sent(stream: ClientConnection, message: Mapping[str, Any]) -> None:
    """Send a message as JSON; Broken where nobody takes it."""
    try:
        stream.send(json.dumps(message))
    except ConnectionClosed as closed:
        raise Broken("closed while it was asked") from closed


UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)


def host(url: str) -> str:
    """The host and port of an address, as messages name it."""
    return urlsplit(url).netloc


def said(body: Mapping[str, Any]) -> str:
    """What an error of JSON says, printable and short."""
    words = f"{body.get('error', '')} {body.get('message', '')}".strip()
    return "".join(c for c in words if c.isprintable())[:160]


def _socket(client: Client, url: str) -> socket.socket:
    parts = urlsplit(url)
    name, port = parts.hostname or "", parts.port or (443 if parts.scheme == "wss" else 80)
    try:
        addresses = client.addresses(name, port)
    except AddressRefused:
        raise  # a setting to correct; another address would only hide it
    except SourceError as error:
        raise Broken(str(error)) from error
    failure: OSError = OSError(f"{name} has no address")
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout=_CONNECT_SECONDS)
        except OSError as error:
            failure = error
    raise Broken(f"no connection ({type(failure).__name__})") from failure


def _refusal(answer: InvalidStatus) -> Refused:
    try:
        found = json.loads(answer.response.body or b"")
    except (ValueError, RecursionError):
        found = {}
    words = said(found) if isinstance(found, dict) else ""
    return Refused(answer.response.status_code, words)
