"""A chat room: Mattermost, Slack, Teams, Matrix and Tchap, Telegram and others, by Apprise.

The short form of a message: figures and our own words; texts of people only where the block says
`quotes = true`, for the room may hold others than those on call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipelines.channels import _apprise, _block
from pipelines.settings import Channel, Settings

SCHEMES = frozenset(
    {
        *("mmost", "mmosts"),  # Mattermost
        "slack",
        "workflows",  # Microsoft Teams, by Power Automate
        *("matrix", "matrixs"),  # Matrix, and Tchap
        "tgram",  # Telegram
        *("rocket", "rockets"),
        *("nctalk", "nctalks"),  # Nextcloud Talk
        "zulip",
    }
)
MOST = 3_000  # characters: the least that one of them takes is 4,000


def check(channel: Channel, secrets: Mapping[str, str]) -> None:
    """DeliveryError when the address is of no service of this kind, or cannot be read."""
    _apprise.service(_block.address(channel, secrets), channel, SCHEMES)


def hand_over(
    message: bytes,
    *,
    recipient: str,
    settings: Settings,
    secrets: Mapping[str, str],
    taken: Callable[[], None],
) -> None:
    """Post a message to the room of the block `recipient`; DeliveryError when it is not taken."""
    channel = _block.block(settings, recipient)
    _apprise.send(
        _apprise.calm(_block.short(message).text)[:MOST],
        channel=channel,
        url=_block.address(channel, secrets),
        schemes=SCHEMES,
        settings=settings,
    )
    taken()
