"""One folder of a mailbox, read by IMAP (RFC 3501) and never changed: not even a flag.

The folder is opened with EXAMINE, so that nothing becomes read, moved or deleted. The socket goes
to an address that was checked like every other (private networks only where `vigie.toml` allows
them); TLS verifies the server's name. A literal larger than asked for is refused before it is
read into memory.
"""

from __future__ import annotations

import contextlib
import imaplib
import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from pipelines.errors import SourceError
from pipelines.http import Client

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HEADERS = "FROM AUTHENTICATION-RESULTS"
_HEADER_BYTES = 256 * 1024
_UID = re.compile(rb"\bUID (\d{1,10})")
_SIZE = re.compile(rb"RFC822\.SIZE (\d{1,12})")
_ARRIVED = re.compile(rb'INTERNALDATE "([^"]{10,40})"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where a mailbox is and who opens it; `secret` is a password, or a token for XOAUTH2."""

    host: str
    port: int
    security: Literal["tls", "starttls", "none"]
    user: str
    secret: str
    secret_env: str
    auth: Literal["password", "xoauth2"]
    timeout_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What is known of a mail before it is read: its number, size, arrival and some headers."""

    uid: int
    size: int
    arrived_at: datetime | None
    headers: bytes


class Box:
    """An open folder. `validity` is its UIDVALIDITY: while it stays, so do the numbers."""

    def __init__(self, server: imaplib.IMAP4, *, validity: int, count: int, place: str) -> None:
        self._server = server
        self._place = place
        self.validity = validity
        self.count = count

    def since(self, day: date) -> list[int]:
        """The numbers of the mails that arrived on that day or later, in order."""
        return self._search("SINCE", f"{day.day:02}-{_MONTHS[day.month - 1]}-{day.year}")

    def after(self, uid: int) -> list[int]:
        """The numbers above `uid`, in order: a server gives the last one in any case."""
        return [number for number in self._search("UID", f"{uid + 1}:*") if number > uid]

    def _search(self, *criteria: str) -> list[int]:
        answer = self._asked("SEARCH", *criteria)
        words = b" ".join(part for part in answer if isinstance(part, bytes)).split()
        return sorted({int(word) for word in words if word.isdigit() and len(word) <= 10})

    def heads(self, uids: Sequence[int]) -> list[Head]:
        """What is known of these mails, in order; those gone meanwhile are left out."""
        if not uids:
            return []
        wanted = f"(UID RFC822.SIZE INTERNALDATE BODY.PEEK[HEADER.FIELDS ({_HEADERS})])"
        answer = self._asked("FETCH", ",".join(map(str, uids)), wanted)
        found = (_head(said, literal) for said, literal in _fetched(answer))
        return sorted(filter(None, found), key=lambda head: head.uid)

    def mail(self, uid: int, *, max_bytes: int) -> bytes | None:
        """A whole mail as it came, None when it is gone."""
        self._limit(max_bytes + 1024)
        try:
            answer = self._asked("FETCH", str(uid), "(UID BODY.PEEK[])")
        finally:
            self._limit(_HEADER_BYTES)
        return next((literal for said, literal in _fetched(answer) if _uid(said) == uid), None)

    def _limit(self, size: int) -> None:
        if isinstance(self._server, _Measured):
            self._server.largest_literal = size

    def _asked(self, *words: str) -> list[Any]:
        with _told(self._place):
            status, answer = self._server.uid(*words)
            if status != "OK":
                raise imaplib.IMAP4.error(f"{words[0]} was answered with {status}")
            return list(answer)


@contextlib.contextmanager
def opened(account: Account, folder: str, client: Client) -> Iterator[Box]:
    """The folder of a mailbox, open for reading only; touches the network.

    SourceError with the remedy for a server that cannot be reached, refuses the login, or has no
    such folder; AddressRefused for an address that is not public.
    """
    place = f"{account.host}:{account.port}"
    with _told(place):
        server = _connected(account, client)
    try:
        with _told(place):
            _log_in(server, account)
        yield _examined(server, folder, place)
    finally:
        with contextlib.suppress(imaplib.IMAP4.error, OSError):
            server.logout()
        with contextlib.suppress(OSError):
            server.shutdown()  # what logout leaves open when the server has broken off


class _Measured(imaplib.IMAP4):
    """A connection to one checked address, whose literals have a limit."""

    largest_literal = _HEADER_BYTES

    def __init__(self, account: Account, address: str) -> None:
        self._account = account
        self._address = address
        super().__init__(account.host, account.port, timeout=account.timeout_seconds)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        sock = socket.create_connection((self._address, self._account.port), timeout)
        if self._account.security != "tls":
            return sock
        context = ssl.create_default_context()
        return context.wrap_socket(sock, server_hostname=self._account.host)

    def read(self, size: int) -> bytes:
        """A literal of a size that the server names; refused when it is larger than asked for."""
        if size > self.largest_literal:
            raise self.abort(f"the server sends {size} bytes at once, more than was asked for")
        return super().read(size)


def _connected(account: Account, client: Client) -> imaplib.IMAP4:
    failure: OSError | None = None
    for address in client.addresses(account.host, account.port):
        try:
            server = _Measured(account, address)
        except (ssl.SSLCertVerificationError, imaplib.IMAP4.error):
            raise
        except OSError as error:
            failure = error
            continue
        if account.security == "starttls":
            server.starttls(ssl.create_default_context())
        return server
    raise failure or OSError("no address")


def _log_in(server: imaplib.IMAP4, account: Account) -> None:
    try:
        if account.auth == "xoauth2":
            token = f"user={account.user}\x01auth=Bearer {account.secret}\x01\x01"
            server.authenticate("XOAUTH2", lambda _: token.encode())
        else:
            server.login(account.user, account.secret)
    except imaplib.IMAP4.abort:
        raise
    except (imaplib.IMAP4.error, UnicodeEncodeError) as error:
        raise SourceError(
            f"{account.host} refuses the login of {account.user!r}: check user and the variable "
            f"{account.secret_env}; a password of the application, or a new token, may be needed"
        ) from error


def _examined(server: imaplib.IMAP4, folder: str, place: str) -> Box:
    with _told(place):
        status, answer = server.select(_quoted(folder), readonly=True)
        told = server.response("UIDVALIDITY")[1]
    if status != "OK":
        raise SourceError(
            f"{place} has no folder {folder!r} that this account may read: correct folder in "
            "vigie.toml; servers name subfolders INBOX.name or INBOX/name"
        )
    validity = next((int(v) for v in told if isinstance(v, bytes) and v.isdigit()), 0)
    count = next((int(v) for v in answer if isinstance(v, bytes) and v.isdigit()), 0)
    return Box(server, validity=validity, count=count, place=place)


def _quoted(folder: str) -> str:
    """A folder's name as IMAP wants it: quoted, other letters than ASCII in its own UTF-7."""
    coded = "".join(_utf7(part) for part in re.findall(r"[\x20-\x7e]+|[^\x20-\x7e]+", folder))
    return '"' + coded.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _utf7(part: str) -> str:
    """RFC 3501, 5.1.3: `&` starts a run of modified base64, and stands for itself as `&-`."""
    if part.isascii() and part.isprintable():
        return part.replace("&", "&-")
    coded = part.encode("utf-7").decode("ascii")  # +…- with / for what IMAP writes as a comma
    return coded.replace("+", "&", 1).replace("/", ",") + ("" if coded.endswith("-") else "-")


@contextlib.contextmanager
def _told(place: str) -> Iterator[None]:
    """What imaplib and sockets throw, as an error that says what to do."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise SourceError(
            f"{place} has a certificate that cannot be verified: if its authority is your own, "
            "name its file in the environment variable SSL_CERT_FILE"
        ) from error
    except (imaplib.IMAP4.error, OSError, ValueError) as error:
        raise SourceError(
            f"{place} broke off or did not answer as IMAP does ({type(error).__name__}): the next "
            "run tries again; check host, port and security if it lasts"
        ) from error


def _fetched(answer: list[Any]) -> Iterator[tuple[bytes, bytes]]:
    """Each mail of an answer to FETCH: what is said of it, before and after its literal."""
    for place, part in enumerate(answer):
        if isinstance(part, tuple) and len(part) == 2:
            after = answer[place + 1] if place + 1 < len(answer) else b""
            tail = after if isinstance(after, bytes) else b""
            yield bytes(part[0]) + b" " + tail, bytes(part[1])


def _head(said: bytes, headers: bytes) -> Head | None:
    uid, size = _uid(said), _SIZE.search(said)
    if uid is None or size is None:
        return None
    return Head(uid=uid, size=int(size[1]), arrived_at=_arrived(said), headers=headers)


def _uid(said: bytes) -> int | None:
    found = _UID.search(said)
    return int(found[1]) if found else None


def _arrived(said: bytes) -> datetime | None:
    found = _ARRIVED.search(said)
    try:
        # "20-Nov-2026 08:12:04 +0100": with spaces for the dashes it is a date as mails have it.
        at = parsedate_to_datetime(found[1].decode("ascii").replace("-", " ", 2)) if found else None
    except (ValueError, TypeError, UnicodeDecodeError):
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC) if at else None
