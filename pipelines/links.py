"""Links that act: signed, for one incident, one action and one reader, until a time.

A token is 39 bytes in base64url: a version, the action, the time (seconds since 1970), the
incident, the reader as a pseudonym of this incident alone, and HMAC-SHA-256 over all of it, cut to
128 bits (RFC 2104, section 5). It holds no name and no address, so a proxy's log of it tells
nobody anything; who the reader is, the outbox knows. The key is a file of its own in `keys/`,
drawn at first need: deleting it makes every link worthless.

Opening a link does nothing: mail scanners open all of them (`pipelines/link_pages.py`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import os
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from pipelines.errors import VigieError
from pipelines.letter import Letter
from pipelines.settings import Settings

log = logging.getLogger(__name__)

Action = Literal["acknowledge", "silence", "false_alarm", "acknowledge_all", "take_back"]
ACTIONS: tuple[Action, ...] = ("acknowledge", "silence", "false_alarm")
# Of every incident that a letter tells of: its token names the letter in the incident's place.
ALL: Action = "acknowledge_all"
# Of a false alarm: no letter has this link, the page that notes one does.
BACK: Action = "take_back"
_SIGNED: tuple[Action, ...] = (*ACTIONS, ALL, BACK)  # a token holds the place of its action here
PATH = "/alerts"  # below the address of `[web] url`
_VERSION, _KEY_BYTES = 1, 32
_ID, _WHO, _MAC = 8, 9, 16  # bytes
_LENGTH = 1 + 1 + 4 + _ID + _WHO + _MAC
_Act = tuple[str, Action]  # of which incident, and what


class LinkError(VigieError):
    """A link that does not count: `reason` is 'broken' or 'expired'."""

    def __init__(self, reason: Literal["broken", "expired"]) -> None:
        self.reason = reason
        super().__init__(f"the link is {reason}: open the newest mail about this alert")


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a link that counts asks for; `who` is the reader's pseudonym, `link_id` its name.

    `incident_id` is the start of the outbox's key of a letter where the action is ALL.
    """

    action: Action
    incident_id: str
    who: bytes
    expires_at: datetime
    link_id: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A letter's links before it is anybody's, and how to make it theirs.

    `links` are by incident and action; `all_link` takes all of them in hand, None for one alone.
    """

    links: Mapping[str, Mapping[Action, str]] = field(default_factory=dict)
    all_link: str | None = None
    personal: Callable[[Letter, str], Letter] | None = None


def key(home: Path) -> bytes:
    """The key that signs links, drawn the first time; VigieError where others may read it."""
    path = home / "keys" / "links.key"
    if not path.exists():
        _draw(path)
    if path.stat().st_mode & 0o077:
        raise VigieError(f"{path} can be read by other accounts: run `chmod 600 {path}`")
    found = path.read_bytes()
    if len(found) != _KEY_BYTES:
        raise VigieError(f"{path} holds no key: delete it, and another is drawn")
    return found


def _draw(path: Path) -> None:
    """A new key, there whole or not at all; another process's key stays, if it was quicker."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(secrets.token_bytes(_KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(aside)
    except FileExistsError:
        log.info("links.key another process drew it")
    finally:
        aside.unlink()


def _mac(secret: bytes, purpose: str, *parts: bytes) -> bytes:
    said = b"\x1f".join((b"vigie", purpose.encode(), *parts))
    return hmac.new(secret, said, hashlib.sha256).digest()


def who(secret: bytes, incident_id: str, recipient: str) -> bytes:
    """A reader's pseudonym in the links of one incident: 9 bytes."""
    return _mac(secret, "who", incident_id.encode(), recipient.encode())[:_WHO]


def token(
    secret: bytes, *, action: Action, incident_id: str, recipient: str, expires_at: datetime
) -> str:
    """The signed token of a link, 52 letters of base64url."""
    seconds = int(expires_at.timestamp()).to_bytes(4, "big")
    head = bytes((_VERSION, _SIGNED.index(action))) + seconds + bytes.fromhex(incident_id)
    said = head + who(secret, incident_id, recipient)
    return _written(said + _mac(secret, "link", said)[:_MAC])


def _written(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def read(secret: bytes, written: str, *, now: datetime) -> Claim:
    """What a token asks for; LinkError when it is not ours, is altered, or has had its time."""
    raw = _raw(written)
    said, mac = raw[:-_MAC], raw[-_MAC:]
    if not hmac.compare_digest(mac, _mac(secret, "link", said)[:_MAC]):
        raise LinkError("broken")
    if said[0] != _VERSION or said[1] >= len(_SIGNED):
        raise LinkError("broken")
    expires_at = datetime.fromtimestamp(int.from_bytes(said[2:6], "big"), UTC)
    if now >= expires_at:
        raise LinkError("expired")
    return Claim(
        action=_SIGNED[said[1]],
        incident_id=said[6:14].hex(),
        who=said[14:],
        expires_at=expires_at,
        link_id=hashlib.sha256(raw).hexdigest()[:24],
    )


def _raw(written: str) -> bytes:
    """The bytes of a token, which has one spelling only."""
    try:
        raw = base64.b64decode(written.encode("ascii") + b"=" * (-len(written) % 4), b"-_", True)
    except (UnicodeEncodeError, binascii.Error, ValueError):
        raise LinkError("broken") from None
    if len(raw) != _LENGTH or _written(raw) != written:
        raise LinkError("broken")
    return raw


def offer(
    settings: Settings,
    incident_ids: Sequence[str],
    *,
    as_of: datetime,
    letter_key: Callable[[str], str],
) -> Offer:
    """The links of a letter about incidents; none where `[web]` gives no address.

    `letter_key` gives the key of the outbox's row for a reader. Until the letter is somebody's, a
    mark that only this home can make stands for each link, so that no text of a stranger becomes
    one.
    """
    if not settings.web.url or not incident_ids:
        return Offer()
    try:
        secret = key(settings.home)
    except (VigieError, OSError) as error:
        log.error("links.without reason=%s", error)  # an alert without links is better than none
        return Offer()
    acts: list[_Act] = [(each, action) for each in incident_ids for action in ACTIONS]
    if len(incident_ids) > 1:
        acts.append((incident_ids[0], ALL))
    marks = {act: _mark(settings, secret, *act) for act in acts}
    expires_at = as_of + timedelta(hours=settings.web.link_hours)

    def address(act: _Act, recipient: str) -> str:
        named = letter_key(recipient)[: 2 * _ID] if act[1] == ALL else act[0]
        signed = token(
            secret, action=act[1], incident_id=named, recipient=recipient, expires_at=expires_at
        )
        return _address(settings, signed)

    def personal(letter: Letter, recipient: str) -> Letter:
        return _with(letter, {marks[act]: address(act, recipient) for act in acts})

    links = {each: {action: marks[each, action] for action in ACTIONS} for each in incident_ids}
    return Offer(links, marks.get((incident_ids[0], ALL)), personal)


def _mark(settings: Settings, secret: bytes, incident_id: str, action: Action) -> str:
    mark = _mac(secret, "mark", incident_id.encode(), action.encode())[:18]
    return _address(settings, f"mark-{_written(mark)}")


def _address(settings: Settings, last: str) -> str:
    return f"{settings.web.url}{PATH}/{last}"


def _with(letter: Letter, told: Mapping[str, str]) -> Letter:
    """The letter with an address for every mark, put in by one look at each of its texts."""
    marks = re.compile("|".join(re.escape(mark) for mark in told))

    def put(text: str) -> str:
        return marks.sub(lambda found: told[found[0]], text)

    return replace(letter, text=put(letter.text), html=put(letter.html), brief=put(letter.brief))
