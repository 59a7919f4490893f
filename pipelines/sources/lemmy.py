"""Lemmy: posts and comments that a server finds for each watched name, its own and federated ones.

The server's version says which interface it speaks: 3 up to 0.19, 4 from 1.0 on. In version 3
results come newest first, page by page; in version 4 they are bounded by a span of time and paged
by a cursor, in no order that can be relied on. The same post is known by its `ap_id` on every
server, so that two servers asked give it once.

What comes by federation comes late and under the time it was written, so each search goes back
`late_minutes` before where it stands. Posts kept earlier are looked up again by `ap_id`.

Costs a request for the server, one or more a name and run, one a post looked up; a server lets an
address make 60 searches in ten minutes by default. Known gaps: a search is fuzzy, so what it finds
is sifted again; what the server asked does not federate: ask two.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pipelines import http
from pipelines.errors import RateLimited, SourceError, StatusRefused
from pipelines.limits import Limit, Rolling
from pipelines.sources import (
    Collected,
    Manifest,
    Parsed,
    Payload,
    Request,
    _lemmy_view as views,
    _rounds as rounds,
    _values as values,
)
from pipelines.sources._sieve import Sieve, sieve

log = logging.getLogger(__name__)

MANIFEST = Manifest(
    name="lemmy",
    label="Lemmy",
    access="public interface of each server, without an account",
    terms_url="the rules of each server, at /legal; docs/sources.md tells what to look for",
    legal_basis="GDPR art. 6(1)(e), mission of public interest",
    fields_kept=(
        "ap_id, which is the link",
        "title and text",
        "link that a post shares",
        "time of writing and editing",
        "account (pseudonym)",
        "community",
        "counts",
        "language",
    ),
    cost="free",
    retention_days=30,
    deletion_duty="posts and comments are looked up again; one gone, deleted or removed is emptied",
    limits=(Limit(name="searches", most=60, per=Rolling(600)),),
)

_PAGE = 50  # of each kind
_KINDS = ("posts", "comments")
_RECHECKS = 20
_REST = timedelta(minutes=10)  # the span of the limit on searches, which tells no wait
_GONE = {"couldnt_find_object", "couldnt_find_post", "couldnt_find_comment", "not_found"}


class Options(BaseModel):
    """The options of a `[[sources]]` block of kind `lemmy`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instance: str
    queries: rounds.Queries = ()
    communities: tuple[Annotated[str, Field(pattern=r"^[\w.]+(@[\w.:-]+)?$")], ...] = ()
    max_pages: Annotated[int, Field(ge=1, le=50)] = 10
    late_minutes: Annotated[int, Field(ge=0, le=1440)] = 60

    @field_validator("instance")
    @classmethod
    def _is_a_server(cls, value: str) -> str:
        return values.site(value)

    @property
    def host(self) -> str:
        """The host of the server that is asked."""
        return urlsplit(self.instance).netloc


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    """The server that is asked: its interface, and the languages that its numbers stand for."""

    request: Request
    options: Options
    version: int
    languages: Mapping[int, str]
    may_name: Sieve
    round: rounds.Round

    def ask(self, path: str, params: http.Params) -> dict[str, Any]:
        """An answer of the interface; StatusRefused for a refusal, RateLimited for a wait."""
        url = f"{self.options.instance}/api/v{self.version}/{path}"
        client = self.request.client
        try:
            return values.mapping(client.get(url, params=params).json())
        except StatusRefused as error:
            if _word(error) != "rate_limit_error":  # status 400 up to 0.18
                raise _explained(error, self.options) from error
            raise RateLimited(
                f"{self.options.host} asks for fewer searches", client.now() + _REST
            ) from error


def collect(request: Request) -> Iterator[Collected]:
    """What each search finds in the window, and what is looked up again; touches the network.

    SourceError when nothing could be read; when part could, the rest is told in the note and
    comes with the next run.
    """
    options: Options = request.options
    run = rounds.begun(request, kind=MANIFEST.name, of=options.instance)
    server = _server(request, run)
    names = options.queries or tuple(dict.fromkeys(request.terms.names))
    queries = rounds.wanted(names, request)
    yield from rounds.asked(run, queries, lambda query: _found(query, server))
    yield from _checked_again(server)
    yield run.checkpoint()


def _server(request: Request, run: rounds.Round) -> _Server:
    """What the server says of itself; SourceError when it is no Lemmy."""
    options: Options = request.options
    told: dict[str, Any] = {}
    for version in (3, 4):
        try:
            url = f"{options.instance}/api/v{version}/site"
            told = values.mapping(request.client.get(url).json())
        except StatusRefused as error:
            if error.status not in {404, 410}:
                raise _explained(error, options) from error
        if told:
            break
    said = values.string(told.get("version"))
    if said is None:
        raise SourceError(
            f"{options.instance} does not answer as Lemmy does: check that it is the address of a "
            "Lemmy server"
        )
    listed = map(values.mapping, values.items(told.get("all_languages"))[:1_000])
    codes = {values.count(lang.get("id")): values.string(lang.get("code")) for lang in listed}
    return _Server(
        request=request,
        options=options,
        version=3 if said.startswith("0.") else 4,
        languages={n: code for n, code in codes.items() if n and code},
        may_name=sieve(request.terms),
        round=run,
    )


def _explained(error: StatusRefused, options: Options) -> StatusRefused:
    if error.status not in {401, 403} and _word(error) != "instance_is_private":
        return error
    return StatusRefused(
        f"{options.instance} answered with status {error.status}: it shows its posts to members "
        "only, or keeps programs out; ask another server",
        status=error.status,
        content=error.content,
    )


def _word(error: StatusRefused) -> str | None:
    """The word by which Lemmy names an error; None for a page of somebody else."""
    try:
        return values.string(values.mapping(json.loads(error.content)).get("error"))
    except (ValueError, RecursionError):
        return None


# Search


def _found(query: str, server: _Server) -> Iterator[Payload]:
    """What a search finds in every community asked, from where it stands to the window's end."""
    late = timedelta(minutes=server.options.late_minutes)
    since, until = server.round.since(query, overlap=late), server.request.until
    for community in server.options.communities or (None,):
        pages = _pages_v3 if server.version == 3 else _pages_v4
        for page in pages(query, community, since, server):
            for view in page:
                if _is_wanted(view, since, until, server):
                    yield _payload(view, server)
    server.round.reached[query] = until


def _pages_v3(
    query: str, community: str | None, since: datetime, server: _Server
) -> Iterator[list[Any]]:
    """Pages by number, newest first, down to the first without anything of the window."""
    params: dict[str, str] = {"q": query, "type_": "All", "sort": "New", "listing_type": "All"}
    params |= {"community_name": community} if community else {}
    oldest = server.request.until
    for number in range(1, server.options.max_pages + 1):
        found = server.ask("search", {**params, "limit": str(_PAGE), "page": str(number)})
        page = _views(found)
        yield page
        times = [at for view in page if (at := views.at(view))]
        is_last = max(len(values.items(found.get(kind))) for kind in _KINDS) < _PAGE
        if is_last or (times and max(times) < since):
            return
        oldest = min([oldest, *times])
    gap = (since, oldest)
    server.round.tell_cut(gap, f"a search gave more than {server.options.max_pages} pages")


def _pages_v4(
    query: str, community: str | None, since: datetime, server: _Server
) -> Iterator[list[Any]]:
    """Pages by cursor of all that was written since, in whatever order."""
    span = math.ceil((server.request.client.now() - since).total_seconds()) + 60
    params: dict[str, str] = {"search_term": query, "time_range_seconds": str(max(span, 60))}
    params |= {"community_name": community} if community else {}
    for _ in range(server.options.max_pages):
        found = server.ask("search", {**params, "limit": str(_PAGE)})
        yield _views(found)
        cursor = values.string(found.get("next_page"))
        if cursor is None or params.get("page_cursor") == cursor:
            return
        params["page_cursor"] = cursor
    gap = (since, server.request.until)
    server.round.tell_cut(gap, f"a search gave more than {server.options.max_pages} pages")


def _views(found: dict[str, Any]) -> list[Any]:
    return [view for kind in _KINDS for view in values.items(found.get(kind))]


def _is_wanted(view: Any, since: datetime, until: datetime, server: _Server) -> bool:
    """Whether what was found is of the window, names a subject, and was not handed over before.

    What has no time or address is wanted, so that it is rejected with a reason.
    """
    at, address = views.at(view), views.address(view)
    if at is None or address is None:
        return True
    item = views.item(view)
    post = values.mapping(values.mapping(view).get("post"))
    texts = (item.get("name"), item.get("body"), item.get("content"), post.get("name"))
    said = tuple(text for text in texts if isinstance(text, str))
    is_of_window = since <= at < until
    return (
        is_of_window
        and server.may_name(said, ())
        and server.round.is_new(f"{address} {views.changed_at(view)}")
    )


def _payload(view: Any, server: _Server) -> Payload:
    number = values.count(views.item(view).get("language_id"))
    lang = server.languages.get(number or 0)
    data = views.kept(view, lang=None if lang == "und" else lang)
    return Payload(kind="view", data=data, instance=server.options.host)


# Looked up again


def _checked_again(server: _Server) -> Iterator[Payload]:
    """Posts and comments kept earlier as they are now: again, or gone."""
    missing: list[str] = []
    is_sound = False
    for address in server.request.recheck_ids[:_RECHECKS]:
        try:
            found = _resolved(address, server)
        except SourceError as error:
            server.round.notes.append(f"deletions could not be checked: {error}")
            return
        if found is None:
            missing.append(address)
            continue
        is_sound = True
        yield _payload(found, server)
    if missing and not is_sound and not _can_resolve(server):
        server.round.notes.append(
            f"{server.options.host} finds nothing by its address: nothing is taken for deleted"
        )
        return
    for address in missing:
        data = {"ap_id": address, "checked_at": server.request.until.isoformat()}
        yield Payload(kind="gone", data=data, instance=server.options.host)


def _resolved(address: str, server: _Server) -> Any:
    """What is known under an address; None when the server says that there is nothing."""
    try:
        found = server.ask("resolve_object", {"q": address})
    except StatusRefused as error:
        if error.status in {400, 404} and _word(error) in {*_GONE, "resolve_object_failed"}:
            return None
        raise
    nested = (values.mapping(found.get(name)) for name in ("comment", "post"))
    view = next((v for v in nested if views.item(v)), found)  # version 3 nests the view
    return view if views.address(view) == address else None


def _can_resolve(server: _Server) -> bool:
    """Whether the server finds one of its own latest posts by its address.

    One that has lost its data, or answers strangers no longer, must not empty all that is kept.
    """
    try:
        found = server.ask("post/list", {"sort": "New", "type_": "All", "limit": "1"})
        listed = values.items(found.get("posts")) or values.items(found.get("items"))
        address = views.address(listed[0]) if listed else None
        return address is not None and _resolved(address, server) is not None
    except SourceError:
        return False


def parse(payload: Payload, options: Options) -> Iterator[Parsed]:
    """The post, deletion or rejection of one payload."""
    data = values.mapping(payload.data)
    if payload.kind == "gone":
        yield views.deletion(data.get("ap_id"), values.time(data.get("checked_at")), "gone")
        return
    yield views.read(data, host=payload.instance or options.host, seen_at=payload.fetched_at)
