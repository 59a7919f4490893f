"""What the channels with a `[[channels]]` block share: its address, and the message in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes, policy

from pipelines.errors import AddressRefused, DeliveryError, ServerDown, SourceError, StatusRefused
from pipelines.settings import Channel, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Short:
    """A message of the outbox without its mail: subject, text, and the ids of it and its thread."""

    subject: str
    text: str
    message_id: str
    thread_id: str


def block(settings: Settings, name: str) -> Channel:
    """The block of that name; DeliveryError when vigie.toml has none any more."""
    found = next((each for each in settings.channels if each.name == name), None)
    if found is None:
        raise DeliveryError(f"vigie.toml has no channel {name!r} any more: add its [[channels]]")
    return found


def address(channel: Channel, secrets: Mapping[str, str]) -> str:
    """Where the channel leads, a secret; DeliveryError when its variable is not set."""
    found = secrets.get(channel.address_env, "").strip()
    if not found:
        raise DeliveryError(
            f"the channel {channel.name!r} has no address: set {channel.address_env} where `vigie` "
            "and Airflow run"
        )
    return found


def short(message: bytes) -> Short:
    """What a message of the outbox says, its lines ended by \\n."""
    mail = message_from_bytes(message, policy=policy.default)
    plain = mail.get_body(("plain",))
    return Short(
        subject=str(mail["Subject"] or ""),
        text=plain.get_content().replace("\r\n", "\n").strip() if plain else "",
        message_id=str(mail["Message-ID"] or ""),
        thread_id=str(mail["References"] or mail["Message-ID"] or ""),
    )


def refused(name: str, error: SourceError) -> DeliveryError:
    """Why the address of a channel took nothing, in words that hold no address: it is a secret."""
    if isinstance(error, StatusRefused):
        return DeliveryError(
            f"the channel {name!r} answers {error.status}: check its address and its rights there"
        )
    if isinstance(error, AddressRefused):
        return DeliveryError(
            f"the channel {name!r} leads to an address that is not public: if it is a server of "
            "yours, add its name to allow_private in the [net] table of vigie.toml"
        )
    return ServerDown(
        f"the channel {name!r} cannot be reached ({type(error).__name__}): check its address and "
        "the network; it is tried again"
    )
