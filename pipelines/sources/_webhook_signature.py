"""Who pushed a message, and that nobody has changed or kept it: HMAC over id, time and body.

Pure. The scheme is that of the Standard Webhooks specification 1.0 (standardwebhooks.com, read
2026-11-26): headers `webhook-id`, `webhook-timestamp` (seconds since 1970) and
`webhook-signature`, which holds one or more `v1,<base64>` of HMAC-SHA-256 over
`id.timestamp.body`. A message whose time lies too far from now is refused, so that one overheard
cannot be played again; within that time its id tells a repeat.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

SHORTEST_SECRET = 24  # bytes, as the specification asks
_ID = re.compile(r"[\x21-\x7e]{1,200}")
_PREFIX = "whsec_"


class Unsigned(Exception):
    """A message that is not to be believed; the text says why, without any secret."""


def secrets_in(value: str) -> tuple[bytes, ...]:
    """The secrets that an environment variable holds: one, or two while one replaces the other.

    ValueError with what to do for one that is too short or is no base64 after `whsec_`.
    """
    return tuple(_secret(word) for word in value.split())


def _secret(word: str) -> bytes:
    try:
        if word.startswith(_PREFIX):
            found = base64.b64decode(word.removeprefix(_PREFIX), validate=True)
        else:
            found = word.encode()
    except (binascii.Error, ValueError) as error:
        raise ValueError("what follows whsec_ must be base64") from error
    if len(found) < SHORTEST_SECRET:
        raise ValueError(
            f"it has {len(found)} bytes and needs {SHORTEST_SECRET} or more: make one with "
            "`openssl rand -base64 32`, and write whsec_ before it"
        )
    return found


def sign(secret: bytes, *, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers with which a sender signs `body`."""
    seconds = int(at.timestamp())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
        "webhook-signature": f"v1,{_signature(secret, message_id, str(seconds), body)}",
    }


def _signature(secret: bytes, message_id: str, seconds: str, body: bytes) -> str:
    said = f"{message_id}.{seconds}.".encode() + body
    return base64.b64encode(hmac.new(secret, said, hashlib.sha256).digest()).decode()


def checked(
    headers: Mapping[str, str],
    body: bytes,
    *,
    secrets: Sequence[bytes],
    now: datetime,
    window: timedelta,
) -> str:
    """The id of a message that is to be believed; Unsigned with the reason otherwise.

    `headers` have lower-case names. Takes the same time whatever part of a signature is wrong.
    """
    message_id = headers.get("webhook-id", "")
    seconds = headers.get("webhook-timestamp", "")
    if not _ID.fullmatch(message_id):
        raise Unsigned("webhook-id is missing, too long, or holds a space or what is not ASCII")
    at = _time(seconds)
    if at is None:
        raise Unsigned("webhook-timestamp is missing, or is no number of seconds")
    given = [
        part.removeprefix("v1,").encode("ascii", "replace")
        for part in headers.get("webhook-signature", "").split()[:10]
        if part.startswith("v1,")
    ]
    right = [_signature(secret, message_id, seconds, body).encode() for secret in secrets]
    # Every pair is compared, so that the time tells nothing of which one was nearly right.
    matches = [hmac.compare_digest(one, other) for one in given for other in right]
    if not any(matches):
        raise Unsigned("webhook-signature does not fit this body and our secret")
    if abs(now - at) > window:
        raise Unsigned(
            f"webhook-timestamp is {abs(now - at)} from our clock: sent too late or twice"
        )
    return message_id


def _time(seconds: str) -> datetime | None:
    if not re.fullmatch(r"[0-9]{1,11}", seconds):
        return None
    return datetime.fromtimestamp(int(seconds), UTC)
