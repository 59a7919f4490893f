"""Mails of other tools: alerts (Google Alerts, Talkwalker Alerts, a press service), newsletters.

One folder of a mailbox is read and never changed. Only mails of the senders listed are opened:
what anybody else writes to the mailbox, private messages first of all, is left alone before
anything of it is written down, and counted. Each link of a mail that has a title becomes a
mention, dated by the mail to the day; the mail's own text is not kept.

UIDs say where the reading goes on while UIDVALIDITY stays; when the server has numbered its mails
anew, the window is read again by date and what is known is merged.

Costs one session a run. Known gaps: a tool's mail is its selection, not a record; the time of an
item is that of the mail; the sender of a mail can be forged, unless `authserv_id` names the server
whose word on signatures is to be trusted.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pipelines.errors import SourceError
from pipelines.limits import Limit, Rolling
from pipelines.mention import Post, Rejection
from pipelines.notes import why
from pipelines.said import Said, some
from pipelines.sources import (
    Collected,
    Cursor,
    Manifest,
    Parsed,
    Payload,
    Request,
    _imap_box as boxes,
    _mail_items as mails,
    _values as values,
)
from pipelines.sources._reading import Reading

log = logging.getLogger(__name__)

MANIFEST = Manifest(
    name="imap",
    label="Alert mails and newsletters",
    access="a mailbox of the institution, by IMAP; mails of listed senders only",
    terms_url="the contract or terms of each tool that sends alerts",
    legal_basis="GDPR art. 6(1)(e), mission of public interest; the terms of the tool",
    fields_kept=(
        "title and excerpt of each item",
        "its link",
        "day of the mail",
        "medium, by the link",
    ),
    cost="none beyond the tool's own subscription",
    retention_days=30,
    deletion_duty="an item that its medium withdraws is not seen here: erase by permalink",
    limits=(Limit(name="sessions", most=1, per=Rolling(60), of="account"),),
)

_BATCH = 50
_SENDER = r"^(?:[\w.+-]{1,80}@)?[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+$"
_LOCAL = ("localhost", "127.0.0.1", "::1")
_ANEW = timedelta(days=2)  # read again before the window when mails were numbered anew
_WRONG_CLOCK = timedelta(days=1)  # a mail that arrived later than this after the window is not late


class Options(BaseModel):
    """The options of a `[[sources]]` block of kind `imap`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9.:-]{1,253}$")]
    port: Annotated[int, Field(ge=1, le=65535)] = 993
    security: Literal["tls", "starttls", "none"] = "tls"
    user: Annotated[str, Field(min_length=1)]
    password_env: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
    auth: Literal["password", "xoauth2"] = "password"
    folder: Annotated[str, Field(min_length=1, max_length=200)] = "INBOX"
    senders: Annotated[tuple[Annotated[str, Field(pattern=_SENDER)], ...], Field(min_length=1)]
    authserv_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,253}$")] | None = None
    network: Literal["press", "web", "forum"] = "press"
    max_mails: Annotated[int, Field(ge=1, le=5_000)] = 200
    max_bytes: Annotated[int, Field(ge=10_000, le=20_000_000)] = 1_000_000
    timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 30.0

    @field_validator("senders")
    @classmethod
    def _in_lower_case(cls, senders: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sender.lower() for sender in senders)

    @model_validator(mode="after")
    def _in_secret(self) -> Options:
        if self.security == "none" and self.host.lower() not in _LOCAL:
            raise ValueError(
                f"the password would cross the network to {self.host} in clear: write "
                'security = "tls" or "starttls"'
            )
        return self


@dataclass(slots=True, kw_only=True)
class _Run:
    """What a collection has reached: the last mail seen, and what was met."""

    request: Request
    options: Options
    validity: int
    uid: int
    since: datetime
    reading: Reading

    def cursor(self) -> Cursor:
        """Where the next run goes on."""
        return {"place": _place(self.options), "validity": self.validity, "uid": self.uid}


def _place(options: Options) -> str:
    return f"{options.user}@{options.host}/{options.folder}"


def collect(request: Request) -> Iterator[Collected]:
    """New mails of the listed senders, each as one payload; touches the network.

    SourceError when the mailbox cannot be read. What was read before a connection broke is kept,
    and the next run goes on from there.
    """
    options: Options = request.options
    with boxes.opened(_account(request), options.folder, request.client) as box:
        run = _begun(request, box)
        try:
            yield from _read(box, run)
        except SourceError as error:
            if not run.reading.handed:
                raise
            run.reading.cut(why(error))
    log.info("imap.read source=%s count=%d", request.name, len(run.reading.handed))
    yield run.reading.checkpoint(run.cursor())


def check(request: Request) -> Said:
    """What `vigie doctor` says of the mailbox; SourceError with the remedy when it is closed."""
    with boxes.opened(_account(request), request.options.folder, request.client) as box:
        return some(
            "lets us in; {folder} holds {n} mail",
            "lets us in; {folder} holds {n} mails",
            n=box.count,
            folder=request.options.folder,
        )


def _account(request: Request) -> boxes.Account:
    options: Options = request.options
    secret = request.secrets.get(options.password_env, "").strip()
    if not secret:
        raise SourceError(
            f"{request.name} names the variable {options.password_env}, which is not set: put the "
            "password of the mailbox (or the token) in it"
        )
    return boxes.Account(
        host=options.host,
        port=options.port,
        security=options.security,
        user=options.user,
        secret=secret,
        secret_env=options.password_env,
        auth=options.auth,
        timeout_seconds=options.timeout_seconds,
    )


def _begun(request: Request, box: boxes.Box) -> _Run:
    options: Options = request.options
    cursor = request.cursor or {}
    is_same = cursor.get("place") == _place(options)
    run = _Run(
        request=request,
        options=options,
        validity=box.validity,
        uid=0,
        since=request.since,
        reading=Reading(),
    )
    if is_same and cursor.get("validity") == box.validity:
        run.uid = values.row_id(cursor.get("uid")) or 0
    elif is_same:
        run.since -= _ANEW
        run.reading.notes.append(
            f"{options.host} has numbered its mails anew: the window was read again by date"
        )
    return run


def _read(box: boxes.Box, run: _Run) -> Iterator[Payload]:
    """The mails above the last one seen, in order, up to the end of the window."""
    since, until = run.since, run.request.until
    by_date = run.uid == 0
    uids = box.since((since - timedelta(days=1)).date()) if by_date else box.after(run.uid)
    if len(uids) > run.options.max_mails:
        run.reading.cut(f"{len(uids)} mails wait and {run.options.max_mails} were read: the next "
                        "run goes on")  # fmt: skip
        uids = uids[: run.options.max_mails]
    for start in range(0, len(uids), _BATCH):
        for head in box.heads(uids[start : start + _BATCH]):
            at = head.arrived_at
            if at is not None and until <= at < until + _WRONG_CLOCK:
                return
            if not by_date or at is None or at >= since:
                yield from _mail(head, box, run)
            run.uid = head.uid


def _mail(head: boxes.Head, box: boxes.Box, run: _Run) -> Iterator[Payload]:
    """A mail as one payload, if its sender is listed; it is not opened otherwise."""
    if why := _unwanted(head, run.options):
        run.reading.left_alone[why] += 1
        return
    raw = box.mail(head.uid, max_bytes=run.options.max_bytes)
    if raw is not None and run.reading.is_first(str(head.uid)):
        data = {
            "raw": base64.b64encode(raw).decode(),
            "arrived_at": head.arrived_at and head.arrived_at.isoformat(),
        }
        yield Payload(kind="mail", data=data, instance=run.options.host)


def _unwanted(head: boxes.Head, options: Options) -> str | None:
    """Why a mail is left alone, None when it is to be read."""
    sender = mails.sender_of(head.headers)
    domain = sender.rpartition("@")[2]
    if not _is_listed(sender, options.senders):
        return "mails of other senders were left alone"
    if head.size > options.max_bytes:
        return "mails were larger than max_bytes"
    by = options.authserv_id
    if by and not mails.is_signed(head.headers, domain=domain, by=by):
        return "mails of listed senders bore no sound signature and were left alone"
    return None


def _is_listed(sender: str, senders: Sequence[str]) -> bool:
    """Whether an address is listed, or its domain, or one above it."""
    domain = sender.rpartition("@")[2]
    return any(
        sender == each if "@" in each else domain == each or domain.endswith("." + each)
        for each in senders
    )


def parse(payload: Payload, options: Options) -> Iterator[Parsed]:
    """The posts that the items of a mail are, or why there are none."""
    data = values.mapping(payload.data)
    try:
        mail = mails.read(base64.b64decode(str(data.get("raw") or ""), validate=True))
    except mails.UnreadableMail as error:
        yield _rejection(error.reason, str(error))
        return
    except (ValueError, binascii.Error):
        yield _rejection("malformed_payload", "the payload holds no mail in base64")
        return
    if not mail.items:
        yield _rejection("no_items", "no link of the mail has a title")
    sent_at = mail.sent_at or values.time(data.get("arrived_at"))
    for item in mail.items:
        yield _post(item, sender=mail.sender, sent_at=sent_at, options=options)


def _post(item: mails.Item, *, sender: str, sent_at: datetime | None, options: Options) -> Post:
    medium = values.host(item.url)
    author: dict[str, Any] = {"author_id": medium, "author_kind": "media"} if medium else {}
    known = item.url or f"{sender.rpartition('@')[2]} {item.title.casefold()}"
    return Post(
        native_id=f"{'url' if item.url else 'title'}:{values.digest(known, size=16)}",
        text=item.excerpt,
        title=item.title,
        text_truncated=True,
        published_at=sent_at,
        published_precision="day" if sent_at else "unknown",
        network=options.network,
        source_instance=sender.rpartition("@")[2] or None,
        content_type="article" if options.network == "press" else "post",
        collected_via="feed",
        url=item.url,
        **(author if options.network == "press" else {}),
    )


def _rejection(reason: str, detail: str) -> Rejection:
    return Rejection(source=MANIFEST.name, native_id=None, reason=reason, detail=detail)
