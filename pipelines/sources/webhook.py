"""Messages that other programs push in, signed, by `vigie serve` (`pipelines/hooks.py`).

A message is JSON: an object, a list of them, or an object that holds one list of them; each is a
post. Which name is what comes from a preset or from `columns` of `vigie.toml`, as for exports:
inner objects are dotted names, private messages are left out by their type, and only what is read
is landed. A post without a time has that of its message.

Costs nothing here: who pushes pays. Known gaps: nothing says what the sender has left out; a
message that was refused is the sender's to send again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipelines import http
from pipelines.errors import SourceError
from pipelines.limits import Limit, Rolling
from pipelines.mention import Post
from pipelines.said import Said, some
from pipelines.sources import (
    Checkpoint,
    Collected,
    Manifest,
    Parsed,
    Payload,
    Request,
    _cells,
    _presets,
    _tables,
    _values as values,
    _webhook_inbox as inbox,
    _webhook_signature as signature,
    file,
)

log = logging.getLogger(__name__)

_EVER = datetime(9999, 1, 1, tzinfo=UTC)

MANIFEST = Manifest(
    name="webhook",
    label="Messages pushed in, signed",
    access="programs of the institution or of its suppliers push to `vigie serve`, signed",
    terms_url="the contract with whoever pushes",
    legal_basis="GDPR art. 6(1)(e), mission of public interest; the contract with the sender",
    fields_kept=(
        "id of the post",
        "text",
        "title",
        "link",
        "time",
        "network",
        "account (pseudonym)",
        "language",
        "counts",
        "rating",
        "country and town",
    ),
    cost="none beyond the sender's own subscription",
    retention_days=30,
    deletion_duty="the sender tells no deletions: erase by permalink",
    limits=(Limit(name="messages", most=60, per=Rolling(60), of="account"),),
)

_MESSAGES = 2_000  # messages that one run takes
_ITEMS = 5_000  # posts of one message


class Options(BaseModel):
    """The options of a `[[sources]]` block of kind `webhook`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    secret_env: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
    preset: str = "auto"
    columns: dict[str, str | tuple[str, ...]] = {}
    network: str | None = None
    time_zone: str = "Europe/Paris"
    date_format: str | None = None
    day_first: bool | None = None
    max_bytes: Annotated[int, Field(ge=1_000, le=10_000_000)] = 1_000_000
    window_seconds: Annotated[int, Field(ge=10, le=3600)] = 300
    max_per_minute: Annotated[int, Field(ge=1, le=6000)] = 60
    max_waiting_bytes: Annotated[int, Field(ge=1_000_000)] = 500_000_000

    @model_validator(mode="after")
    def _reads_as_exports_do(self) -> Options:
        self.as_file()
        return self

    def as_file(self) -> file.Options:
        """The same as options of `file`, whose presets and parser read the posts."""
        return file.Options(
            path="-",
            preset=self.preset,
            columns=self.columns,
            network=self.network,
            time_zone=self.time_zone,
            date_format=self.date_format,
            day_first=self.day_first,
        )

    @property
    def window(self) -> timedelta:
        """How far the time of a message may lie from now."""
        return timedelta(seconds=self.window_seconds)


def collect(request: Request) -> Iterator[Collected]:
    """The posts of every message that waits, a payload each; reads the disk, no network.

    Messages taken by the run before, which is loaded now, are deleted first. A second call of one
    run finds the same messages.
    """
    place = inbox.folder(request.home, request.name)
    cursor = request.cursor or {}
    before = [n for n in values.items(cursor.get("taken")) if isinstance(n, str)]
    inbox.forget(place, before)
    taken: list[str] = []
    for message in inbox.waiting(place, until=request.until):
        if len(taken) == _MESSAGES:
            yield _checkpoint(taken, note=f"more than {_MESSAGES} messages wait: the next run "
                              "goes on", is_capped=True)  # fmt: skip
            return
        yield from _payloads(message, request)
        taken.append(message.name)
    log.info("webhook.taken source=%s messages=%d", request.name, len(taken))
    yield _checkpoint(taken)


def _checkpoint(
    taken: list[str], *, note: str | None = None, is_capped: bool = False
) -> Checkpoint:
    return Checkpoint(cursor={"taken": taken}, note=note, capped=is_capped)


def check(request: Request) -> Said:
    """What `vigie doctor` says: whether messages can be believed, and how many wait."""
    secrets_of(request.name, request.options, request.secrets)
    place = inbox.folder(request.home, request.name)
    count = sum(1 for _ in inbox.waiting(place, until=request.until))
    return some(
        "is ready for `vigie serve`; {n} message waits",
        "is ready for `vigie serve`; {n} messages wait",
        n=count,
    )


def secrets_of(name: str, options: Options, secrets: Mapping[str, str]) -> tuple[bytes, ...]:
    """The secrets of a block; SourceError when none is set, or one is too weak."""
    try:
        found = signature.secrets_in(secrets.get(options.secret_env, ""))
    except ValueError as error:
        raise SourceError(f"{name}: the secret in {options.secret_env}: {error}") from error
    if not found:
        raise SourceError(
            f"{name} names the variable {options.secret_env}, which is not set: make a secret with "
            "`openssl rand -base64 32`, write whsec_ before it, and give it to the sender too"
        )
    return found


def _payloads(message: inbox.Message, request: Request) -> Iterator[Payload]:
    """One payload a post of a message, or one that says why there is none."""
    place = f"message {message.name[:12]}"
    try:
        rows = [_tables.flattened(item) for item in items_in(message)]
        taking = _plan(rows, message, request.options, place)
    except SourceError as error:
        data: dict[str, Any] = {"row": 0, "detail": str(error)[:300]}
        yield Payload(kind="broken", instance=place, data=data)
        return
    for number, row in enumerate(rows, start=1):
        yield _payload(row, number, taking, request.name, place)


def items_in(message: inbox.Message) -> list[dict[str, Any]]:
    """The objects of a message; SourceError when it holds none."""
    found: Any
    if _is_lines(message):  # by this sign alone: JSON may hold every other that ends a line
        found = [_json(line) for line in message.body.split("\n") if line.strip()]
    else:
        found = _json(message.body)
    if isinstance(found, dict):
        lists = [v for v in found.values() if isinstance(v, list) and v and isinstance(v[0], dict)]
        found = lists[0] if len(lists) == 1 else [found]
    listed = [item for item in values.items(found) if isinstance(item, dict)]
    if not listed:
        raise SourceError("the message holds no JSON object: push an object a post, or a list")
    if len(listed) > _ITEMS:
        raise SourceError(f"the message holds {len(listed)} posts: push {_ITEMS} at most in one")
    return listed


def _is_lines(message: inbox.Message) -> bool:
    return "ndjson" in message.content_type or "jsonl" in message.content_type


def _json(text: str) -> Any:
    """JSON as every answer of a service is read: numbers too wide and half letters made fit."""
    answer = http.Response(status=200, url="", headers={}, content=text.encode())
    try:
        return answer.json()
    except SourceError as error:
        raise SourceError("the message is not JSON: the sender has cut it short") from error


def waiting(
    home: Path, name: str, options: Options, is_wanted: Callable[[Post], bool], *, take: bool
) -> list[Post]:
    """The wanted posts of the messages that wait; taken out of them where `take` says so.

    A message that nobody can read is then taken whole: what is not read may not stay.
    """
    place = inbox.folder(home, name)
    gone: list[Post] = []
    for message in inbox.waiting(place, until=_EVER):
        try:
            items = items_in(message)
            of_items = _posts(items, message, options, name)
        except SourceError:
            items, of_items = [], []
        out = {at for at, posts in enumerate(of_items) if any(map(is_wanted, posts))}
        gone += [post for at in sorted(out) for post in of_items[at] if is_wanted(post)]
        if take and (out or not items):
            _keep(place, message, [item for at, item in enumerate(items) if at not in out])
    return gone


def _posts(
    items: list[dict[str, Any]], message: inbox.Message, options: Options, name: str
) -> list[list[Post]]:
    """The posts of each object of a message."""
    rows = [_tables.flattened(item) for item in items]
    taking = _plan(rows, message, options, "")
    landed = (_payload(row, n, taking, name, "") for n, row in enumerate(rows, start=1))
    return [[p for p in parse(each, options) if isinstance(p, Post)] for each in landed]


def _keep(place: Path, message: inbox.Message, items: list[dict[str, Any]]) -> None:
    if items:
        inbox.replace_body(place, message, json.dumps(items, ensure_ascii=False))
    else:
        inbox.forget(place, [message.name])


_RECEIVED = "received at"  # a column of ours, for posts that tell no time


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taking:
    """How the posts of a message are read."""

    plan: _presets.Plan
    day_first: bool
    received_at: str


def _plan(
    rows: list[dict[str, Any]], message: inbox.Message, options: Options, place: str
) -> _Taking:
    """Which names hold what in a message; SourceError when no text can be found in it."""
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    preset = _presets.recognised(columns) if options.preset == "auto" else options.preset
    mapping: dict[str, Any] = dict(options.columns)
    known = _presets.fit(columns, preset=preset, mapping=mapping)
    if "published_at" not in known and "published_at" not in mapping:
        columns, mapping = (*columns, _RECEIVED), {**mapping, "published_at": _RECEIVED}
    plan = _presets.plan(columns, preset=preset, mapping=mapping, place=place)
    cells = (row.get(plan.one("published_at") or "") for row in rows)
    told = values.time(message.received_at)
    found = _cells.day_first_in(cells, made_at=told) if told else None
    wanted = options.day_first
    is_day_first = wanted if wanted is not None else found is not False
    return _Taking(plan=plan, day_first=is_day_first, received_at=message.received_at)


def _payload(row: dict[str, Any], number: int, taking: _Taking, block: str, place: str) -> Payload:
    """A post as it lands: the names that are read, and nothing of a private message."""
    kind_column = taking.plan.one("content_type")
    word = row.get(kind_column) if kind_column else None
    if private := _cells.private_type_in(str(word or "")):
        data: dict[str, Any] = {"row": number, "detail": private}
        return Payload(kind="private", instance=place, data=data)
    cells = {name: row.get(name) for name in taking.plan.read}
    when = taking.plan.one("published_at") or _RECEIVED
    if cells.get(when) in (None, ""):
        cells[when] = taking.received_at
    of = {"block": block, "preset": taking.plan.preset, "day_first": taking.day_first}
    return Payload(kind="row", instance=place, data={"row": number, "of": of, "cells": cells})


def parse(payload: Payload, options: Options) -> Iterator[Parsed]:
    """The post of one row, or why it is none: see `file`."""
    for item in file.parse(payload, _as_file(payload, options)):
        if isinstance(item, Post):
            yield replace(item, collected_via="mention_api")
        else:
            yield replace(item, source=MANIFEST.name)


def _as_file(payload: Payload, options: Options) -> file.Options:
    """The options of `file`, with our own time column where the message had none."""
    as_file = options.as_file()
    cells = values.mapping(values.mapping(payload.data).get("cells"))
    if _RECEIVED not in cells:
        return as_file
    return as_file.model_copy(update={"columns": {**as_file.columns, "published_at": _RECEIVED}})
