"""The Mastodon server that is asked: how, as whom, and what it says of itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines import http
from pipelines.errors import SourceError, StatusRefused
from pipelines.sources import Request, _values as values
from pipelines.sources._mastodon_options import Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The server that is asked: how, as whom, and under which domain its accounts are known.

    `access` tells who may read which timelines (`hashtag_feeds`, `live_feeds`), side by side.
    """

    client: http.Client
    options: Options
    headers: Mapping[str, str]
    domain: str
    stream_url: str
    access: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def server(request: Request) -> Server:
    """The server of a request, asked what it says of itself; touches the network. SourceError."""
    options: Options = request.options
    headers = _credentials(request)
    instance = _instance(request.client, options, headers)
    configuration = values.mapping(instance.get("configuration"))
    access = values.mapping(configuration.get("timelines_access"))
    return Server(
        client=request.client,
        options=options,
        headers=headers,
        domain=_domain(instance, options),
        stream_url=_stream_url(values.mapping(configuration.get("urls")), options),
        access={feed: _sides(sides) for feed, sides in access.items()},
    )


def _sides(sides: Any) -> dict[str, str]:
    return {side: str(access) for side, access in values.mapping(sides).items()}


def _credentials(request: Request) -> dict[str, str]:
    name = request.options.token_env
    if name is None:
        return {}
    token = request.secrets.get(name, "").strip()
    if not token:
        raise SourceError(
            f"{request.name} names the variable {name}, which is not set: put the token of the "
            "application in it, or take token_env out of vigie.toml"
        )
    return {"authorization": f"Bearer {token}"}


def _instance(client: http.Client, options: Options, headers: Mapping[str, str]) -> dict[str, Any]:
    """What the server says of itself; empty for one too old to have /api/v2/instance."""
    try:
        found = client.get(f"{options.instance}/api/v2/instance", headers=headers).json()
    except StatusRefused as error:
        if error.status in {404, 410}:
            return {}
        raise _explained(error, options) from error
    return values.mapping(found)


def _explained(error: StatusRefused, options: Options) -> StatusRefused:
    """The same error, with what to do about it where the server wants to know who asks."""
    if error.status not in {401, 403, 422}:
        return error
    remedy = (
        f"check the token in {options.token_env}: it needs read:statuses, and read:notifications "
        "for mentions"
        if options.token_env
        else "this server wants to know who asks: create an application there and name the "
        "variable that holds its token in token_env"
    )
    return StatusRefused(
        f"{options.instance} answered with status {error.status}: {remedy}",
        status=error.status,
        content=error.content,
    )


def _domain(instance: Mapping[str, Any], options: Options) -> str:
    """The domain of the server's accounts, which may differ from the host that answers."""
    told = values.string(instance.get("domain"))
    is_one = told is not None and re.fullmatch(r"[\w.-]+(:\d+)?", told)
    return told.lower() if told and is_one else options.host


def _stream_url(urls: Mapping[str, Any], options: Options) -> str:
    """Where the server streams: the address that it tells, its own otherwise; never in clear.

    The token goes there, so that an address without TLS is taken only from a server without TLS.
    """
    own = options.instance.replace("http", "ws", 1)
    told = values.string(urls.get("streaming")) or ""
    is_address = re.fullmatch(r"wss?://[^\s/@?#]+(/[^\s?#]*)?", told)
    is_safe = told.startswith("wss://") or own.startswith("ws://")
    return (told if is_address and is_safe else own).rstrip("/") + "/api/v1/streaming"


def asked(server: Server, path: str, params: http.Params) -> http.Response:
    """The answer of the server's interface to a GET of `path`; SourceError with a remedy."""
    url = f"{server.options.instance}/api/v1/{path}"
    try:
        return server.client.get(url, params=params, headers=server.headers)
    except StatusRefused as error:
        raise _explained(error, server.options) from error
