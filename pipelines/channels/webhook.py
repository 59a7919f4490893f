"""A webhook: the message as JSON to an address of the institution (a chat, a ticket system).

The address goes through the one HTTP client, so a private one must be allowed in `[net]`. A
repeat carries the same `message_id`, by which the other side tells it from news.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email import message_from_bytes, policy
from typing import Any

from pipelines.errors import DeliveryError, SourceError
from pipelines.http import Client
from pipelines.settings import Settings

TOKEN_ENV = "VIGIE_WEBHOOK_TOKEN"  # noqa: S105 - a name, not a secret


def hand_over(
    message: bytes,
    *,
    recipient: str,
    settings: Settings,
    secrets: Mapping[str, str],
    taken: Callable[[], None],
) -> None:
    """Post a message to the address `recipient`; DeliveryError when it is not taken."""
    token = secrets.get(TOKEN_ENV)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    net = settings.net
    with Client(contact=net.contact, allow_private=net.allow_private) as client:
        try:
            client.post_json(recipient, json=body(message), headers=headers)
        except SourceError as error:
            raise DeliveryError(f"the webhook did not take the message: {error}") from error
    taken()


def body(message: bytes) -> dict[str, Any]:
    """What is posted of a mail: its subject, plain text, and the ids of message and thread."""
    mail = message_from_bytes(message, policy=policy.default)
    plain = mail.get_body(("plain",))
    return {
        "subject": mail["Subject"],
        "text": plain.get_content().replace("\r\n", "\n") if plain else "",
        "message_id": mail["Message-ID"],
        "thread_id": mail["References"] or mail["Message-ID"],
    }
