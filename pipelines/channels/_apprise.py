"""Chats and SMS gateways by Apprise, an address each: `mmosts://…`, `tgram://…`, `octopush://…`.

Apprise opens its own sockets, with requests: the host of an address is looked up and checked by the
rules of `[net]` just before, redirects are not followed, and files, plugins and storage of its own
are off. Known gaps: between that look and its own a name may change; proxies of the environment
are used; a service at a fixed host (Slack, Telegram, most gateways) needs no check. Imported only
when something is sent: about a second the first time.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection
from typing import Any

from pipelines.channels import _block
from pipelines.errors import DeliveryError, ServerDown, SourceError
from pipelines.http import Client
from pipelines.settings import Channel, Settings

TIMEOUT_SECONDS = 20.0
_STATUS = re.compile(r"error=(\d{3})\b")
_LOST = re.compile(r"connection error|timed? ?out|timeout", re.IGNORECASE)
_WORD_JOINER = "\u2060"


def send(
    text: str, *, title: str = "", channel: Channel, url: str, schemes: Collection[str],
    settings: Settings,
) -> None:  # fmt: skip
    """Hand a text to the service at `url`; touches the network. DeliveryError, without the address.

    ServerDown when it cannot be reached: what else goes by this channel waits.
    """
    found = service(url, channel, schemes)
    _check_host(found, channel, settings)
    _notify(found, text, title, channel)


def service(url: str, channel: Channel, schemes: Collection[str]) -> Any:
    """What Apprise makes of an address; DeliveryError for one of another kind, or unreadable."""
    if url.partition("://")[0].lower() not in schemes:
        raise DeliveryError(
            f"{channel.address_env} begins with none of the services of kind {channel.kind!r}: "
            f"write {', '.join(f'{s}://' for s in sorted(schemes))} (docs/alerts.md)"
        )
    import apprise

    _keep_to_itself(logging.getLogger("apprise"))
    asset = apprise.AppriseAsset(
        app_id="Vigie", app_desc="Vigie", app_url="", async_mode=False, http_redirects=False,
        image_url_mask="", image_url_logo="", secure_logging=True, service_timeout=TIMEOUT_SECONDS,
        plugin_paths=(), storage_mode=apprise.common.PersistentStoreMode.MEMORY,
    )  # fmt: skip
    found = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if found is None:
        raise DeliveryError(
            f"{channel.address_env} holds an address that cannot be read: write it as "
            "docs/alerts.md shows for its service"
        )
    return found


def _keep_to_itself(logger: logging.Logger) -> None:
    """Its words may hold an address or a text; what went wrong is read from the result alone."""
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def _check_host(service: Any, channel: Channel, settings: Settings) -> None:
    """DeliveryError where the host of an address leads where Vigie does not go."""
    host = getattr(service, "host", None)
    if not host or ("." not in host and ":" not in host and host != "localhost"):
        return  # a service at a host of its own: what stands there is a token
    net = settings.net
    with Client(contact=net.contact, allow_private=net.allow_private) as client:
        try:
            client.addresses(host, service.port or (443 if service.secure else 80))
        except SourceError as error:
            raise _block.refused(channel.name, error) from error


def _notify(service: Any, text: str, title: str, channel: Channel) -> None:
    import apprise

    one = apprise.Apprise(asset=service.asset)
    one.add(service)
    done = one.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT)
    if done:
        return
    said = " ".join(str(getattr(entry, "message", entry)) for entry in done.logs())
    if status := _STATUS.search(said):
        raise DeliveryError(
            f"the channel {channel.name!r} answers {status[1]}: check its address and its rights "
            "there"
        )
    if _LOST.search(said):
        raise ServerDown(
            f"the channel {channel.name!r} cannot be reached: check its address and the network; "
            "it is tried again"
        )
    raise DeliveryError(
        f"the channel {channel.name!r} did not take the message: check its address, and what its "
        "service says of it"
    )


def calm(text: str) -> str:
    """A text in which nobody is called out and no word leads elsewhere than it says.

    A word joiner breaks `@channel` (not the @ of an address) and the links of Markdown.
    """
    text = re.sub(r"(?<![/\w])@(?=\w)", "@" + _WORD_JOINER, text)
    return re.sub(r"\](?=[(\[:])|<(?=!)", r"\g<0>" + _WORD_JOINER, text)
