"""Mastodon and servers that speak its interface: tags, public timeline, mentions, own account.

Timelines are read forward from the last id (`min_id`), page after page until an empty one, so
that no burst leaves a hole (`since_id` would). The first run finds its start by the time that
Mastodon writes into its ids, and by paging back where ids are opaque (GoToSocial). A server dates
the id of a status that arrives late to when it was written (lib/mastodon/snowflake.rb), so the last
half hour is read again on each run, within a fifth of `max_pages`.

What a server does not show to everyone is not read: `timelines_access` of /api/v2/instance is
honoured, and messages that are not public are left alone before anything is written.

Costs one request for the instance, two a timeline and run, one for twenty statuses looked up
again (one each before Mastodon 4.3); servers give 300 in five minutes. A block that says
`live = true` is listened to, with the token of an account. Known gaps: a tag timeline misses posts
that name the institution without a hashtag, and what the server does not federate (`public` reads
all that it shows); counts and deletions are those that the server asked knows of; where ids are
opaque, a status that arrives late is missed unless it is listened to.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence

from pipelines.errors import RateLimited, SourceError
from pipelines.limits import Limit, Rolling
from pipelines.mention import Deletion, Rejection
from pipelines.notes import why
from pipelines.sources import (
    Collected,
    Held,
    Manifest,
    Parsed,
    Payload,
    Request,
    _mastodon_status as statuses,
    _values as values,
)
from pipelines.sources._mastodon_options import Options as Options
from pipelines.sources._mastodon_recheck import rechecked
from pipelines.sources._mastodon_stream import listened
from pipelines.sources._mastodon_timelines import begun, read, timelines

log = logging.getLogger(__name__)

MANIFEST = Manifest(
    name="mastodon",
    label="Mastodon and compatible servers",
    access="public interface of each server; a token where it asks for one, and for its stream",
    terms_url="the rules of each server, at /about; docs/sources.md tells what to look for",
    legal_basis="GDPR art. 6(1)(e), mission of public interest",
    fields_kept=(
        "uri and link of the status",
        "text and content warning",
        "time of writing and editing",
        "account (pseudonym)",
        "hashtags, accounts named",
        "links, kinds of media",
        "counts",
        "language",
    ),
    cost="free; 300 requests in five minutes",
    retention_days=30,
    deletion_duty=(
        "statuses that are gone on the server asked are emptied: at once where it is listened to, "
        "else when they are looked up again"
    ),
    # docs.joinmastodon.org/api/rate-limits, read 2026-07-02: by account and by address.
    limits=(
        Limit(
            name="calls",
            most=300,
            per=Rolling(300),
            remedy="lower max_pages or recheck_posts, or raise every_minutes in vigie.toml",
        ),
    ),
)


def collect(request: Request) -> Iterator[Collected]:
    """Every new public status of the tags, mentions and account; touches the network.

    SourceError when nothing could be read. When part could, the rest is told in the note and
    comes with the next run, since each timeline keeps its own place. RateLimited when the server
    asks for a long wait, after a checkpoint of what came before.
    """
    run = begun(request)
    failures: list[SourceError] = []
    well = 0
    for timeline in list(timelines(run)):
        try:
            if not (yield from read(timeline, run)):
                run.is_capped = True
                run.notes.append(f"{timeline.name}: there is more; the next run goes on from here")
            well += 1
        except SourceError as error:
            failures.append(error)
            run.notes.append(why(error))
            run.is_capped = True
            if isinstance(error, RateLimited) and not (well or run.handed_count):
                raise
        yield run.checkpoint()
        if failures and isinstance(failures[-1], RateLimited):
            raise failures[-1]  # what came before the checkpoint is kept, and its place
    if failures and not well and not run.handed_count:
        raise failures[0]
    log.info(
        "mastodon.read source=%s count=%d private=%d",
        request.name,
        run.handed_count,
        run.private_count,
    )
    yield run.checkpoint()


def listen(request: Request) -> Generator[Collected, None, None]:
    """Every status of the same timelines as it is written, edited or deleted; without end.

    Touches the network. SourceError when the stream breaks, or its server wants a token.
    """
    yield from listened(request)


def recheck(request: Request, held: Sequence[Held]) -> Iterator[Payload]:
    """Statuses as this server knows them now, or gone; touches the network. SourceError."""
    yield from rechecked(request, held)


def parse(payload: Payload, options: Options) -> Iterator[Parsed]:
    """The post, deletion or rejection of one payload."""
    if payload.kind == "gone":
        yield _deletion(payload)
        return
    host = payload.instance or options.host
    account = (options.account or "").lstrip("@").casefold()
    yield statuses.read(
        payload.data,
        kind=payload.kind,
        host=host,
        own=f"{account}@{host}" if account and "@" not in account else account or None,
        allowed=options.allowed,
    )


def _deletion(payload: Payload) -> Deletion | Rejection:
    data = values.mapping(payload.data)
    uri, at = values.string(data.get("uri")), values.time(data.get("checked_at"))
    if uri is None or at is None:
        detail = "a deletion has no uri or no time"
        return Rejection(source=MANIFEST.name, native_id=uri, reason="no_uri", detail=detail)
    return Deletion(source=MANIFEST.name, native_id=uri, deleted_at=at, reason="gone")
