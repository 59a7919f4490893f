"""One polite client for every source: time-outs, retries, budgets, and a guard on addresses.

Polite: it says who asks and whom to contact, waits as long as a service asks (`Retry-After` and
every form of reset header), asks the budget that all workers share before each call
(`pipelines/budget.py`), and never waits more than five minutes in one call (less where a run has no
time for it): past that it raises
`RateLimited`, or `BudgetSpent` where it is our own budget, with the time to come back.

Guarded: only http and https; a name is resolved once, its addresses are checked, and the socket
is opened to a checked address, so that a name cannot lead elsewhere between check and use. Each
redirect is checked again, never goes from https to http, and carries no credentials to another
origin. Bodies are counted as they stream, before and after decompression.

Known gaps: proxies of the environment are not used; the resolver's own time-out applies to a
name look-up; a `transport` handed in opens its own sockets, so that only addresses written in
the URL are checked.
"""

from __future__ import annotations

import contextlib
import copy
import ipaddress
import json
import logging
import math
import os
import random
import re
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

import httpcore
import httpx

from pipelines.budget import Budget, Call, Held, Ledger, Refusal, Told
from pipelines.errors import AddressRefused, BudgetSpent, RateLimited, SourceError, StatusRefused
from pipelines.notes import why as why_of
from pipelines.said import Said, say

log = logging.getLogger(__name__)

MAX_BYTES = 20 * 1024 * 1024
TRIES = 4
WAIT_LIMIT_SECONDS = 300.0  # longer than this, another run is the better waiter
TOTAL_SECONDS = 120.0
REDIRECTS = 5
_TIMEOUT = httpx.Timeout(20.0, connect=10.0, pool=30.0)
_SHORTEST_SECONDS, _LONGEST_SECONDS = 1.0, 900.0
_EPOCH_SECONDS, _EPOCH_MILLISECONDS = 1e9, 1e12  # smaller numbers are seconds left
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_SAFE_TO_REPEAT = frozenset({429, 503})  # statuses after which even a POST had no effect
_REDIRECTING = frozenset({301, 302, 303, 307, 308})
# Headers that may follow a redirect to another origin: none of them can be a credential.
_ANONYMOUS = frozenset({"accept", "accept-language", "if-modified-since", "if-none-match"})
_CLOCK_SKEW = timedelta(minutes=15)  # a service whose clock is further off is not believed
_RESET_HEADERS = ("x-ratelimit-reset", "x-rate-limit-reset", "ratelimit-reset")
_REMAINING_HEADERS = ("x-ratelimit-remaining", "x-rate-limit-remaining", "ratelimit-remaining")
_LIMIT_HEADERS = ("x-ratelimit-limit", "x-rate-limit-limit", "ratelimit-limit")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")

Params = Mapping[str, str | int | Sequence[str]]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer of status 2xx or 304: header names in lower case, `content` decompressed."""

    status: int
    url: str
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        """The content as JSON; SourceError when it is something else.

        What JSON allows and UTF-8 or 64 bits do not (half a surrogate pair, an integer of 30
        digits) comes as the replacement character and as a float, so that it can be written.
        """
        try:
            found = json.loads(self.content, parse_int=_whole)
            return _writable(found) if _HALF_PAIR.search(self.content) else found
        except (ValueError, RecursionError) as error:
            kind = self.headers.get("content-type", "no content type")
            raise SourceError(
                say(
                    "{url} answered with {count} bytes of {kind!r} that are not JSON: check that "
                    "the address is that of the API; a cut answer mends itself",
                    url=shown(self.url),
                    count=len(self.content),
                    kind=kind[:100],
                )
            ) from error

    @property
    def text(self) -> str:
        """The content in the charset that the header names, UTF-8 otherwise; never fails."""
        found = re.search(r"charset=[\"']?([\w.:-]+)", self.headers.get("content-type", ""))
        try:
            return self.content.decode(found[1] if found else "utf-8", errors="replace")
        except LookupError:
            return self.content.decode("utf-8", errors="replace")


_HALF_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) < 19 else _wide(digits)


def _wide(digits: str) -> int | float:
    if len(digits) > 20:
        return float(digits)
    number = int(digits)
    return number if -(2**63) <= number < 2**63 else float(number)


def _writable(value: Any) -> Any:
    """The same value, each half of a surrogate pair replaced; RecursionError when too deep."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_writable(each) for each in value]
    if isinstance(value, dict):
        return {_writable(key): _writable(each) for key, each in value.items()}
    return value


def shown(url: str | httpx.URL) -> str:
    """An address as it may be printed: no user, no password, no value of the query."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return "an address that cannot be read"
    query = "&".join(f"{key}=…" for key in parsed.params)
    host = f"[{parsed.host}]" if ":" in parsed.host else parsed.host
    port = f":{parsed.port}" if parsed.port else ""
    return f"{parsed.scheme}://{host}{port}{parsed.path}" + (f"?{query}" if query else "")


@dataclass(frozen=True, slots=True)
class Guard:
    """Which addresses may be opened: public ones, and the hosts and networks listed."""

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    @classmethod
    def reading(cls, allow_private: Iterable[str]) -> Self:
        """A guard from `net.allow_private`: each entry a host name, an address or a CIDR."""
        hosts: set[str] = set()
        networks: list[Network] = []
        for entry in allow_private:
            try:
                networks.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
            except ValueError:
                hosts.add(_bare(entry))
        return cls(frozenset(hosts), tuple(networks))

    def allows(self, host: str, address: str) -> bool:
        """Whether `address`, which `host` resolved to, may be opened."""
        if _bare(host) in self.hosts:
            return True
        found = _unwrapped(ipaddress.ip_address(address.split("%")[0]))
        listed = any(found.version == n.version and found in n for n in self.networks)
        return listed or _is_public(found)


def _bare(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()


def _unwrapped(address: Address) -> Address:
    """The IPv4 address that an IPv6 one carries (mapped, NAT64, 6to4), or the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        # Teredo hides an IPv4 address of its own, and `is_global` knows not every local prefix.
        hidden = address.teredo is not None or address in _NAT64_LOCAL or address.is_site_local
        if hidden:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _literal(host: str) -> str | None:
    """The address that `host` is, in any spelling that a resolver takes (2130706433, 0x7f.1)."""
    try:
        return str(ipaddress.ip_address(_bare(host).split("%")[0]))
    except ValueError:
        pass
    if not re.fullmatch(r"[0-9a-fx.]+", _bare(host)):
        return None
    try:
        return socket.inet_ntoa(socket.inet_aton(_bare(host)))
    except OSError:
        return None


Resolve = Callable[[str, int], Sequence[str]]


def resolve(host: str, port: int) -> list[str]:
    """Every address of `host`, in the resolver's order; touches the network; OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(slots=True)
class _Deadline:
    """When the exchange under way must be over (monotonic seconds), whatever its single waits."""

    at: float = math.inf

    def within(self, timeout: float | None) -> float:
        """What is left of `timeout`; httpcore.ReadTimeout when nothing is."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("not finished in time")
        return left if timeout is None else min(left, timeout)


class _TimedStream(httpcore.NetworkStream):
    """A stream none of whose waits goes past the deadline: a peer may drip, but not for ever."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Some bytes, as `NetworkStream.read`."""
        return self._stream.read(max_bytes, self._deadline.within(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of `buffer`, as `NetworkStream.write`."""
        self._stream.write(buffer, self._deadline.within(timeout))

    def close(self) -> None:
        """Close the socket."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """The same stream under TLS, for the name and not for the address."""
        wait = self._deadline.within(timeout)
        secured = self._stream.start_tls(ssl_context, server_hostname, wait)
        return _TimedStream(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        """What the socket knows of itself."""
        return self._stream.get_extra_info(info)


class _CheckedSockets(httpcore.SyncBackend):
    """Opens a socket only to an address that was resolved and checked here, just before."""

    def __init__(self, guard: Guard, find: Resolve, deadline: _Deadline) -> None:
        self._guard = guard
        self._find = find
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """A stream to the first checked address of `host` that answers; AddressRefused."""
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in _checked(self._guard, self._find, host, port):
            wait = self._deadline.within(timeout)
            try:
                return _TimedStream(
                    super().connect_tcp(address, port, wait, local_address, socket_options),
                    self._deadline,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


def _checked(guard: Guard, find: Resolve, host: str, port: int) -> list[str]:
    try:
        found = find(host, port)
    except (OSError, UnicodeError) as error:
        raise httpcore.ConnectError(f"{host} cannot be resolved: {error}") from error
    allowed = [address for address in found if guard.allows(host, address)]
    if found and not allowed:
        raise _refused(host, found[0])
    return allowed


def _refused(host: str, address: str) -> AddressRefused:
    what = say(
        "{host} leads to {address}, which is not a public address", host=host, address=address
    )
    remedy = say(
        'if it is a server of yours, add "{host}" to allow_private in the [net] table of '
        "vigie.toml",
        host=host,
    )
    return AddressRefused(what, remedy)


@lru_cache(maxsize=4)
def _authorities(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    """What certificates are checked against, read once: 16 ms, at every client of every source.

    httpx reads the two variables itself; who sets another has another context.
    """
    return httpx.create_ssl_context()


class _GuardedTransport(httpx.HTTPTransport):
    """httpx's transport over checked sockets; TLS still verifies the name, not the address."""

    def __init__(self, guard: Guard, find: Resolve, deadline: _Deadline) -> None:
        files = (os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"))
        self._pool = httpcore.ConnectionPool(
            ssl_context=_authorities(*files),
            max_connections=10,
            keepalive_expiry=30.0,
            network_backend=_CheckedSockets(guard, find, deadline),
        )


def seconds_until(value: str, *, now: datetime) -> float | None:
    """The seconds from `now` to what a header says, 1 to 900; None when it says nothing clear.

    Reads seconds left, epoch seconds and milliseconds, ISO 8601, and HTTP dates: services agree
    on none of them (Mastodon ISO 8601, X and Bluesky epoch seconds, Reddit seconds left).
    """
    seconds = _number_until(value, now) if _is_number(value) else _date_until(value, now)
    if seconds is None or not math.isfinite(seconds):
        return None
    return min(max(seconds, _SHORTEST_SECONDS), _LONGEST_SECONDS)


def _is_number(value: str) -> bool:
    return re.fullmatch(r"\s*[+-]?\d{1,15}(\.\d*)?\s*", value) is not None


def _number_until(value: str, now: datetime) -> float:
    number = float(value)
    if number >= _EPOCH_MILLISECONDS:
        return number / 1000 - now.timestamp()
    return number - now.timestamp() if number >= _EPOCH_SECONDS else number


def _date_until(value: str, now: datetime) -> float | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(value.strip())
        except (ValueError, IndexError, OverflowError):
            continue
        at = found if found.tzinfo else found.replace(tzinfo=UTC)
        return (at - now).total_seconds()
    return None


def wait_asked(headers: Mapping[str, str], content: bytes = b"", *, now: datetime) -> float | None:
    """The seconds that an answer asks to wait, 1 to 900, or None when it asks nothing."""
    for name in ("retry-after", *_RESET_HEADERS):
        if name in headers and (found := seconds_until(headers[name], now=now)) is not None:
            return found
    found_field = re.search(r"(?:\breset=|;\s*t=)\s*(\d+)", headers.get("ratelimit", ""))
    if found_field:
        return seconds_until(found_field[1], now=now)
    return _wait_in_body(content, now)


def _wait_in_body(content: bytes, now: datetime) -> float | None:
    """What a JSON error says: `backoff`, `retry_after`, `reset_time` or Discourse's extras."""
    try:
        found = json.loads(content) if content[:1] == b"{" else {}
    except (ValueError, RecursionError):
        return None
    extras = found.get("extras")
    said = [found.get(key) for key in ("backoff", "retry_after", "reset_time")]
    said.append(extras.get("wait_seconds") if isinstance(extras, dict) else None)
    waits = (seconds_until(str(v), now=now) for v in said if isinstance(v, str | int | float))
    return next((wait for wait in waits if wait is not None), None)


def told(headers: Mapping[str, str], *, now: datetime) -> Told | None:
    """What a service says of its own count, None when it says nothing that can be read.

    A reset told as a time is taken by the service's own clock, where `Date` shows it.
    """
    remaining = _remaining(headers)
    wait = wait_asked(headers, now=_service_clock(headers, now))
    if remaining is None or wait is None:
        return None
    most = next((headers[name] for name in _LIMIT_HEADERS if _is_number(headers.get(name, ""))), "")
    return Told(
        remaining=remaining,
        reset_at=now + timedelta(seconds=wait),
        most=int(float(most)) if most else None,
    )


def _remaining(headers: Mapping[str, str]) -> int | None:
    for name in _REMAINING_HEADERS:
        if _is_number(headers.get(name, "")):
            return max(math.floor(float(headers[name])), 0)
    said = re.search(r"(?:\bremaining=|;\s*r=)\s*(\d{1,15})", headers.get("ratelimit", ""))
    return int(said[1]) if said else None


@dataclass(slots=True)
class _Paces:
    """When each host may be asked again by this client, by what its source knows of it."""

    _free_at: dict[str, datetime] = field(default_factory=dict)
    _seconds: dict[str, float] = field(default_factory=dict)  # between calls, by host

    def wait_for(self, host: str, *, now: datetime) -> float:
        """The seconds to wait before the next call to `host`, 0 when none."""
        return max((self._free_at.get(host, now) - now).total_seconds(), 0.0)

    def pace(self, host: str, seconds: float) -> None:
        """Leave `seconds` or more between two calls to `host` from now on."""
        self._seconds[host] = seconds

    def hold(self, host: str, *, until: datetime) -> None:
        """Leave `host` alone until then, or for longer where that is settled already."""
        self._free_at[host] = max(until, self._free_at.get(host, until))

    def called(self, host: str, *, now: datetime) -> None:
        """A call goes out or has ended: its pace counts from here."""
        if host in self._seconds:
            self.hold(host, until=now + timedelta(seconds=self._seconds[host]))


def _service_clock(headers: Mapping[str, str], now: datetime) -> datetime:
    """What time it is for the service, whose resets go by its own clock; `now` if it tells none."""
    try:
        found = parsedate_to_datetime(headers.get("date", ""))
        said = found if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, IndexError, OverflowError):
        return now
    return said if abs(said - now) <= _CLOCK_SKEW else now


def _inflated(parts: Iterable[bytes], coding: str, limit: int) -> Iterator[bytes]:
    """`parts` decompressed piece by piece, never more than `limit` + 1 bytes at a time."""
    if coding in {"", "identity"}:
        yield from parts
        return
    if coding not in {"gzip", "x-gzip", "deflate"}:
        raise SourceError(
            say("an answer is compressed as {coding!r}, which was not asked for", coding=coding)
        )
    machine, is_begun = _inflater(), False
    for part in parts:
        rest = part
        while rest:
            yield machine.decompress(rest, limit + 1)
            rest, is_begun = machine.unconsumed_tail, True
            if machine.eof:  # gzip may hold several members, one after the other
                rest, machine, is_begun = machine.unused_data, _inflater(), False
    if is_begun:
        yield machine.flush()
        if not machine.eof:
            raise zlib.error("cut short")


def _inflater() -> zlib._Decompress:
    return zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, by its first bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ask:
    """One request, as it is at one hop."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str]
    content: bytes | None = None
    max_bytes: int = MAX_BYTES

    @property
    def origin(self) -> tuple[str, str, int | None]:
        return self.url.scheme, self.url.host, self.url.port


class _Unsettled(Exception):
    """A try that failed and may be repeated: why, and the seconds asked to wait."""

    def __init__(
        self,
        error: SourceError,
        *,
        wait: float | None,
        is_repeatable: bool,
        is_unsent: bool = False,
    ) -> None:
        self.error = error
        self.wait = wait
        self.is_repeatable = is_repeatable
        self.is_unsent = is_unsent
        super().__init__(str(error))


class Client:
    """A client for one run; a context manager that closes its connections.

    `sleep` and `now` (aware UTC) are handed in by tests; `transport` replaces the network. Without
    a `budget` it keeps to what services say, by itself. Who is asked to wait for more than
    `wait_seconds` in one call gets `RateLimited`.
    """

    def __init__(
        self,
        *,
        contact: str = "",
        allow_private: tuple[str, ...] = (),
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        budget: Budget | None = None,
        max_bytes: int = MAX_BYTES,
        total_seconds: float = TOTAL_SECONDS,
        timeout: httpx.Timeout = _TIMEOUT,
        find: Resolve = resolve,
        wait_seconds: float = WAIT_LIMIT_SECONDS,
    ) -> None:
        self._guard = Guard.reading(allow_private)
        self._find = find
        self._deadline = _Deadline()
        self._transport = transport or _GuardedTransport(self._guard, find, self._deadline)
        self._agent = f"Vigie/0.1 ({_printable(contact) or 'no contact given'})"
        self._sleep = sleep
        self._now = now
        self._budget = budget or Budget(ledger=Ledger())
        self._paces = _Paces()
        self._max_bytes = max_bytes
        self._total_seconds = total_seconds
        self._timeout = timeout
        self._wait_seconds = wait_seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def under(self, budget: Budget) -> Self:
        """The same client, its connections shared, under another budget."""
        other = copy.copy(self)
        other._budget = budget
        return other

    @property
    def agent(self) -> str:
        """Who asks and whom to contact, as the header `User-Agent` says it."""
        return self._agent

    def now(self) -> datetime:
        """The time by this client's clock (aware UTC): what a service's waits are told against."""
        return self._now()

    def pace(self, url: str, *, seconds: float) -> None:
        """Leave `seconds` or more between two requests to the host of `url` from now on."""
        self._paces.pace(_readable(url, None).host, seconds)

    def hold(self, url: str, *, seconds: float) -> None:
        """Ask nothing of the host of `url` for `seconds`: what it said in the body of an answer.

        The next request sleeps for as long, or raises RateLimited where that is too long for a run.
        """
        until = self._now() + timedelta(seconds=seconds)
        self._paces.hold(_readable(url, None).host, until=until)

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of `host` that may be opened, for sockets that are not HTTP.

        Touches the resolver. AddressRefused when it leads to none that is public or allowed,
        SourceError when it cannot be resolved.
        """
        try:
            return _checked(self._guard, self._find, host, port)
        except httpcore.ConnectError as error:
            raise SourceError(say("{why}: check the address and the network", why=error)) from error

    def close(self) -> None:
        """Close every connection; a second call does nothing."""
        self._transport.close()

    def get(
        self,
        url: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
    ) -> Response:
        """The answer (2xx or 304) to GET; touches the network and may sleep.

        StatusRefused for any other status, RateLimited when the service asks for a long wait,
        AddressRefused for an address that is not public, SourceError for the rest.
        """
        return self._asked("GET", url, params, headers, None, max_bytes)

    def post_json(
        self,
        url: str,
        *,
        json: Any,
        headers: Mapping[str, str] | None = None,
        max_bytes: int | None = None,
    ) -> Response:
        """The answer (2xx) to a POST of `json`, or of no body at all when `json` is None.

        Errors as for `get`. Repeated only where it cannot have had an effect: status 429 or 503,
        no connection.
        """
        body = None if json is None else _encoded(json)
        typed = {} if body is None else {"content-type": "application/json"}
        typed |= _lower(headers)
        return self._asked("POST", url, None, typed, body, max_bytes)

    def post(self, url: str, *, content: bytes, headers: Mapping[str, str]) -> Response:
        """The answer (2xx) to a POST of exactly these bytes, as one signs them; as `post_json`."""
        return self._asked("POST", url, None, _lower(headers), content, None)

    def _asked(
        self,
        method: str,
        url: str,
        params: Params | None,
        headers: Mapping[str, str] | None,
        content: bytes | None,
        max_bytes: int | None,
    ) -> Response:
        ask = _Ask(
            method=method,
            url=_readable(url, params),
            headers=_lower(headers),
            content=content,
            max_bytes=max_bytes or self._max_bytes,
        )
        return self._repeated(ask)

    def _repeated(self, ask: _Ask) -> Response:
        """The answer after as many tries as it takes, at most `TRIES`."""
        waited = 0.0
        for attempt in range(1, TRIES + 1):
            try:
                return self._followed(ask)
            except _Unsettled as trouble:
                wait = self._pause(trouble, attempt, waited)
            log.info("http.retried host=%s try=%d wait_seconds=%.1f", ask.url.host, attempt, wait)
            self._sleep(wait)
            waited += wait
        raise AssertionError("the last try returns or raises")  # pragma: no cover

    def _pause(self, trouble: _Unsettled, attempt: int, waited: float) -> float:
        """How long to wait before the next try; raises when there shall be none."""
        jitter = 1 + random.random() / 2  # noqa: S311 - spreads calls, hides nothing
        asked = trouble.wait
        wait = 2.0 ** (attempt - 1) * jitter if asked is None else asked + jitter - 1
        if not trouble.is_repeatable:
            raise trouble.error
        if asked is not None and asked + waited > self._wait_seconds:
            raise self._limited(why_of(trouble.error), asked) from trouble.error
        if attempt < TRIES and (asked is not None or wait + waited <= self._wait_seconds):
            return wait
        if isinstance(trouble.error, StatusRefused) and trouble.error.status == 429:
            raise self._limited(why_of(trouble.error), wait) from trouble.error
        raise trouble.error

    def _limited(self, why: str, wait: float) -> RateLimited:
        retry_at = self._now() + timedelta(seconds=wait)
        return RateLimited(
            say(
                "{why}; it may be asked again at {at:%Y-%m-%d %H:%M:%SZ}",
                why=why,
                at=retry_at.astimezone(UTC),
            ),
            retry_at,
        )

    def _followed(self, ask: _Ask) -> Response:
        """The answer at the end of the redirects, each hop checked like the first."""
        for _ in range(REDIRECTS + 1):
            answer = self._once(ask)
            if answer.status not in _REDIRECTING:
                return answer
            ask = _next_hop(ask, answer.headers.get("location", ""))
        raise SourceError(
            say(
                "{url} is the end of more than {most} redirects: set the address that the page "
                "really has",
                url=shown(ask.url),
                most=REDIRECTS,
            )
        )

    def _once(self, ask: _Ask) -> Response:
        self._check(ask.url)
        host = ask.url.host
        self._keep_pace(host)
        held = self._held(_call(ask))
        self._paces.called(host, now=self._now())
        try:
            answer = self._received(ask)
        except BaseException as error:
            self._give_up(held, error)
            raise
        finally:
            self._paces.called(host, now=self._now())
        self._settle(held, answer)
        if answer.status < 300 or answer.status in _REDIRECTING or answer.status == 304:
            return answer
        raise self._judged(ask, answer)

    def _check(self, url: httpx.URL) -> None:
        """Refuse an address written in the URL; a name is checked when its socket is opened."""
        if url.scheme not in {"http", "https"} or not url.host:
            what = say("{url} is not an http or https address", url=shown(url))
            raise AddressRefused(what, say("correct it"))
        if url.userinfo:
            raise AddressRefused(
                say("{url} holds a user or a password", url=shown(url)),
                say(
                    "put the secret in an environment variable and name that variable in vigie.toml"
                ),
            )
        address = "127.0.0.1" if _bare(url.host) == "localhost" else _literal(url.host)
        if address and not self._guard.allows(url.host, address):
            raise _refused(url.host, address)

    def _keep_pace(self, host: str) -> None:
        wait = self._paces.wait_for(host, now=self._now())
        if wait > self._wait_seconds:
            raise self._limited(say("{host} asked to be left alone", host=host), wait)
        if wait > 0:
            log.info("http.waited host=%s wait_seconds=%.1f", host, wait)
            self._sleep(wait)

    def _held(self, call: Call) -> Held:
        """The call, held in the budget, after whatever wait that takes."""
        waited = 0.0
        while isinstance(found := self._budget.ask(call, now=self._now()), Refusal):
            wait = max((found.retry_at - self._now()).total_seconds(), 0.001)
            if waited + wait > self._wait_seconds:
                raise self._refused(found, wait)
            log.info("http.waited host=%s wait_seconds=%.1f", call.host, wait)
            self._sleep(wait)
            waited += wait
        return found

    def _refused(self, refusal: Refusal, wait: float) -> RateLimited:
        limited = self._limited(refusal.why, wait)
        return limited if refusal.is_told else BudgetSpent(why_of(limited), limited.retry_at)

    def _settle(self, held: Held, answer: Response) -> None:
        now = self._now()
        self._budget.answered(
            held,
            status=answer.status,
            found=_json_or_none(answer) if held.prices else None,
            told=told(answer.headers, now=now) or self._told_off(answer, now),
            now=now,
        )

    def _told_off(self, answer: Response, now: datetime) -> Told | None:
        """A refusal for too many calls as a count: none left, for every worker, until it says."""
        if answer.status != 429:
            return None
        wait = wait_asked(answer.headers, answer.content, now=_service_clock(answer.headers, now))
        return Told(remaining=0, reset_at=now + timedelta(seconds=wait)) if wait else None

    def _give_up(self, held: Held, error: BaseException) -> None:
        """Settle a call that brought no answer; one that was never sent costs nothing."""
        if isinstance(error, _Unsettled) and error.is_unsent:
            self._budget.unsent(held)
        else:
            self._budget.lost(held, now=self._now())

    def _received(self, ask: _Ask) -> Response:
        """One exchange with the network, read to its end within the limits of size and time."""
        self._deadline.at = time.monotonic() + self._total_seconds
        request = self._written(ask)
        try:
            with contextlib.closing(self._transport.handle_request(request)) as answer:
                content = self._read(ask, answer)
        except (httpx.TransportError, zlib.error) as error:
            raise _broken(ask, error) from error
        lowered = {name.lower(): value for name, value in answer.headers.items()}
        return Response(
            status=answer.status_code, url=str(ask.url), headers=lowered, content=content
        )

    def _written(self, ask: _Ask) -> httpx.Request:
        try:
            return httpx.Request(
                ask.method,
                ask.url,
                headers={"accept-encoding": "gzip", "user-agent": self._agent, **ask.headers},
                content=ask.content,
                extensions={"timeout": self._timeout.as_dict()},
            )
        except UnicodeEncodeError as error:
            raise _unsendable(ask) from error

    def _read(self, ask: _Ask, answer: httpx.Response) -> bytes:
        if answer.is_stream_consumed:  # a transport of a test, which hands over whole answers
            return self._within(ask, [answer.content])
        raw = answer.iter_raw()
        coding = answer.headers.get("content-encoding", "").strip().lower()
        return self._within(ask, _inflated(raw, coding, ask.max_bytes))

    def _within(self, ask: _Ask, parts: Iterable[bytes]) -> bytes:
        """The parts joined; SourceError as soon as they are too large or take too long."""
        body = bytearray()
        for part in parts:
            body += part
            if len(body) > ask.max_bytes:
                raise SourceError(
                    say(
                        "{url} answered with more than {most} bytes (decompressed): it is not "
                        "read; ask its owner for a smaller page",
                        url=shown(ask.url),
                        most=ask.max_bytes,
                    )
                )
            if time.monotonic() > self._deadline.at:
                raise httpx.ReadTimeout("not finished in time")
        return bytes(body)

    def _judged(self, ask: _Ask, answer: Response) -> Exception:
        """The error for an answer that is none; repeatable when it may go by itself."""
        error = StatusRefused(
            say(
                "{url} answered with status {status}: {remedy}",
                url=shown(ask.url),
                status=answer.status,
                remedy=_remedy(answer.status),
            ),
            status=answer.status,
            content=answer.content[:4096],
        )
        if answer.status not in _TRANSIENT:
            return error
        now = _service_clock(answer.headers, self._now())
        wait = wait_asked(answer.headers, answer.content, now=now)
        if answer.status != 429:  # a reset header on a fault of the server is not about the fault
            said = answer.headers.get("retry-after")
            wait = seconds_until(said, now=now) if said else None
        repeatable = ask.method == "GET" or answer.status in _SAFE_TO_REPEAT
        return _Unsettled(error, wait=wait, is_repeatable=repeatable)


def _printable(contact: str) -> str:
    return "".join(c for c in contact if c.isascii() and c.isprintable())


def _lower(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {name.lower(): value for name, value in (headers or {}).items()}


def _encoded(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _readable(url: str, params: Params | None) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
        return parsed.copy_merge_params(dict(params)) if params else parsed
    except (httpx.InvalidURL, TypeError) as error:
        what = say("an address cannot be read ({why})", why=error)
        raise AddressRefused(what, say("correct it")) from error


def _call(ask: _Ask) -> Call:
    """A request as the budget sees it."""
    url = ask.url
    host = f"{url.host}:{url.port}" if url.port else url.host
    return Call(method=ask.method, host=host, path=url.path, params=dict(url.params))


def _json_or_none(answer: Response) -> Any:
    try:
        return answer.json()
    except SourceError:
        return None


def _next_hop(ask: _Ask, location: str) -> _Ask:
    """The request that a redirect leads to; SourceError where it may not be followed."""
    if not location:
        raise SourceError(
            say("{url} redirects to nowhere: it is broken on that server", url=shown(ask.url))
        )
    try:
        url = ask.url.join(location).copy_with(fragment=None)
    except httpx.InvalidURL as error:
        raise SourceError(
            say("{url} redirects to no readable address", url=shown(ask.url))
        ) from error
    if ask.method != "GET":
        raise SourceError(
            say(
                "{url} redirects to {to}: set that address instead",
                url=shown(ask.url),
                to=shown(url),
            )
        )
    if ask.url.scheme == "https" and url.scheme == "http":
        what = say("{url} redirects from https to http ({to})", url=shown(ask.url), to=shown(url))
        raise AddressRefused(what, say("it is not followed"))
    hop = replace(ask, url=url)
    if hop.origin == ask.origin or _is_upgrade(ask.url, url):
        return hop
    return replace(hop, headers={n: v for n, v in ask.headers.items() if n in _ANONYMOUS})


def _is_upgrade(before: httpx.URL, after: httpx.URL) -> bool:
    """Whether only http became https, on the ports that the two have by default."""
    same = before.host == after.host and before.port is None and after.port is None
    return same and before.scheme == "http" and after.scheme == "https"


def _broken(ask: _Ask, error: Exception) -> Exception:
    """The error for an exchange that failed; repeatable where a second one may end better."""
    if isinstance(error, httpx.LocalProtocolError):
        return _unsendable(ask)
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return SourceError(
            say(
                "{url} has a certificate that cannot be verified: if its authority is your own, "
                "name its file in the environment variable SSL_CERT_FILE",
                url=shown(ask.url),
            )
        )
    is_unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
    told = {"url": shown(ask.url), "why": type(error).__name__}
    what = say("{url} could not be read ({why})", **told)
    if isinstance(error, httpx.TimeoutException):
        what = say("{url} took too long ({why})", **told)
    return _Unsettled(
        SourceError(
            say(
                "{what}: the next run tries again; check the address and the network if it lasts",
                what=what,
            )
        ),
        wait=None,
        is_repeatable=ask.method == "GET" or is_unsent,
        is_unsent=is_unsent,
    )


def _unsendable(ask: _Ask) -> SourceError:
    return SourceError(
        say(
            "{url} cannot be asked: a header holds characters that none may hold; check the "
            "secret of this source for accents, spaces and line ends",
            url=shown(ask.url),
        )
    )


def _remedy(status: int) -> Said:
    remedies = {
        401: say("set the token that it needs, or a new one"),
        403: say("it does not let us in; ask its owner, or take the source out of vigie.toml"),
        404: say("check the address"),
        410: say("it is gone for good; take the source out of vigie.toml"),
        429: say("it asks for fewer calls; raise every_minutes in vigie.toml"),
    }
    later, own = say("the next run tries again"), say("check the source's options")
    default = later if status >= 500 else own
    return remedies.get(status, default)
