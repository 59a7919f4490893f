"""The console: the plain text of a message, printed. For a first try without a mail server."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from email import message_from_bytes, policy
from typing import TextIO

from pipelines.settings import Settings


def hand_over(
    message: bytes,
    *,
    recipient: str,
    settings: Settings,  # noqa: ARG001 - every channel is called alike
    secrets: Mapping[str, str],  # noqa: ARG001
    taken: Callable[[], None],
) -> None:
    """Print a message; a terminal gets no control character of a stranger."""
    show(message, recipient=recipient, out=sys.stdout)
    taken()


def show(message: bytes, *, recipient: str, out: TextIO) -> None:
    """Write subject, recipient and plain text of a mail to `out`."""
    mail = message_from_bytes(message, policy=policy.default)
    body = mail.get_body(("plain",))
    text = body.get_content() if body else ""
    for line in (f"To: {recipient}", f"Subject: {mail['Subject']}", "", *text.splitlines()):
        out.write("".join(c for c in line if c.isprintable()) + "\n")
    out.flush()
