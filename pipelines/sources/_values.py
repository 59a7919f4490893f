"""Reads single values of JSON and HTML: what strangers wrote is checked before it is used.

Pure. A value of the wrong type, too large or out of any calendar is unknown (`None`), never an
error: one odd field must not cost the post that it stands in.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from selectolax.lexbor import LexborHTMLParser

from pipelines.plaintext import TAG_LIMIT

COUNT_LIMIT = 2**53  # larger counts are not counts: JavaScript could not have written them
_EPOCH_LIMIT = 253_402_300_800  # the year 10000 in seconds
_LINK_LIMIT = 50


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is an object, an empty one otherwise."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """The value if it is a list, an empty one otherwise."""
    return value if isinstance(value, list) else []


def string(value: Any) -> str | None:
    """The text, trimmed, None for an empty one and for what is no text."""
    return value.strip() or None if isinstance(value, str) else None


def count(value: Any) -> int | None:
    """A count from 0 on; None for what cannot be one."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and 0 <= value < COUNT_LIMIT else None


def counted(value: Any) -> int | None:
    """A count that may be written as text ("1234", as Google does); None for what is none."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,16}", value.strip()):
        return count(int(value))
    return count(value)


def number(value: Any) -> float | None:
    """A finite number; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < COUNT_LIMIT else None


def identifier(value: Any) -> str | None:
    """An id as text, whether it came as text or as a whole number from 1 on; None for no id."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if 0 < value < COUNT_LIMIT else None
    return string(value)


def row_id(value: Any) -> int | None:
    """The number of a row, from 1 on, also where it is written as text; None for what is none."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
        value = int(value)
    return count(value) or None


def time(value: Any) -> datetime | None:
    """An ISO 8601 time as aware UTC; None for what is none."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        at = datetime.fromisoformat(value.strip())
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def epoch(value: Any) -> datetime | None:
    """Seconds since 1970 as aware UTC; None for what is none."""
    seconds = number(value)
    if seconds is None or not 0 <= seconds < _EPOCH_LIMIT:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def milliseconds(value: Any) -> datetime | None:
    """Milliseconds since 1970 as aware UTC; None for what is none, and for 0, which means never."""
    told = number(value)
    return epoch(told / 1000) if told else None


def web_address(value: Any) -> str | None:
    """The address if it is of the web; None for other schemes (`javascript:`)."""
    found = string(value)
    return found if found and re.match(r"https?://", found, re.IGNORECASE) else None


def host(url: str | None) -> str | None:
    """The host of an address in lower case, without `www.`; None where there is none."""
    try:
        found = urlsplit(url or "").hostname
    except ValueError:
        return None
    return found.removeprefix("www.") if found else None


def digest(value: str, *, size: int = 8) -> str:
    """A short hash of a text (BLAKE2b): 2 × `size` hex digits."""
    return hashlib.blake2b(value.encode("utf-8", "replace"), digest_size=size).hexdigest()


def site(value: str) -> str:
    """The address of a site as options write it: whole, in one form; ValueError for what is none.

    A site may lie under a path; it has no query, no user and no fragment.
    """
    url = value.strip().rstrip("/")
    url = url if "://" in url else f"https://{url}"
    if not re.fullmatch(r"https?://[^\s/@?#]+(?:/[^\s@?#]*)?", url, re.IGNORECASE):
        raise ValueError(f"{value!r} is not a site: write https://forum.example")
    scheme, _, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme.lower()}://{place.lower()}{slash}{path}"


def links_in(markup: str) -> tuple[str, ...]:
    """The web addresses that an HTML text leads to, each once, without names of people.

    None are read of a text that nests deeper than forums let people write.
    """
    return tuple(dict.fromkeys(_links(markup)))[:_LINK_LIMIT]


def _links(markup: str) -> Iterator[str]:
    if "<a" not in markup or markup.count("<") > TAG_LIMIT:
        return
    for node in LexborHTMLParser(markup).css("a[href]"):
        classes = (node.attributes.get("class") or "").split()
        link = web_address(node.attributes.get("href"))
        if link and not {"hashtag", "mention", "plugin-mentions-user"} & set(classes):
            yield link
