"""Services Publics+: what citizens tell of administrations, and what these answered (open data).

The platform of the DITP publishes every moderated experience under the Licence Ouverte, on an
Opendatasoft portal (Explore API v2.1, read 2026-11-20). The dataset is asked first when it was
last processed: as long as it is the same, a run costs this one request. When it is new, the last
`reread_days` are read again, since answers come weeks after the words that they answer: rows that
changed are landed, rows that are gone are deletions.

A slice of 30 days is read in pages of 100 while it is small, else by the export, which knows no
limit (pages end at 10,000 rows). Only the columns that are read are asked for, and only the rows
that name a watched subject or one of `structures` are written down.

Costs a request a run, some ten a day. Known gaps: what was published more than `reread_days` ago
is never looked at again; moderation takes days, so nothing here is urgent.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field

from pipelines import http
from pipelines.errors import RateLimited, SourceError, StatusRefused
from pipelines.limits import Daily, Limit
from pipelines.mention import Deletion, Rejection
from pipelines.notes import noted
from pipelines.sources import (
    Checkpoint,
    Collected,
    Cursor,
    Manifest,
    Parsed,
    Payload,
    Request,
    _plus_experience as experiences,
    _values as values,
)
from pipelines.sources._plus_experience import Experience
from pipelines.sources._sieve import Sieve, sieve

log = logging.getLogger(__name__)

MANIFEST = Manifest(
    name="services_publics_plus",
    label="Services Publics+",
    access="open data of the DITP on its Opendatasoft portal; no account, no key",
    terms_url="https://www.etalab.gouv.fr/licence-ouverte-open-licence/",
    legal_basis="GDPR art. 6(1)(e), mission of public interest; data published for reuse",
    fields_kept=(
        "number and address of the experience",
        "title, text, feeling",
        "day of writing, of publication, of the first answer",
        "department",
        "services concerned and their answers",
        "pseudonym of the citizen (hashed)",
    ),
    cost="free",
    retention_days=180,
    deletion_duty="experiences and answers that are gone from the data are emptied at the next "
    "reading, as long as they are younger than reread_days",
    limits=(Limit(name="calls", most=10_000, per=Daily()),),
)

_PAGE = 100  # the most that a page of records gives
_PAGES_LIMIT = 10  # a slice of more pages is exported
_SLICE = timedelta(days=30)
_EXPORT_BYTES = 64 * 1024 * 1024
_TRIES = 3  # of a slice whose number of rows changes while it is paged
_FEW = 5  # rows that may all be gone at once
_LONGEST_REST = timedelta(days=2)


class Options(BaseModel):
    """The options of a `[[sources]]` block of kind `services_publics_plus`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Annotated[str, Field(pattern=r"^https?://[^\s/@?#]+/?$")] = (
        "https://opendata.plus.transformation.gouv.fr"
    )
    dataset: Annotated[str, Field(pattern=r"^[\w-]{1,100}$")] = "export-experiences"
    structures: tuple[str, ...] = ()
    departments: tuple[str, ...] = ()
    reread_days: Annotated[int, Field(ge=1, le=365)] = 90
    key_env: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")] | None = None

    @property
    def own(self) -> tuple[str, ...]:
        """The names of `structures` as they are compared."""
        return tuple(filter(None, map(experiences.letters, self.structures)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Dataset:
    """The dataset as it says of itself: its columns by our names, when it was processed."""

    columns: Mapping[str, str]
    processed_at: str | None


@dataclass(slots=True, kw_only=True)
class _Run:
    """What one collection knows: rows met, rows kept as `number: [hash, day, answers]`."""

    request: Request
    dataset: _Dataset
    before: Mapping[str, Any]
    may_name: Sieve
    since_on: date
    until_on: date
    met: set[str] = field(default_factory=set)
    kept: dict[str, list[Any]] = field(default_factory=dict)
    other_count: int = 0
    notes: list[str] = field(default_factory=list)


def collect(request: Request) -> Iterator[Collected]:
    """Experiences that are new or changed, and those that are gone; touches the network.

    SourceError when the portal, the dataset or its columns are not what they should be,
    RateLimited with the moment of the reset when the day's quota is spent. Nothing is handed over
    for good before the whole window has been read.
    """
    of = f"{request.options.host.rstrip('/')} {request.options.dataset}"
    cursor = request.cursor if (request.cursor or {}).get("of") == of else None
    dataset = _described(request)
    if cursor and dataset.processed_at and cursor.get("processed_at") == dataset.processed_at:
        yield Checkpoint(cursor=cursor)
        return
    run = _begun(request, dataset, cursor or {})
    for since_on, until_on in _slices(run.since_on, run.until_on):
        for row in _rows(run, since_on, until_on):
            yield from _handed_over(row, run)
    yield from _gone(run)
    log.info(
        "services_publics_plus.read source=%s rows=%d kept=%d other=%d",
        request.name,
        len(run.met),
        len(run.kept),
        run.other_count,
    )
    moved: Cursor = {"of": of, "processed_at": dataset.processed_at, "rows": run.kept}
    yield Checkpoint(cursor=moved, note=noted(run.notes))


def _begun(request: Request, dataset: _Dataset, cursor: Cursor) -> _Run:
    window = timedelta(days=request.options.reread_days)
    since = min(request.since, request.until - window)
    return _Run(
        request=request,
        dataset=dataset,
        before=values.mapping(cursor.get("rows")),
        may_name=sieve(request.terms),
        since_on=since.date(),
        until_on=request.until.date() + timedelta(days=1),
    )


def _described(request: Request) -> _Dataset:
    """The dataset's own description; SourceError naming every column that it lacks."""
    found = values.mapping(_asked(request, "", {}).json())
    fields = (values.mapping(each).get("name") for each in values.items(found.get("fields")))
    columns = experiences.columns(name for name in fields if isinstance(name, str))
    if lacking := experiences.missing(columns):
        raise SourceError(
            f"the dataset {request.options.dataset!r} of {request.options.host} has no column "
            f"{', '.join(lacking)}: its schema has changed, or it is another dataset; correct "
            "`dataset`, or add the new names to pipelines/sources/_plus_experience.py"
        )
    metas = values.mapping(values.mapping(found.get("metas")).get("default"))
    processed_at = values.string(metas.get("data_processed")) or values.string(
        metas.get("modified")
    )
    return _Dataset(columns=columns, processed_at=processed_at)


def _asked(
    request: Request, path: str, params: http.Params, *, max_bytes: int | None = None
) -> http.Response:
    options: Options = request.options
    dataset = quote(options.dataset, safe="")
    url = f"{options.host.rstrip('/')}/api/explore/v2.1/catalog/datasets/{dataset}{path}"
    headers = _credentials(request)
    try:
        return request.client.get(url, params=params, headers=headers, max_bytes=max_bytes)
    except RateLimited as error:
        if (later := _until_reset(error, request)) is not None:
            raise later from error
        raise
    except StatusRefused as error:
        raise _explained(error, options) from error


def _credentials(request: Request) -> dict[str, str]:
    name = request.options.key_env
    if name is None:
        return {}
    key = request.secrets.get(name, "").strip()
    if not key:
        raise SourceError(
            f"{request.name} names the variable {name}, which is not set: put the key of the "
            "portal in it, or take key_env out of vigie.toml (none is needed)"
        )
    return {"authorization": f"Apikey {key}"}


def _until_reset(error: RateLimited, request: Request) -> RateLimited | None:
    """The error with the reset that the portal tells, which may be hours away; None without one."""
    cause = error.__cause__
    body = _json(cause.content) if isinstance(cause, StatusRefused) else {}
    reset_at = values.time(body.get("reset_time"))
    if reset_at is None or not error.retry_at < reset_at < request.client.now() + _LONGEST_REST:
        return None
    unit = str(body.get("limit_time_unit"))[:10]
    return RateLimited(
        f"{request.options.host} has no calls left for this {unit}; it may be asked again at "
        f"{reset_at:%Y-%m-%d %H:%MZ}",
        reset_at,
    )


def _json(content: bytes) -> dict[str, Any]:
    try:
        return values.mapping(json.loads(content))
    except (ValueError, RecursionError):
        return {}


def _explained(error: StatusRefused, options: Options) -> StatusRefused:
    remedies = {
        400: "the portal does not take the question: it may have changed its interface",
        401: "it does not take the key: set a new one in the variable that key_env names",
        403: "it does not let us in: the dataset may have been closed",
        404: f"it has no dataset {options.dataset!r}: correct `dataset`, which was "
        "export-expa-c-riences before 2025",
    }
    if error.status not in remedies:
        return error
    message = f"{options.host} answered with status {error.status}: {remedies[error.status]}"
    return StatusRefused(message, status=error.status, content=error.content)


def _slices(since_on: date, until_on: date) -> Iterator[tuple[date, date]]:
    """The window in pieces of 30 days, half open, the oldest first."""
    at = since_on
    while at < until_on:
        yield at, min(at + _SLICE, until_on)
        at += _SLICE


def _rows(run: _Run, since_on: date, until_on: date) -> Iterator[Any]:
    """Every row published in a slice, each once.

    Pages shift when the dataset is published anew between two of them: a slice whose number of
    rows changes is read again from its start.
    """
    question = _question(run.dataset, since_on, until_on)
    for _ in range(_TRIES):
        first = _page(run, question, 0)
        if first.total_count > _PAGE * _PAGES_LIMIT:
            yield from _exported(run, question)
            return
        pages = [first]
        while len(first.rows) and len(pages) * _PAGE < first.total_count:
            pages.append(_page(run, question, len(pages) * _PAGE))
        if all(page.total_count == first.total_count for page in pages):
            yield from (row for page in pages for row in page.rows)
            return
    yield from _exported(run, question)


def _question(dataset: _Dataset, since_on: date, until_on: date) -> dict[str, str]:
    """The parameters that records and exports share; the columns are those that are read."""
    published, number = dataset.columns["published"], dataset.columns["id"]
    return {
        "select": ",".join(f"`{name}`" for name in dataset.columns.values()),
        "where": f"`{published}` >= date'{since_on}' and `{published}` < date'{until_on}'",
        "order_by": f"`{published}`,`{number}`",
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    total_count: int
    rows: tuple[Any, ...]


def _page(run: _Run, question: Mapping[str, str], offset: int) -> _Page:
    params = {**question, "limit": str(_PAGE), "offset": str(offset)}
    found = values.mapping(_asked(run.request, "/records", params).json())
    total, rows = values.count(found.get("total_count")), found.get("results")
    if total is None or not isinstance(rows, list):
        raise SourceError(
            f"{run.request.options.host} answered without records: check that `host` is an "
            "Opendatasoft portal"
        )
    return _Page(total_count=total, rows=tuple(rows))


def _exported(run: _Run, question: Mapping[str, str]) -> list[Any]:
    answer = _asked(run.request, "/exports/json", question, max_bytes=_EXPORT_BYTES)
    found = answer.json()
    if not isinstance(found, list):
        raise SourceError(
            f"{run.request.options.host} answered with an export that is no list of rows: check "
            "that `host` is an Opendatasoft portal"
        )
    return found


def _handed_over(row: Any, run: _Run) -> Iterator[Payload]:
    """The row, where it is new or changed and concerns what is watched; answers withdrawn."""
    found = experiences.read(row)
    if isinstance(found, Rejection):
        yield Payload(kind="experience", data=row)
        return
    if found.id in run.met:
        return
    run.met.add(found.id)
    if not _is_watched(found, run):
        run.other_count += 1
        return
    mark = values.digest(json.dumps(row, sort_keys=True, default=str), size=5)
    known = _known(run.before.get(found.id))
    day = found.published[0].date() if found.published[0] else run.since_on
    run.kept[found.id] = [mark, day.isoformat(), list(found.answers)]
    if known is None or known.mark != mark:
        yield Payload(kind="experience", data=row)
    withdrawn = set(known.answers).difference(found.answers) if known else ()
    for number in sorted(withdrawn):
        yield _gone_payload(experiences.answer_id(found.id, number), run)


def _is_watched(found: Experience, run: _Run) -> bool:
    """Whether a row is of the departments asked for, and of our services or names a subject."""
    options: Options = run.request.options
    if options.departments and not _is_there(found.department, options.departments):
        return False
    names = [experiences.letters(name) for name in found.structures.values()]
    if any(own in name for own in options.own for name in names):
        return True
    return run.may_name(found.texts, ())


def _is_there(department: str | None, wanted: tuple[str, ...]) -> bool:
    """Whether a department is one of those wanted, by its name or by its number."""
    marks = _marks_of(department or "")
    return any(not marks.isdisjoint(_marks_of(each)) for each in wanted)


def _marks_of(department: str) -> set[str]:
    """A department by its number ("2A", "974") and by the letters of its name ("rhone")."""
    number = re.search(r"\b(?:\d{2,3}|2[AB])\b", department.upper())
    name = experiences.letters(re.sub(r"\b(?:\d{2,3}|2[ABab])\b", "", department))
    return {mark for mark in (number[0] if number else "", name) if mark}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A row as it was when it was last handed over."""

    mark: str
    published_on: date
    answers: tuple[int, ...]


def _known(value: Any) -> _Known | None:
    """What the cursor says of a row; None for what this module did not write."""
    try:
        mark, day, answers = value
        numbers = tuple(n for n in answers if n in experiences.ANSWERS)
        return _Known(mark=str(mark), published_on=date.fromisoformat(day), answers=numbers)
    except (TypeError, ValueError):
        return None


def _gone(run: _Run) -> Iterator[Payload]:
    """Rows met before that the window no longer holds; none where nearly all would be gone."""
    before = {number: known for number, value in run.before.items() if (known := _known(value))}
    young = {n: k for n, k in before.items() if run.since_on <= k.published_on < run.until_on}
    gone = [number for number in young if number not in run.met]
    if len(gone) > max(_FEW, len(young) // 2):
        run.notes.append(
            f"{len(gone)} of {len(young)} experiences are no longer in the data: none is taken "
            "for deleted; check that `dataset` is still the right one"
        )
        run.kept |= {number: run.before[number] for number in gone}
        return
    for number in gone:
        yield _gone_payload(number, run)
        for answer in young[number].answers:
            yield _gone_payload(experiences.answer_id(number, answer), run)


def _gone_payload(native_id: str, run: _Run) -> Payload:
    data = {"id": native_id, "checked_at": run.request.until.isoformat()}
    return Payload(kind="gone", data=data)


def parse(payload: Payload, options: Options) -> Iterator[Parsed]:
    """The words of a citizen and the answers to them, a deletion, or a rejection. Pure."""
    if payload.kind == "gone":
        yield _deletion(payload.data)
        return
    found = experiences.read(payload.data)
    if isinstance(found, Rejection):
        yield found
    else:
        yield from experiences.posts(found, own=options.own)


def _deletion(data: Any) -> Deletion | Rejection:
    told = values.mapping(data)
    native_id, at = values.string(told.get("id")), values.time(told.get("checked_at"))
    if native_id is None or at is None:
        return experiences.rejection(native_id, "no_id", "a deletion has no id or no time")
    return Deletion(source=MANIFEST.name, native_id=native_id, deleted_at=at, reason="gone")
