"""A letter: what a person will read, before any channel gives it a form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Subject, plain text, HTML, and the pictures that the HTML names as `cid:<key>` (PNG)."""

    subject: str
    text: str
    html: str
    images: Mapping[str, bytes] = field(default_factory=dict)
