"""A webhook: the message as JSON to a program of the institution (a ticket system, an automaton).

Signed as Standard Webhooks 1.0 say (`sources/_webhook_signature.py`), so that Vigie's own door
takes what another Vigie sends. The id is that of the message: a repeat carries the same, by which
the other side tells it from news. The address goes through the one HTTP client, so a private one
must be allowed in `[net]`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from pipelines.channels import _block
from pipelines.errors import DeliveryError, SourceError
from pipelines.http import Client
from pipelines.settings import Channel, Settings
from pipelines.sources import _webhook_signature as signature

_WAIT_SECONDS = 10.0  # the outbox asks again; the next message need not wait for this one
_TYPE = {"content-type": "application/json"}


def check(channel: Channel, secrets: Mapping[str, str]) -> None:
    """DeliveryError when there is no address, or no secret that can sign."""
    _block.address(channel, secrets)
    _key(channel, secrets)


def hand_over(
    message: bytes,
    *,
    recipient: str,
    settings: Settings,
    secrets: Mapping[str, str],
    taken: Callable[[], None],
) -> None:
    """Post a message to the address of the block `recipient`; DeliveryError when it is not taken.

    Reads the clock: the time of a signature is that of the attempt, or a repeat would be refused.
    """
    channel = _block.block(settings, recipient)
    url, key = _block.address(channel, secrets), _key(channel, secrets)
    found, now = _block.short(message), datetime.now(UTC)
    content = body(found, now)
    headers = signature.sign(key, message_id=found.message_id.strip("<>"), at=now, body=content)
    net = settings.net
    with Client(
        contact=net.contact, allow_private=net.allow_private, wait_seconds=_WAIT_SECONDS
    ) as client:
        try:
            client.post(url, content=content, headers=headers | _TYPE)
        except SourceError as error:
            raise _block.refused(recipient, error) from error
    taken()


def body(found: _block.Short, at: datetime) -> bytes:
    """What is posted: type, time, and under `data` the subject, the text and the thread."""
    said = {
        "type": "vigie.message",
        "timestamp": at.isoformat(),
        "data": {"subject": found.subject, "text": found.text, "thread_id": found.thread_id},
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def _key(channel: Channel, secrets: Mapping[str, str]) -> bytes:
    name = channel.secret_env or ""
    try:
        found = signature.secrets_in(secrets.get(name, ""))
    except ValueError as error:
        raise DeliveryError(f"the secret in {name} cannot sign: {error}") from error
    if not found:
        raise DeliveryError(
            f"the channel {channel.name!r} has no secret to sign with: write secret_env in its "
            "[[channels]] block, and set that variable (`openssl rand -base64 32`, after whsec_)"
        )
    return found[0]
