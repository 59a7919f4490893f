"""A letter: what a person will read, before any channel gives it a form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Subject, plain text, HTML, and the pictures that the HTML names as `cid:<key>` (PNG).

    `brief` is what a chat or a telephone shows: a few lines without any text of a person, empty
    where the letter goes by mail alone. `quotes` are texts of people for a chat that may have them.
    """

    subject: str
    text: str
    html: str
    brief: str = ""
    quotes: tuple[str, ...] = ()
    images: Mapping[str, bytes] = field(default_factory=dict)
