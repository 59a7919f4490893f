"""What `vigie.toml` may say of a Mastodon source."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Options(BaseModel):
    """The options of a `[[sources]]` block of kind `mastodon`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instance: str
    tags: tuple[str, ...] = ()
    public: Literal["", "local", "remote", "all"] = ""
    mentions: bool = False
    account: str | None = None
    token_env: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")] | None = None
    include_unlisted: bool = False
    max_pages: Annotated[int, Field(ge=1, le=500)] = 50
    late_minutes: Annotated[int, Field(ge=0, le=1440)] = 30

    @field_validator("instance")
    @classmethod
    def _is_a_server(cls, value: str) -> str:
        url = value.strip().rstrip("/")
        url = url if "://" in url else f"https://{url}"
        if not re.fullmatch(r"https?://[^\s/@?#]+", url):
            raise ValueError(f"{value!r} is not a server: write https://social.example")
        return url.lower()

    @field_validator("tags")
    @classmethod
    def _are_tags(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tags_of(value)

    @property
    def host(self) -> str:
        """The host of the server, for accounts that it names without one."""
        return urlsplit(self.instance).hostname or self.instance

    @property
    def allowed(self) -> frozenset[str]:
        """The visibilities that may be kept."""
        return frozenset({"public", "unlisted"} if self.include_unlisted else {"public"})


def tags_of(names: tuple[str, ...]) -> tuple[str, ...]:
    """Hashtags without `#`, each once whatever its capitals."""
    bare = (name.strip().lstrip("#") for name in names)
    return tuple({name.casefold(): name for name in bare if name}.values())
