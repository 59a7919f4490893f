"""How a message leaves: one module a channel, each with `hand_over` and `check`.

    hand_over(message, *, recipient, settings, secrets, taken)
    check(channel, secrets)     what a [[channels]] block holds, looked at without sending

`message` is the bytes of the outbox, a mail whatever the channel; `taken` is called the moment
the other side has it. DeliveryError says why it could not be handed over, without a secret.
There is no registry: the outbox row names the module.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Protocol, cast

from pipelines.errors import DeliveryError
from pipelines.settings import Channel as Block, Settings


class Channel(Protocol):
    """The two names of a channel's module; mail and console, which need no block, lack `check`."""

    def hand_over(
        self,
        message: bytes,
        *,
        recipient: str,
        settings: Settings,
        secrets: Mapping[str, str],
        taken: Callable[[], None],
    ) -> None:
        """Give the message to whoever carries it on."""

    def check(self, channel: Block, secrets: Mapping[str, str]) -> None:
        """DeliveryError when what the block's variables hold cannot be used; touches no network."""


def names() -> tuple[str, ...]:
    """Every channel there is, by its module's name; what begins with _ is shared by several."""
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in found if not name.startswith("_")))


def load(name: str) -> Channel:
    """The channel `name`; DeliveryError when there is none of that name."""
    if name not in names():
        raise DeliveryError(f"there is no channel {name!r}: choose one of {', '.join(names())}")
    return cast("Channel", importlib.import_module(f"{__name__}.{name}"))
