"""Telegram: the public preview of channels (t.me/s/…), which anyone can open in a browser.

A channel is read back from its newest message to the last one read, twenty a page. Messages kept
earlier are looked up again among their neighbours: one that the page no longer shows is gone,
counts and edits are those of now.

A channel is somebody's voice: each must be declared in `vigie.toml`, as the institution's own
(`institution.handles`) or under `[[relays]]` (an institution, a medium, an elected official in
office); others are refused, since a person's messages are not watched.

Costs one request a channel and run, one more for each twenty neighbours looked up; nothing is
promised by Telegram, so we ask once in two seconds at most. Known gaps: groups, comments under a
message and channels whose owner has switched the preview off cannot be read; counts are rounded.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipelines.errors import SourceError, StatusRefused
from pipelines.limits import Limit, Rolling
from pipelines.said import Said, some
from pipelines.sources import (
    Collected,
    Cursor,
    Manifest,
    Parsed,
    Payload,
    Request,
    _backwards as backwards,
    _telegram_page as pages,
    _values as values,
)
from pipelines.sources._reading import Reading, begun, each
from pipelines.sources._sieve import Sieve, sieve

log = logging.getLogger(__name__)

MANIFEST = Manifest(
    name="telegram",
    label="Telegram, public channels",
    access="the preview of public channels that t.me shows to anyone; no account, no key",
    terms_url="https://telegram.org/tos",
    legal_basis="GDPR art. 6(1)(e), mission of public interest; declared channels only",
    fields_kept=(
        "channel and number, which are the link",
        "text, question of a poll, head of the link shown",
        "time",
        "links, kinds of media",
        "rounded counts",
    ),
    cost="free",
    retention_days=30,
    deletion_duty="messages are looked up again; one that is not shown any more is emptied",
    limits=(Limit(name="requests", most=1, per=Rolling(2)),),  # ours: Telegram states none
)

_NAME = r"^[A-Za-z][A-Za-z0-9_]{3,40}$"
_MAX_BYTES = 4 * 1024 * 1024
_NEIGHBOURS = 20  # messages that a page shows
_LOOK_UPS = 10  # pages asked to look messages up, a run


class Options(BaseModel):
    """The options of a `[[sources]]` block of kind `telegram`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: Annotated[
        tuple[Annotated[str, Field(pattern=_NAME)], ...], Field(min_length=1, max_length=200)
    ]
    own: tuple[Annotated[str, Field(pattern=_NAME)], ...] = ()
    everything: bool = False
    max_pages: Annotated[int, Field(ge=1, le=200)] = 20
    site: str = "https://t.me"

    @field_validator("channels", "own", mode="before")
    @classmethod
    def _bare(cls, names: Any) -> Any:
        """Names without `@` and address, as people copy them."""
        listed = names if isinstance(names, list | tuple) else ()
        return tuple(
            str(name).strip().rstrip("/").rpartition("/")[2].lstrip("@") for name in listed
        )

    @field_validator("site")
    @classmethod
    def _is_a_site(cls, value: str) -> str:
        return values.site(value)


@dataclass(slots=True, kw_only=True)
class _Run:
    """What a collection has reached: how far each channel was read, and what was met."""

    request: Request
    options: Options
    may_name: Sieve
    told: Mapping[str, Any]
    walks: dict[str, backwards.Walk] = field(default_factory=dict)
    reading: Reading

    def cursor(self) -> Cursor:
        """Where the next run goes on."""
        read = {name: walk.cursor() for name, walk in self.walks.items()}
        wanted = {name.lower() for name in self.options.channels}
        known = {name: told for name, told in self.told.items() if name in wanted}
        return {"channels": {**known, **read}}


def collect(request: Request) -> Iterator[Collected]:
    """New messages of every channel, and those looked up again; touches the network.

    SourceError when no channel could be read; one in trouble does not stop the others.
    """
    options: Options = request.options
    run = _Run(
        request=request,
        options=options,
        may_name=sieve(request.terms),
        told=values.mapping((request.cursor or {}).get("channels")),
        reading=begun(request),
    )
    yield from each(options.channels, lambda name: _read(name.lower(), run), run.reading)
    yield from _checked_again(run)
    log.info("telegram.read source=%s count=%d", request.name, len(run.reading.handed))
    yield run.reading.checkpoint(run.cursor())


def check(request: Request) -> Said:
    """What `vigie doctor` says of the channels; SourceError for one that cannot be read."""
    run = _Run(
        request=request,
        options=request.options,
        may_name=sieve(request.terms),
        told={},
        reading=Reading(),
    )
    for channel in run.options.channels:
        _page(channel.lower(), None, run)
    return some(
        "shows the preview of {n} channel",
        "shows the preview of {n} channels",
        n=len(run.options.channels),
    )


def _read(channel: str, run: _Run) -> Iterator[Payload]:
    """What is new in a channel."""
    listed = backwards.Listed(
        page=lambda before: list(_page(channel, before, run)), number=_number, at=_at
    )
    walk = backwards.begun(
        run.told.get(channel),
        listed,
        since=run.request.since,
        until=run.request.until,
        pages=run.options.max_pages,
    )
    run.walks[channel] = walk
    for span in walk.todo():
        for page in backwards.walked(span, walk):
            yield from _handed_over(page, run)
    if walk.spans and walk.pages <= 0:
        run.reading.cut(f"{channel}: there is more, and the next run goes on from here")


def _number(message: Any) -> int | None:
    return message.number if isinstance(message, pages.Message) else None


def _at(message: Any) -> datetime | None:
    return values.time(message.written_at) if isinstance(message, pages.Message) else None


def _page(channel: str, before: int | None, run: _Run) -> tuple[pages.Message, ...]:
    """The messages of a channel below a number, the newest first; SourceError for no preview."""
    params = {} if before is None else {"before": str(before)}
    url = f"{run.options.site}/s/{channel}"
    try:
        answer = run.request.client.get(
            url, params=params, headers={"accept-language": "en"}, max_bytes=_MAX_BYTES
        )
    except StatusRefused as error:
        raise _explained(error, channel) from error
    if not urlsplit(answer.url).path.lower().startswith("/s/"):
        raise SourceError(
            f"the channel {channel!r} has no public preview (its owner has switched it off, or "
            "there is no such channel): take it out of vigie.toml"
        )
    page = pages.read_page(answer.text)
    if not page.is_preview:
        raise SourceError(
            f"the page of the channel {channel!r} is not the preview that is known: Telegram may "
            "have changed it, or keeps programs out"
        )
    return tuple(m for m in page.messages if m.channel == channel)


def _explained(error: StatusRefused, channel: str) -> StatusRefused:
    if error.status not in {403, 404}:
        return error
    return StatusRefused(
        f"t.me answered with status {error.status} for the channel {channel!r}: check its name, or "
        "take it out of vigie.toml",
        status=error.status,
        content=error.content,
    )


def _handed_over(messages: list[Any], run: _Run) -> Iterator[Payload]:
    """The payloads of messages that may name a subject, each once a run."""
    own = {name.lower() for name in run.options.own}
    for message in messages:
        is_wanted = (
            run.options.everything
            or message.channel in own
            or run.may_name((message.words,), _hashtags(message.words))
        )
        if is_wanted and run.reading.is_first(f"{message.channel}/{message.number}"):
            yield Payload(kind="message", data=message.landed())


def _hashtags(words: str) -> list[str]:
    return [word[1:] for word in words.split() if word.startswith("#")]


# Looked up again


def _checked_again(run: _Run) -> Iterator[Payload]:
    """Messages kept earlier as they are now, or gone."""
    for channel, numbers in _by_page(run):
        try:
            shown = {m.number: m for m in _page(channel, max(numbers) + 1, run)}
        except SourceError as error:
            run.reading.notes.append(f"deletions could not be checked: {error}")
            continue
        yield from _found_again(channel, numbers, shown, run)


def _by_page(run: _Run) -> Iterator[tuple[str, list[int]]]:
    """The numbers to look up, by channel, as many together as one page may show."""
    wanted: defaultdict[str, list[int]] = defaultdict(list)
    channels = {name.lower() for name in run.options.channels}
    for native_id in run.request.recheck_ids:
        channel, _, number = native_id.partition("/")
        if channel in channels and (found := values.row_id(number)):
            wanted[channel].append(found)
    asked = [
        (channel, part)
        for channel, numbers in wanted.items()
        for part in _parts(sorted(set(numbers), reverse=True))
    ]
    yield from asked[:_LOOK_UPS]


def _parts(numbers: list[int]) -> Iterator[list[int]]:
    """Numbers in falling order, cut where two lie further apart than a page reaches."""
    part: list[int] = []
    for number in numbers:
        if part and part[0] - number >= _NEIGHBOURS:
            yield part
            part = []
        part.append(number)
    if part:
        yield part


def _found_again(
    channel: str, numbers: list[int], shown: dict[int, pages.Message], run: _Run
) -> Iterator[Payload]:
    """A page shows the messages below a bound without holes but those deleted."""
    lowest = min(shown, default=max(numbers) + 1)
    for number in numbers:
        if number in shown:
            if run.reading.is_first(f"{channel}/{number}"):
                yield Payload(kind="message", data=shown[number].landed())
        elif number > lowest:
            data = {"native_id": f"{channel}/{number}"}
            yield Payload(kind="gone", data={**data, "checked_at": run.request.until.isoformat()})


def parse(payload: Payload, options: Options) -> Iterator[Parsed]:
    """The post, deletion or rejection of one payload."""
    if payload.kind == "gone":
        yield pages.deletion(payload.data)
        return
    yield pages.parse(payload.data, own=frozenset(name.lower() for name in options.own))
