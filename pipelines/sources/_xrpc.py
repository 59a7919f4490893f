"""Calls methods of an AT Protocol host (XRPC over HTTPS), with a session or without one.

A session is made once from a handle and an app password, kept in a file that only its owner may
read, and renewed with its refresh token: a host allows 30 sign-ins in 5 minutes and some hundreds
a day for one account, while a renewed session lasts as long as it is used. Each error a host
names comes back as a `SourceError` with what to do about it; the password and the tokens stand in
no message.

Known gap: two processes may renew one session at the same moment; both get tokens that work, and
the last one written is kept.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import SourceError, StatusRefused
from pipelines.http import Client

log = logging.getLogger(__name__)

Params = Mapping[str, str | int | Sequence[str]]
Ask = Callable[[str, Params], dict[str, Any]]  # method and parameters to the answer
_STALE = frozenset({"ExpiredToken", "InvalidToken"})


class XrpcError(SourceError):
    """A host refused a call: its status, and `name`, the word by which it calls the error."""

    def __init__(self, message: str, *, status: int, name: str) -> None:
        self.status = status
        self.name = name
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whose session it is: host, handle, app password, the variable that holds it, the file."""

    host: str
    handle: str
    password: str
    password_env: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Session:
    did: str
    access: str
    refresh: str


def without_session(client: Client, host: str) -> Ask:
    """Calls to `host` that carry no session."""

    def ask(method: str, params: Params) -> dict[str, Any]:
        return _got(client, host, method, params, token=None)

    return ask


def with_session(client: Client, account: Account) -> Ask:
    """Calls that carry the session of `account`, read from its file, renewed or made anew.

    Nothing is asked before the first call. A session that the host calls stale is renewed once.
    """
    kept: list[_Session] = []

    def ask(method: str, params: Params) -> dict[str, Any]:
        if not kept:
            kept.append(_read(account) or _made(client, account))
        try:
            return _got(client, account.host, method, params, token=kept[0].access)
        except XrpcError as error:
            if error.name not in _STALE:
                raise
        kept[0] = _renewed(client, account, kept[0])
        return _got(client, account.host, method, params, token=kept[0].access)

    return ask


def session_path(home: Path, *, host: str, handle: str) -> Path:
    """The file of the session of one handle at one host."""
    name = hashlib.sha256(f"{host}\x1f{handle}".encode()).hexdigest()[:16]
    return home / "keys" / f"bluesky-{name}.json"


def _got(
    client: Client, host: str, method: str, params: Params, *, token: str | None
) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    try:
        found = client.get(_url(host, method), params=params, headers=headers).json()
    except StatusRefused as refused:
        raise explained(refused, host=host, method=method) from refused
    return _as_object(found, host, method)


def _url(host: str, method: str) -> str:
    return f"{host.rstrip('/')}/xrpc/{method}"


def _as_object(found: Any, host: str, method: str) -> dict[str, Any]:
    if isinstance(found, dict):
        return found
    raise SourceError(
        f"{host} answered {method} with {type(found).__name__}, not with an object: "
        "check that `host` is a Bluesky server"
    )


def _made(client: Client, account: Account) -> _Session:
    """A new session from the app password."""
    method = "com.atproto.server.createSession"
    identity = {"identifier": account.handle, "password": account.password}
    try:
        found = client.post_json(_url(account.host, method), json=identity).json()
    except StatusRefused as refused:
        raise explained(refused, host=account.host, method=method, account=account) from refused
    log.info("bluesky.signed_in host=%s", account.host)
    return _kept(account, _as_object(found, account.host, method))


def _renewed(client: Client, account: Account, session: _Session) -> _Session:
    """The session with fresh tokens; a new session when the refresh token is too old as well."""
    method = "com.atproto.server.refreshSession"
    headers = {"authorization": f"Bearer {session.refresh}"}
    try:
        # The lexicon gives this method no input, and hosts refuse a body for it.
        found = client.post_json(_url(account.host, method), json=None, headers=headers).json()
    except StatusRefused as refused:
        if refused.status not in {400, 401}:
            raise explained(refused, host=account.host, method=method) from refused
        return _made(client, account)
    log.info("bluesky.session_renewed host=%s", account.host)
    return _kept(account, _as_object(found, account.host, method))


def _kept(account: Account, found: Mapping[str, Any]) -> _Session:
    session = _session(found.get("did"), found.get("accessJwt"), found.get("refreshJwt"))
    if session is None:
        raise SourceError(
            f"{account.host} made a session without tokens: check that `host` is a Bluesky server"
        )
    _write(account.path, session)
    return session


def _session(did: Any, access: Any, refresh: Any) -> _Session | None:
    if all(isinstance(value, str) and value for value in (did, access, refresh)):
        return _Session(did=did, access=access, refresh=refresh)
    return None


def _read(account: Account) -> _Session | None:
    """The session in the file; None when there is none, or none that can be read."""
    try:
        found = json.loads(account.path.read_text())
        return _session(found["did"], found["access"], found["refresh"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, session: _Session) -> None:
    """Write the session aside with mode 0600 and rename it, so that no reader sees half of it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        json.dump(asdict(session), out)
    aside.replace(path)


def explained(
    refused: StatusRefused, *, host: str, method: str, account: Account | None = None
) -> XrpcError:
    """A refusal as what the host calls it and what the operator can do about it."""
    name, said = _named(refused)
    remedy = _remedy(refused.status, name, account)
    what = f"{name}: {said}" if said else name
    return XrpcError(
        f"{host} refused {method} with status {refused.status} ({what}): {remedy}",
        status=refused.status,
        name=name,
    )


def _named(refused: StatusRefused) -> tuple[str, str]:
    """The name and the message of an XRPC error, printable and short; a page has neither."""
    try:
        found = json.loads(refused.content)
        name, said = str(found["error"]), str(found.get("message", ""))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return "no error of the protocol", ""
    return _printable(name, 60), _printable(said, 160)


def _printable(words: str, limit: int) -> str:
    return "".join(c for c in words if c.isprintable())[:limit]


def _remedy(status: int, name: str, account: Account | None) -> str:
    variable = account.password_env if account else "the variable of password_env"
    remedies = {
        "AuthMissing": (
            "this host searches only for an account: set handle and password_env in the source's "
            "options"
        ),
        "AuthenticationRequired": (
            f"make a new app password in the settings of the account and put it in {variable}"
        ),
        "AuthFactorTokenRequired": (
            "the account's own password needs a second factor: make an app password in the "
            f"settings of the account and put it in {variable}"
        ),
        "AccountTakedown": "the account is suspended: use another, or write to the host",
        "AccountDeactivated": "the account is switched off: switch it on, or use another",
    }
    if name in remedies:
        return remedies[name]
    if status == 403:
        return (
            "it does not let this caller in (public.api.bsky.app refuses every search): set host "
            'to "https://bsky.social" with handle and password_env'
        )
    if status in {404, 501}:
        return f"it does not offer this method: check that `host` is right ({name})"
    return "the next run tries again" if status >= 500 else "check the source's options"
