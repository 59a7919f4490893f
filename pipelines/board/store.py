"""What the board remembers, in `board.sqlite`: accounts, sessions, failed log-ins, accesses.

SQLite in WAL mode with short transactions; every process of the home shares it, and a restart
forgets nothing. It holds no text of anybody and no session that could be used: of a session's
token, and of a name that failed to log in, only a hash is kept. Times are UTC, in seconds.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from pipelines.board.access import ROLES, Role
from pipelines.errors import VigieError
from pipelines.wording import plain

FILE = "board.sqlite"
WINDOW = timedelta(minutes=15)
# Failed log-ins in WINDOW before the next is refused unheard: by account, and by address, behind
# which a whole town hall may stand. One that is being heard counts until it has succeeded.
MOST_OF_ACCOUNT, MOST_OF_ADDRESS = 10, 50
KEPT = timedelta(days=365)  # accesses (CNIL, 2021 recommendation on logs: six months to a year)
_WAIT_SECONDS = 10.0
_NAME = 120
_TABLES = """
create table if not exists account (
    name text primary key, role text not null, hash text not null, made_at real not null
);
create table if not exists session (
    token text primary key, name text not null, role text not null, is_local integer not null,
    began_at real not null, seen_at real not null, ends_at real not null, id_token text
);
create table if not exists failure (who text not null, failed_at real not null);
create index if not exists failure_who on failure (who, failed_at);
create table if not exists access (
    at real not null, name text not null, role text not null, page text not null,
    about text not null, status integer not null, shown integer not null
);
create index if not exists access_at on access (at);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A local account: who it is, what they are here, and the hash of the password."""

    name: str
    role: Role
    hash: str
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Somebody logged in. `id_token` is what the provider gave, to log out there as well."""

    token: str
    name: str
    role: Role
    is_local: bool
    began_at: datetime
    id_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """That somebody opened or did something: which page, about what, how many messages shown.

    `number` is its place in the log, 0 before it stands there.
    """

    number: int = 0
    at: datetime
    name: str
    role: str
    page: str
    about: str
    status: int
    shown: int


@contextmanager
def opened(home: Path) -> Iterator[sqlite3.Connection]:
    """A connection for one transaction; the file is its owner's alone."""
    path = home / FILE
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    connection = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)
    try:
        connection.execute("pragma journal_mode = wal")
        connection.executescript(_TABLES)
        connection.execute("begin immediate")
        yield connection
        connection.execute("commit")
    finally:
        connection.close()  # without a commit: rolled back


# --- accounts


def put_account(
    home: Path, name: str, role: str, hashed: str, *, at: datetime, is_new: bool = True
) -> None:
    """Write an account; VigieError for an unknown role, or a name that is taken or of no use.

    Its sessions end: a new password or role holds at once.
    """
    check(name, role)
    with opened(home) as connection:
        if is_new and _account(connection, name):
            raise VigieError(f"{name} has an account: `vigie board set-password` changes it")
        connection.execute("delete from session where name = ? and is_local", [name])
        connection.execute(
            "insert or replace into account values (?, ?, ?, ?)",
            [name, role, hashed, at.timestamp()],
        )


def check(name: str, role: str) -> None:
    """VigieError for an unknown role, or a name that is of no use."""
    told = plain(name)
    if role not in ROLES:
        raise VigieError(f"there is no role {plain(role)[:40]!r}: choose one of {', '.join(ROLES)}")
    if not told or told != name or len(told) > _NAME:
        raise VigieError(f"an account's name is one line of {_NAME} characters at most: mend it")


def drop_account(home: Path, name: str) -> None:
    """Remove an account and end its sessions; VigieError where there is none."""
    with opened(home) as connection:
        if not _account(connection, name):
            raise VigieError(
                f"no account is called {plain(name)!r}: `vigie board users` lists them"
            )
        connection.execute("delete from session where name = ? and is_local", [name])
        connection.execute("delete from account where name = ?", [name])


def account(home: Path, name: str) -> Account | None:
    """The account of that name."""
    with opened(home) as connection:
        return _account(connection, name)


def accounts(home: Path) -> list[Account]:
    """Every account, by name."""
    with opened(home) as connection:
        rows = connection.execute("select name, role, hash, made_at from account order by name")
        return [_as_account(row) for row in rows]


def _account(connection: sqlite3.Connection, name: str) -> Account | None:
    row = connection.execute(
        "select name, role, hash, made_at from account where name = ?", [name]
    ).fetchone()
    return _as_account(row) if row else None


def _as_account(row: Any) -> Account:
    name, role, hashed, made_at = row
    return Account(name=name, role=cast("Role", role), hash=hashed, made_at=_utc(made_at))


# --- sessions


def begin(
    home: Path,
    *,
    name: str,
    role: Role,
    is_local: bool,
    at: datetime,
    ends_at: datetime,
    id_token: str | None = None,
) -> str:
    """Log somebody in; the token of the session, which is kept nowhere here."""
    token = secrets.token_urlsafe(32)
    now = at.timestamp()
    with opened(home) as connection:
        connection.execute("delete from session where ends_at <= ?", [now])
        connection.execute(
            "insert into session values (?, ?, ?, ?, ?, ?, ?, ?)",
            [_hash(token), name, role, is_local, now, now, ends_at.timestamp(), id_token],
        )
    return token


def session(home: Path, token: str, *, at: datetime, idle: timedelta) -> Session | None:
    """The session of a token, seen at `at`; None once it has ended or lain idle too long."""
    now = at.timestamp()
    with opened(home) as connection:
        row = connection.execute(
            "select name, role, is_local, began_at, id_token from session"
            " where token = ? and ends_at > ? and seen_at > ?",
            [_hash(token), now, now - idle.total_seconds()],
        ).fetchone()
        if row is None:
            return None
        connection.execute("update session set seen_at = ? where token = ?", [now, _hash(token)])
    name, role, is_local, began_at, id_token = row
    return Session(
        token=token,
        name=name,
        role=cast("Role", role),
        is_local=bool(is_local),
        began_at=_utc(began_at),
        id_token=id_token,
    )


def end(home: Path, token: str) -> None:
    """End a session; nothing where it has ended."""
    with opened(home) as connection:
        connection.execute("delete from session where token = ?", [_hash(token)])


# --- failed log-ins


def may_try(home: Path, *, name: str, address: str, at: datetime) -> bool:
    """Count a log-in as failed before it is heard; False where too many have failed lately.

    Counted after, many at once would all be heard, since none of them has failed yet.
    """
    now, since = at.timestamp(), (at - WINDOW).timestamp()
    limits = ((_who("name", name), MOST_OF_ACCOUNT), (_who("from", address), MOST_OF_ADDRESS))
    with opened(home) as connection:
        connection.execute("delete from failure where failed_at <= ?", [since])
        if any(_failures(connection, who) >= most for who, most in limits):
            return False
        connection.executemany("insert into failure values (?, ?)", [(w, now) for w, _ in limits])
    return True


def note_success(home: Path, *, name: str, address: str, at: datetime) -> None:
    """Begin counting a name anew, and take the log-in counted at `at` from its address."""
    with opened(home) as connection:
        connection.execute("delete from failure where failed_at <= ?", [(at - WINDOW).timestamp()])
        connection.execute("delete from failure where who = ?", [_who("name", name)])
        connection.execute(
            "delete from failure where rowid in"
            " (select rowid from failure where who = ? and failed_at = ? limit 1)",
            [_who("from", address), at.timestamp()],
        )


def _failures(connection: sqlite3.Connection, who: str) -> int:
    found = connection.execute("select count(*) from failure where who = ?", [who])
    return int(found.fetchone()[0])


def _who(kind: str, value: str) -> str:
    """What stands for a name or an address: people write a password where the name goes."""
    return f"{kind}:{_hash(value)}"


# --- accesses


def note_access(home: Path, access: Access) -> None:
    """Keep that something was opened or done; what is older than a year goes."""
    now = access.at.timestamp()
    with opened(home) as connection:
        connection.execute("delete from access where at <= ?", [(access.at - KEPT).timestamp()])
        connection.execute(
            "insert into access values (?, ?, ?, ?, ?, ?, ?)",
            [now, access.name, access.role, access.page, access.about, access.status, access.shown],
        )


def accesses(home: Path, *, limit: int, before: int | None = None) -> list[Access]:
    """What was opened and done, the last first; with `before` what stands before that number.

    By number, since two accesses may be of one moment and a page of the list would lose one.
    """
    with opened(home) as connection:
        rows = connection.execute(
            "select at, rowid, name, role, page, about, status, shown from access"
            " where rowid < coalesce(?, 1 << 62) order by rowid desc limit ?",
            [before, limit],
        ).fetchall()
    keys = ("number", "name", "role", "page", "about", "status", "shown")
    return [Access(at=_utc(at), **dict(zip(keys, rest, strict=True))) for at, *rest in rows]


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
