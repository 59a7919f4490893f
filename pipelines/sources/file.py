"""Exports that people have: CSV, JSON lines, Parquet or XLSX from a listening or publishing tool.

A row is a post. Which column is what comes from a preset (`presets/*.toml`), recognised by the
columns of the file, or from the mapping in `vigie.toml`. A file is read once, unless it changes.
Only the columns that are read are landed: names, portraits and follower counts of people never
enter. Private messages, which some tools export among the rest, are refused by their type.

Costs one pass to hash a file and one to read it. Known gaps: an export is taken whole, whatever
the window of the run; a file within which days and months change places is read in one order,
and what does not fit is rejected; a spreadsheet that has rounded its ids cannot give them back
(the row is then known by its content).
"""

from __future__ import annotations

import codecs
import difflib
import hashlib
import logging
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cached_property, lru_cache
from pathlib import Path, PurePath
from typing import Annotated, Any, cast
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipelines.errors import SourceError
from pipelines.mention import ContentType, Post, Rejection
from pipelines.notes import noted, why
from pipelines.said import say, some
from pipelines.sources import (
    Checkpoint,
    Collected,
    Cursor,
    Manifest,
    Parsed,
    Payload,
    Request,
    _cells,
    _presets,
    _tables,
)

log = logging.getLogger(__name__)

MANIFEST = Manifest(
    name="file",
    label="Exports (CSV, JSON, Parquet, XLSX)",
    access="files that the institution exports from the tools it subscribes to",
    terms_url="the contract of each tool",
    legal_basis="GDPR art. 6(1)(e), mission of public interest; the contract of the tool",
    fields_kept=(
        "id of the post",
        "text",
        "title",
        "link",
        "time",
        "network",
        "kind of post",
        "account (pseudonym)",
        "language",
        "counts",
        "rating",
        "country and town",
    ),
    cost="none beyond the tool's own subscription",
    retention_days=30,
    deletion_duty="a post deleted at its network is not seen here: erase by permalink",
)

_SHORT_ID = 9  # digits; a shorter one may be the row number of any other export
_KEPT_FILES = 5_000
_CLOCK_NAME = re.compile(r"\b(?:heures?|horaire|hours?|time|clock|horodatage)\b")
_CLOCK = re.compile(r"(\d{1,2})\s*(?:[h:]\s*(\d{2})?)?", re.IGNORECASE)
_MIDNIGHT = re.compile(r"[T ]0?0[:h]00(?:[:m]00(?:\.0+)?)?$")
_NAME_LIMIT = 60  # characters of a column's name that a note shows
_WORD_LIMIT = 200  # characters of a network or type that are read, and remembered


class Options(BaseModel):
    """The options of a `[[sources]]` block of kind `file`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Annotated[str, Field(min_length=1)]
    preset: str = "auto"
    columns: dict[str, str | tuple[str, ...]] = {}
    network: str | None = None
    time_zone: str = "Europe/Paris"
    date_format: str | None = None
    day_first: bool | None = None
    encoding: str | None = None
    separator: str | None = None
    where: dict[str, str | int | float | bool | tuple[str | int, ...]] = {}
    sheet: str | None = None

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        if ".." in PurePath(path).parts:
            raise ValueError("leads out of the home: write a path inside it, or an absolute one")
        return path

    @field_validator("preset")
    @classmethod
    def _there(cls, preset: str) -> str:
        choices = ("auto", *_presets.names(), "none")
        if preset not in choices:
            raise ValueError(f"choose one of {', '.join(choices)}")
        return preset

    @field_validator("columns")
    @classmethod
    def _fields(cls, columns: dict[str, Any]) -> dict[str, Any]:
        for name in columns:
            if name not in _presets.FIELDS:
                near = difflib.get_close_matches(name, _presets.FIELDS, n=1)
                hint = f"did you mean {near[0]}? " if near else ""
                raise ValueError(
                    f"{name!r} is not a field: {hint}choose among {', '.join(_presets.FIELDS)}"
                )
        return columns

    @field_validator("network")
    @classmethod
    def _network(cls, network: str | None) -> str | None:
        known = None if network is None else _cells.network_of(network)
        if network is not None and known is None:
            raise ValueError("choose one of " + ", ".join(_cells.NETWORKS))
        return known

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise ValueError("write a zone such as Europe/Paris, Indian/Reunion or UTC")
        return zone

    @field_validator("encoding")
    @classmethod
    def _encoding(cls, encoding: str | None) -> str | None:
        try:
            return encoding and codecs.lookup(encoding).name
        except LookupError:
            raise ValueError("write an encoding such as utf-8, utf-16 or cp1252") from None

    @field_validator("separator")
    @classmethod
    def _separator(cls, separator: str | None) -> str | None:
        character = "\t" if separator in ("tab", "\\t") else separator
        if character is not None and len(character) != 1:
            raise ValueError('write one character, or "tab"')
        return character

    @cached_property
    def key(self) -> tuple[object, ...]:
        """All that changes how a row is read."""
        columns = tuple(sorted((f, str(c)) for f, c in self.columns.items()))
        return (columns, self.network, self.time_zone, self.date_format)

    def __hash__(self) -> int:
        return hash(self.key)


# --- collect


def collect(request: Request) -> Iterator[Collected]:
    """The rows of every file that is new or changed, a Checkpoint after each file.

    A file that cannot be read does not stop the others; once nothing else is new it raises
    SourceError, run after run, until it is mended or moved.
    """
    options = cast("Options", request.options)
    taken: dict[str, Any] = dict((request.cursor or {}).get("files", {}))
    faults: list[str] = []
    notes: list[str] = []
    for path in _files(request.home, options.path):
        try:
            note = yield from _file(path, request, taken)
        except SourceError as error:
            faults.append(why(error))
            continue
        if note:
            notes.append(note)
            yield Checkpoint(cursor=_cursor(taken), note=_told(faults, notes))
    if faults and not notes:
        raise SourceError(_told(faults, ()))
    if faults:
        yield Checkpoint(cursor=_cursor(taken), note=_told(faults, notes))


def _told(faults: Sequence[str], notes: Sequence[str]) -> str | None:
    """What the operator should know: each fault, then the last files read."""
    return noted([*faults, *notes[-20:]], a_line_each=True)


def _files(home: Path, path: str) -> list[Path]:
    """The exports that a path names: a file, those of a folder, those that match a pattern."""
    whole = home / path
    with _tables.told(whole):
        if whole.is_dir():
            return sorted(p for p in whole.iterdir() if p.is_file() and _tables.is_table(p))
        if any(c in path for c in "*?["):
            root = Path(whole.anchor)
            found = root.glob(str(whole.relative_to(root)))
            return sorted(p for p in found if p.is_file() and _tables.is_table(p))
        if whole.exists():
            return [whole]
    raise SourceError(
        say(
            "{path} does not exist: put the export there, or correct `path` in vigie.toml",
            path=whole,
        )
    )


def _file(path: Path, request: Request, taken: dict[str, Any]) -> Generator[Collected, None, str]:
    """The rows of one file; the note that says how it went, "" when it was read before."""
    name = _key(path, request.home)
    with _tables.told(path):
        stat = path.stat()
        size_and_time = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
        before = taken.get(name, {})
        if {k: before.get(k) for k in size_and_time} == size_and_time:
            return ""
        mark = {"sha256": _sha256(path), **size_and_time}
    if mark["sha256"] in {m.get("sha256") for m in taken.values()}:
        taken[name] = mark
        return say("{file}: the same content was read before", file=_tables.name_of(path))
    note = yield from _rows(path, request, made_at=datetime.fromtimestamp(stat.st_mtime, UTC))
    with _tables.told(path):
        is_same = path.stat().st_mtime_ns == stat.st_mtime_ns
    if not is_same:
        return say("{note}; it changed meanwhile and is read again", note=note)
    taken[name] = mark
    return note


def _key(path: Path, home: Path) -> str:
    """A file's path within the home, spelt so that JSON can hold it whatever bytes it has."""
    name = str(path.relative_to(home) if path.is_relative_to(home) else path)
    return name.encode("utf-8", "backslashreplace").decode()


def _cursor(taken: Mapping[str, Any]) -> Cursor:
    return {"files": dict(list(taken.items())[-_KEPT_FILES:])}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taking:
    """How the rows of one table are taken: columns read, rows wanted, what each payload says."""

    read: tuple[str, ...]
    wanted: Mapping[str, frozenset[str]]
    kind_column: str | None
    said: Mapping[str, Any]
    place: str


def _rows(path: Path, request: Request, *, made_at: datetime) -> Generator[Collected, None, str]:
    """One payload a row of a file; what comes back is the note for the operator."""
    options = cast("Options", request.options)
    table = _tables.opened(path, _hints(options))
    if not table.columns:
        return say("{file}: empty", file=_tables.name_of(path))
    taking = _taking(table, request, place=_tables.name_of(path), made_at=made_at)
    row_count = left_out = 0
    has_clock = False
    for row in table.rows(taking.read):
        payload = _payload(row, taking)
        if payload is None:
            left_out += 1
        else:
            row_count += payload.kind == "row"
            has_clock = has_clock or _has_clock(payload, options)
            yield payload
    preset = taking.said["preset"]
    log.info("file.read rows=%d left_out=%d preset=%s", row_count, left_out, preset)
    left = some(", {n} row left out", ", {n} rows left out", n=left_out) if taking.wanted else ""
    clock = "" if has_clock or not row_count else _without_clock(table.columns, taking.read)
    return some(
        "{file}: {n} row read as {preset}{left}{clock}",
        "{file}: {n} rows read as {preset}{left}{clock}",
        n=row_count,
        file=_tables.name_of(path),
        preset=preset,
        left=left,
        clock=clock,
    )


def _has_clock(payload: Payload, options: Options) -> bool:
    """Whether a row tells the hour of its post: a time of the zone's midnight is a day alone."""
    if payload.kind != "row":
        return False
    of, cells = payload.data["of"], payload.data["cells"]
    reading = _reading(options, of["preset"], of["day_first"], tuple(cells))
    moment = _moment(*_time_cells(cells, reading), reading.clock)
    if moment is None or moment.precision == "day":
        return False
    local = moment.at.astimezone(reading.clock.zone)
    return (local.hour, local.minute, local.second) != (0, 0, 0)


def _without_clock(columns: Sequence[str], read: Sequence[str]) -> str:
    """What the note says of a file whose posts are all of midnight: no rule sees their hours."""
    unread = [c for c in columns if c not in read and _CLOCK_NAME.search(_presets.key(c))]
    remedy = (
        say(
            "if {column!r} is the clock, write in vigie.toml "
            "columns = {{ published_time = {column!r} }}",
            column=unread[0],
        )
        if unread and len(unread[0]) <= _NAME_LIMIT
        else say("export it with the time of each post")
    )
    return say(
        "; no clock: every post counts as of 00:00, and alerts come late or not ({remedy})",
        remedy=remedy,
    )


def _taking(table: _tables.Table, request: Request, *, place: str, made_at: datetime) -> _Taking:
    options = cast("Options", request.options)
    plan = _presets.plan(
        table.columns,
        preset=options.preset,
        mapping=options.columns,
        where=tuple(options.where),
        place=place,
    )
    is_day_first = _is_day_first(table, plan, options, made_at, place=place)
    wanted = _wanted(table, plan, options)
    return _Taking(
        read=tuple(dict.fromkeys((*plan.read, *wanted))),
        wanted=wanted,
        kind_column=plan.one("content_type"),
        said={"block": request.name, "preset": plan.preset, "day_first": is_day_first},
        place=place,
    )


def _payload(row: _tables.Row, taking: _Taking) -> Payload | None:
    """A row as it lands; without its cells when it is broken or private, None when not wanted."""
    cells, kind = row.cells, "row"
    if cells is None:
        data: dict[str, Any] = {"row": row.number, "fault": row.fault}
        return Payload(kind="broken", instance=taking.place, data=data)
    for column, values in taking.wanted.items():
        if _cells.text_of(cells[column]).casefold() not in values:
            return None
    data = {"row": row.number, "of": taking.said, "cells": cells}
    word = cells[taking.kind_column] if taking.kind_column else None
    if private := _cells.private_type_in(str(word or "")):
        kind, data = "private", {"row": row.number, "detail": private}
    return Payload(kind=kind, instance=taking.place, data=data)


def _hints(options: Options) -> _tables.Hints:
    return _tables.Hints(
        rank=lambda columns: _rank(columns, options),
        encoding=options.encoding,
        separator=options.separator,
        sheet=options.sheet,
    )


def _rank(columns: Sequence[str], options: Options) -> int:
    """How many fields a row of names gives; 0 unless it gives a text and a time."""
    preset = _presets.recognised(columns) if options.preset == "auto" else options.preset
    found = _presets.fit(columns, preset=preset, mapping=options.columns)
    has_needed = "published_at" in found and ("text" in found or "title" in found)
    return len(found) if has_needed else 0


def _wanted(
    table: _tables.Table, plan: _presets.Plan, options: Options
) -> dict[str, frozenset[str]]:
    """For each column of `where` and of the preset's `keep`, the values whose rows are taken."""
    by_key = {_presets.key(c): c for c in reversed(table.columns)}
    kept = _presets.load(plan.preset).keep
    wanted = {by_key[column]: values for column, values in kept.items() if column in by_key}
    for column, value in options.where.items():
        listed = value if isinstance(value, tuple) else (value,)
        wanted[by_key[_presets.key(column)]] = frozenset(
            _cells.text_of(v).casefold() for v in listed
        )
    return wanted


def _is_day_first(
    table: _tables.Table,
    plan: _presets.Plan,
    options: Options,
    made_at: datetime,
    *,
    place: str,
) -> bool:
    """Whether 03/04 is the third of April in this file: as the settings, the file, or the preset
    tell; in that order, and by French custom when none does."""
    if options.day_first is not None or options.date_format:
        return options.day_first is not False
    column = cast("str", plan.one("published_at"))
    preset, name = _presets.load(plan.preset), _presets.key(column)
    cells = (row.cells[column] for row in table.rows((column,)) if row.cells)
    found = _cells.day_first_in(cells, made_at=made_at)
    if found is not None:
        return found
    if name in preset.unsure_order and _has_order(table, column):
        raise SourceError(
            f"{place}: every date of {column!r} reads both as day/month and as month/day: look at "
            "one post, then write day_first = true (or false) in vigie.toml"
        )
    return name not in preset.month_first


def _has_order(table: _tables.Table, column: str) -> bool:
    first = next((row.cells[column] for row in table.rows((column,)) if row.cells), None)
    return _cells.has_order(first)


# --- parse


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """How the rows of one file are read: the clock, and the column of each field."""

    clock: _cells.Clock
    network: str | None
    fallback_network: str | None
    texts: tuple[str, ...]
    one: Mapping[str, str]
    plain: tuple[tuple[str, str, Callable[[Any], Any]], ...]  # field, column, cell to value


_PLAIN: dict[str, Callable[[Any], Any]] = {
    "like_count": _cells.count_of,
    "reply_count": _cells.count_of,
    "share_count": _cells.count_of,
    "quote_count": _cells.count_of,
    "view_count": _cells.count_of,
    "bookmark_count": _cells.count_of,
    "rating_value": _cells.number_of,
    "thread_id": _cells.id_of,
    "parent_native_id": _cells.id_of,
    "community": _cells.known,
    "geo_country": _cells.known,
    "geo_place": _cells.known,
    "hashtags": _cells.words_of,
    "mentioned_handles": _cells.words_of,
}


@lru_cache(maxsize=256)
def _reading(
    options: Options, preset: str, is_day_first: bool, columns: tuple[str, ...]
) -> _Reading:
    plan = _presets.plan(columns, preset=preset, mapping=options.columns, place="a landed row")
    one = {name: found[0] for name, found in plan.columns.items()}
    clock = _cells.Clock(_zone(one["published_at"], options), is_day_first, options.date_format)
    plain = {**_PLAIN, "edited_at": lambda cell: _edited(cell, clock)}
    return _Reading(
        clock=clock,
        network=options.network,
        fallback_network=_presets.load(preset).network,
        texts=plan.columns["text"],
        one=one,
        plain=tuple((name, one[name], read) for name, read in plain.items() if name in one),
    )


def _edited(cell: Any, clock: _cells.Clock) -> datetime | None:
    found = _cells.time_of(cell, clock)
    return found.at if found else None


def _zone(column: str, options: Options) -> tzinfo:
    """The zone of naive times: UTC where the column says so ("Date (GMT)"), else the options'."""
    return (
        UTC if re.search(r"\b(?:utc|gmt)\b", column, re.IGNORECASE) else ZoneInfo(options.time_zone)
    )


def _detail(data: Mapping[str, Any]) -> str:
    """What was wrong with a row; what landed in words stays as it was written."""
    return _tables.Fault(*data["fault"]).said if data.get("fault") else str(data["detail"])


def parse(payload: Payload, options: Options) -> Iterator[Parsed]:
    """The Post of a row, or the Rejection that says why it is none: `empty_text`, `bad_date`,
    `broken_row`, `private_message`."""
    data = payload.data
    place = say("{file} row {n}", file=payload.instance, n=data["row"])
    if payload.kind != "row":
        reason = "private_message" if payload.kind == "private" else "broken_row"
        yield Rejection(
            source="file",
            native_id=None,
            reason=reason,
            detail=say("{place}: {detail}", place=place, detail=_detail(data)),
        )
        return
    of, cells = data["of"], data["cells"]
    reading = _reading(options, of["preset"], of["day_first"], tuple(cells))
    yield _post(cells, reading, instance=payload.instance, block=of["block"], place=place)


def _post(
    cells: Mapping[str, Any], reading: _Reading, *, instance: str | None, block: str, place: str
) -> Post | Rejection:
    def cell(name: str) -> Any:
        column = reading.one.get(name)
        return cells.get(column) if column else None

    raw_id = _cells.id_of(cell("native_id"))
    text, title = _text(cells, reading)
    if not text:
        return Rejection(source="file", native_id=raw_id, reason="empty_text", detail=place)
    moment = _moment(*_time_cells(cells, reading), reading.clock)
    if moment is None:
        shown = _cells.safe(cell("published_at"))
        detail = say(
            "{place}: {shown} is not a time; see date_format and day_first in vigie.toml",
            place=place,
            shown=shown,
        )
        return Rejection(source="file", native_id=raw_id, reason="bad_date", detail=detail)
    url = _cells.url_of(cell("url"))
    network = _network(cell("network"), reading, url)
    handle = (_cells.known(cell("author_handle")) or "").lstrip("@") or None
    author = _cells.id_of(cell("author_id")) or handle
    return Post(
        native_id=_native_id(raw_id, block, network, url, moment.at, author, text),
        text=text,
        title=title,
        url=url,
        published_at=moment.at,
        published_precision=moment.precision,
        network=network,
        source_instance=instance,
        content_type=_content_type(cell("content_type"), network),
        collected_via="export",
        author_id=author,
        author_handle=handle,
        lang_declared=_lang(cell("lang_declared")),
        **{name: read(cells.get(column)) for name, column, read in reading.plain},
    )


def _text(cells: Mapping[str, Any], reading: _Reading) -> tuple[str, str | None]:
    """The longest of the text columns, and the title; the title alone when there is no text."""
    texts = [_cells.text_of(cells.get(column)) for column in reading.texts]
    text = max(texts, key=len)
    title = _cells.text_of(cells.get(reading.one.get("title", "")))
    if not text or text == title:
        return title or text, None
    return text, title or None


def _moment(day: Any, hour: Any, clock: _cells.Clock) -> _cells.Moment | None:
    """The time of a post, its clock in a cell of its own or not."""
    apart = _clock_of(_cells.text_of(hour)[:_NAME_LIMIT])
    alone = _MIDNIGHT.sub("", _cells.text_of(day))  # a spreadsheet writes a day with its midnight
    if apart and (found := _cells.time_of(f"{alone} {apart}", clock)):
        return found
    return _cells.time_of(day, clock)


def _clock_of(text: str) -> str:
    """A clock as ISO 8601 writes it, where it is one of those that French people write: 8 h 05."""
    found = _CLOCK.fullmatch(text)
    return f"{found[1]:0>2}:{found[2] or '00'}" if found else text


def _time_cells(cells: Mapping[str, Any], reading: _Reading) -> tuple[Any, Any]:
    """The cell of the day (or of the whole time), and that of a clock of its own, None if none."""
    day, hour = (reading.one.get(name) for name in ("published_at", "published_time"))
    return cells.get(day or ""), cells.get(hour or "") if hour != day else None


def _network(cell: Any, reading: _Reading, url: str | None) -> str:
    if reading.network:
        return reading.network
    word = _cells.text_of(cell)[:_WORD_LIMIT]
    found = _cells.network_of(word) if word else None
    return found or _cells.network_of_url(url) or reading.fallback_network or "web"


def _content_type(cell: Any, network: str) -> ContentType:
    found = _cells.content_type_of(str(cell)[:_WORD_LIMIT]) if cell else None
    if found:
        return found
    return {"press": "article", "reviews": "review"}.get(network, "post")  # type: ignore[return-value]


def _lang(cell: Any) -> str | None:
    word = _cells.text_of(cell).casefold()
    return _cells.LANGUAGES.get(word) or (
        word[:2] if re.fullmatch("[a-z]{2}([-_].+)?", word) else None
    )


def _native_id(
    raw_id: str | None, block: str, network: str, url: str | None, at: datetime,
    author: str | None, text: str,
) -> str:  # fmt: skip
    """The id that the export gives; a short number only within its block; else of the content.

    The content holds neither the file's name nor counts, so that the same post in tomorrow's
    export is the same mention.
    """
    if raw_id is None:
        parts = (network, url or "", at.astimezone(UTC).isoformat(), author or "", text)
        return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:40]
    if raw_id.isdigit() and len(raw_id) <= _SHORT_ID:
        return f"{block}:{raw_id}"
    return raw_id
