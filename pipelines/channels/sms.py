"""A telephone, by an SMS gateway and Apprise: a few lines, never a text of a person.

Letters outside the telephones' alphabet (GSM 03.38) are written with the nearest inside it: one of
them would cut what a message holds from 160 to 70. Three messages at most.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping

from pipelines.channels import _apprise, _block
from pipelines.settings import Channel, Settings

SCHEMES = frozenset(
    {
        *("octopush", "sfr", "freemobile"),
        *("smseagle", "smseagles"),  # a box of one's own
        *("vonage", "nexmo", "twilio", "sinch", "plivo", "clicksend", "bulksms"),
    }
)
MOST = 459  # characters in three messages
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    "ÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_NEAR = {"’": "'", "‘": "'", "·": "-", "–": "-", "—": "-", "−": "-", "…": "...", "«": '"',
         "»": '"', "œ": "oe", "Œ": "OE", "€": "EUR", "[": "(", "]": ")"}  # fmt: skip


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
    """Send a message by the gateway of the block `recipient`; DeliveryError when not taken."""
    channel = _block.block(settings, recipient)
    _apprise.send(
        spelt(_block.short(message).text),
        channel=channel,
        url=_block.address(channel, secrets),
        schemes=SCHEMES,
        settings=settings,
    )
    taken()


def spelt(text: str) -> str:
    """A text in the telephones' alphabet and within three messages; its last line, which may be a
    link, is kept whole."""
    head, _, last = "".join(map(_near, text)).rpartition("\n")
    room = MOST - len(last) - 1
    if room < 0 or not head:
        return (head or last)[:MOST]
    return f"{head[:room]}\n{last}"


def _near(letter: str) -> str:
    if letter in _GSM:
        return letter
    if letter in _NEAR:
        return _NEAR[letter]
    bare = unicodedata.normalize("NFKD", letter)[:1]
    return bare if bare in _GSM else " " if letter.isspace() else ""
