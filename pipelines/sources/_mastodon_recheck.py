"""Looks Mastodon's statuses up again: as they are now, or gone.

Twenty a call where the server offers it (`GET /api/v1/statuses`, since Mastodon 4.3), one a call
elsewhere. What a call of twenty leaves out is asked for by itself before it is taken for gone, so
that a fault of a list deletes nothing. A status that the server fails on is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from pipelines.errors import SourceError, StatusRefused
from pipelines.sources import Held, Payload, Request, _values as values
from pipelines.sources._mastodon_server import Server, asked, server
from pipelines.sources._mastodon_timelines import is_private, item_id

_BATCH = 20  # the most that the server takes (DEFAULT_STATUSES_LIMIT, read 2026-11-26)
_NO_SUCH_CALL = frozenset({400, 404, 405, 406, 410, 422, 501})
_ID = r"[0-9A-Za-z]{1,64}"
# The authors of statuses that all went at once: as many strangers are more than chance.
_MANY_AUTHORS = 5
# Statuses that the server fails on before it is taken for broken: one that it can never show must
# not keep all others from being looked up.
_MOST_FAILED = 5


def rechecked(request: Request, held: Sequence[Held]) -> Iterator[Payload]:
    """Each status that this server can tell of, as it is now or gone, in that order. SourceError.

    What is there is handed over call by call, so that who is asked to wait keeps what came before.
    """
    home = server(request)
    wanted = {key: post.native_id for post in held if (key := _local_id(post, home))}
    missing: list[str] = []
    failed: list[StatusRefused] = []
    for key, status in _looked_up(home, list(wanted)):
        uri = wanted[key]
        if isinstance(status, StatusRefused):
            failed.append(status)
            if len(failed) in (_MOST_FAILED, len(wanted)):
                raise status
        elif status is None:
            missing.append(uri)
        elif values.mapping(status).get("uri") == uri:  # else another status has this id
            is_hidden = is_private(status, home.options)
            seen = Payload(kind="status", data=status, instance=home.domain)
            yield _gone(uri, request, home) if is_hidden else seen
    _check_server(home, wanted, missing)
    for uri in missing:
        yield _gone(uri, request, home)


def _check_server(home: Server, wanted: Mapping[str, str], gone: Sequence[str]) -> None:
    """Refuse to believe a server that knows nothing at all any more."""
    authors = {uri.rpartition("/statuses/")[0] for uri in gone}
    if len(gone) == len(wanted) and len(authors) >= _MANY_AUTHORS:
        raise SourceError(
            f"{home.options.host} knows none of {len(gone)} statuses any more: none is taken for "
            "deleted; check instance"
        )


def _local_id(post: Held, home: Server) -> str | None:
    """The id by which the server knows a status; None where nothing tells it.

    An id that another server gave is none: it would lead to another status here, or to nothing.
    """
    server_name, _, given = (post.lookup_id or "").rpartition(":")
    if server_name:
        is_ours = server_name == home.domain and re.fullmatch(_ID, given)
        return given if is_ours else None
    try:
        parts = urlsplit(post.native_id)
    except ValueError:
        return None
    is_here = parts.netloc.lower() in {urlsplit(home.options.instance).netloc, home.domain}
    found = re.search(rf"/statuses/({_ID})$", parts.path)
    return found[1] if is_here and found else None


def _looked_up(home: Server, keys: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Each key with its status, None where it is gone, the error where the server fails on it.

    Twenty a call where there is such a call.
    """
    is_offered = True
    for batch in (keys[at : at + _BATCH] for at in range(0, len(keys), _BATCH)):
        found = _listed(home, batch) if is_offered else None
        is_offered = found is not None
        for key in batch:
            status = (found or {}).get(key)
            yield key, _single(home, key) if status is None else status


def _listed(home: Server, keys: Sequence[str]) -> dict[str, Any] | None:
    """The statuses that one call gives, by their ids; None where there is no such call."""
    numbers = [key for key in keys if key.isdecimal()]
    if not numbers:
        return {}
    try:
        answer = asked(home, "statuses", {"id[]": numbers}).json()
    except StatusRefused as error:
        if error.status in _NO_SUCH_CALL:
            return None
        raise
    listed = answer if isinstance(answer, list) else ()
    return {key: status for status in listed if (key := item_id(status)) in numbers}


def _single(home: Server, key: str) -> Any:
    """One status by its id; None when it is gone, the error where the server itself fails."""
    try:
        return asked(home, f"statuses/{key}", {}).json()
    except StatusRefused as error:
        if error.status in {404, 410}:
            return None
        if error.status >= 500:
            return error
        raise


def _gone(uri: str, request: Request, home: Server) -> Payload:
    data = {"uri": uri, "checked_at": request.until.isoformat()}
    return Payload(kind="gone", data=data, instance=home.domain)
