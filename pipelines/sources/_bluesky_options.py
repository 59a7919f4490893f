"""What `vigie.toml` may say of a Bluesky source."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

HostUrl = Annotated[str, Field(pattern=r"^https?://[^\s/?#@]+/?$")]
StreamUrl = Annotated[str, Field(pattern=r"^wss?://[^\s/?#@]+(/[^\s#]*)?$")]
_STREAM = "/xrpc/network.bsky.jetstream.subscribeEvents"
_OF_A_PERSON = re.compile(r"(?:^|\s)-?(?:from|author|did):", re.IGNORECASE)


class Options(BaseModel):
    """How to read Bluesky. `password_env` names the variable that holds an app password."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["search", "jetstream", "both"] = "search"
    host: HostUrl = "https://bsky.social"
    handle: str = ""
    password_env: str | None = None
    anonymous: bool = False
    queries: tuple[str, ...] = ()
    langs: tuple[str, ...] = ()
    max_pages: Annotated[int, Field(ge=1, le=1000)] = 50
    overlap_minutes: Annotated[int, Field(ge=0, le=1440)] = 10
    appview: HostUrl | Literal[""] = "https://public.api.bsky.app"
    jetstream_urls: Annotated[tuple[StreamUrl, ...], Field(min_length=1)] = (
        f"wss://jetstream.us-east.bsky.network{_STREAM}",
        f"wss://jetstream.us-west.bsky.network{_STREAM}",
    )
    read_seconds: Annotated[float, Field(gt=0, le=3600)] = 120.0
    idle_seconds: Annotated[float, Field(gt=0, le=300)] = 10.0

    @property
    def site(self) -> str:
        """The server that a block in this mode cannot do without: the stream's, or the host."""
        if self.mode != "jetstream":
            return self.host
        stream = urlsplit(self.jetstream_urls[0])
        return f"{stream.scheme.replace('ws', 'http', 1)}://{stream.netloc}"

    @field_validator("handle")
    @classmethod
    def _without_at(cls, handle: str) -> str:
        return handle.strip().removeprefix("@").lower()

    @field_validator("host")
    @classmethod
    def _in_secret(cls, host: str) -> str:
        is_here = urlsplit(host).hostname in {"localhost", "127.0.0.1", "::1"}
        if host.startswith("http://") and not is_here:
            raise ValueError(f"{host} would carry the app password in clear: write https://")
        return host

    @field_validator("queries")
    @classmethod
    def _of_no_person(cls, queries: tuple[str, ...]) -> tuple[str, ...]:
        for query in queries:
            if _OF_A_PERSON.search(query):
                raise ValueError(
                    f"the query {query!r} follows an account: Vigie watches subjects, not people "
                    "(GDPR art. 9, CJEU C-184/20); search for a name, a hashtag or a handle"
                )
            if not query.strip():
                raise ValueError("a query is empty: write words, or take it out")
        return queries

    @model_validator(mode="after")
    def _can_search(self) -> Options:
        if self.mode == "jetstream" or self.anonymous:
            return self
        if not self.handle or not self.password_env:
            raise ValueError(
                f"mode {self.mode!r} needs an account: set handle, and password_env to the name "
                'of the variable that holds an app password; or set mode = "jetstream", which '
                "needs none"
            )
        return self
